/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Directory entries and xattrs. */
#include "tests/unit/test.h"

#include "format/dir-entry.h"

static const uint8_t sample[] = {
	LE64(257), 1, LE64(0),		/* 0: location */
	LE64(7),			/* 17: transid */
	LE16(0),			/* 25: data_len */
	LE16(2),			/* 27: name_len */
	FT_REG_FILE,			/* 29: type */
	'h', 'i',
};

static const uint8_t xattr_sample[] = {
	LE64(0), 0, LE64(0),
	LE64(7),
	LE16(3),			/* 25: data_len */
	LE16(6),			/* 27: name_len */
	FT_XATTR,			/* 29: type */
	'u', 's', 'e', 'r', '.', 'x',
	1, 2, 3,
};

static bool parse(struct cursor *item, struct error *err)
{
	struct dir_entry entry;

	do {
		if (!dir_entry_next(item, &entry, err))
			return false;
	} while (item->left > 0);
	return true;
}

static bool parse_xattr(struct cursor *item, struct error *err)
{
	struct dir_entry entry;

	do {
		if (!xattr_next(item, &entry, err))
			return false;
	} while (item->left > 0);
	return true;
}

static void reads_an_entry(void **state)
{
	struct cursor item = { sample, sizeof(sample), TEST_OFFSET };
	struct error err = { 0 };
	struct dir_entry entry;

	(void)state;
	assert_true(dir_entry_next(&item, &entry, &err));
	assert_int_equal(item.left, 0);
	assert_int_equal(entry.location.objectid, 257);
	assert_int_equal(entry.location.type, KEY_INODE_ITEM);
	assert_int_equal(entry.type, FT_REG_FILE);
	assert_false(entry.encrypted);
	assert_int_equal(entry.name.left, 2);
	assert_memory_equal(entry.name.at, "hi", 2);
	assert_int_equal(entry.name.offset, TEST_OFFSET + 30);
	assert_int_equal(entry.data.left, 0);
}

static void reads_two_names_of_one_hash(void **state)
{
	uint8_t two[2 * sizeof(sample)];
	struct cursor item = { two, sizeof(two), TEST_OFFSET };
	struct error err = { 0 };
	struct dir_entry entry;

	(void)state;
	memcpy(two, sample, sizeof(sample));
	memcpy(two + sizeof(sample), sample, sizeof(sample));
	two[sizeof(sample) + 29] = FT_DIR | FT_ENCRYPTED;
	two[sizeof(sample) + 30] = '/';	/* a byte of ciphertext */
	assert_true(dir_entry_next(&item, &entry, &err));
	assert_int_equal(item.left, sizeof(sample));
	assert_true(dir_entry_next(&item, &entry, &err));
	assert_int_equal(item.left, 0);
	assert_int_equal(entry.type, FT_DIR);
	assert_true(entry.encrypted);
	assert_memory_equal(entry.name.at, "/i", 2);
}

static void accepts_the_limits(void **state)
{
	uint8_t bytes[30 + 255] = { [27] = 255, [29] = FT_SYMLINK };
	struct error err = { 0 };

	(void)state;
	assert_true(test_parse_copy(parse, bytes, sizeof(bytes), &err));
	bytes[29] = FT_XATTR;
	assert_true(test_parse_copy(parse_xattr, bytes, sizeof(bytes), &err));
}

static void refuses_every_truncation(void **state)
{
	(void)state;
	test_refuses_truncations(parse, sample, sizeof(sample), ANY_LENGTH_FAILS);
	test_refuses_truncations(parse_xattr, xattr_sample, sizeof(xattr_sample), ANY_LENGTH_FAILS);
}

static void refuses_one_wrong_byte(void **state)
{
	static const struct wrong wrong[] = {
		{ 25, 1, "dir item at 0x4000: data_len is 1, only an xattr has data" },
		{ 27, 0, "dir item at 0x4000: name_len is 0, not 1 to 255" },
		{ 28, 1, "dir item at 0x4000: name_len is 258, not 1 to 255" },
		{ 27, 3, "dir item at 0x4000: name_len is 3, the item has 2 bytes left" },
		{ 27, 1, "dir item at 0x401f: 1 bytes left, a header takes 30" },
		{ 29, 0, "dir item at 0x4000: type is 0, not 1 to 7" },
		{ 29, FT_XATTR, "dir item at 0x4000: type is 8, not 1 to 7" },
		{ 29, 0x88, "dir item at 0x4000: type is 8, not 1 to 7" },
	};

	(void)state;
	test_refuses_wrong_bytes(parse, sample, sizeof(sample), wrong, ARRAY_SIZE(wrong));
}

static void reads_an_xattr(void **state)
{
	struct cursor item = { xattr_sample, sizeof(xattr_sample), TEST_OFFSET };
	struct error err = { 0 };
	struct dir_entry entry;

	(void)state;
	assert_true(xattr_next(&item, &entry, &err));
	assert_int_equal(item.left, 0);
	assert_int_equal(entry.type, FT_XATTR);
	assert_int_equal(entry.name.left, 6);
	assert_memory_equal(entry.name.at, "user.x", 6);
	assert_int_equal(entry.data.left, 3);
	assert_memory_equal(entry.data.at, "\1\2\3", 3);
	assert_int_equal(entry.data.offset, TEST_OFFSET + 36);
}

static void refuses_one_wrong_byte_of_an_xattr(void **state)
{
	static const struct wrong wrong[] = {
		{ 25, 4, "xattr at 0x4000: data_len is 4, the item has 3 bytes left" },
		{ 25, 2, "xattr at 0x4026: 1 bytes left, a header takes 30" },
		{ 27, 0, "xattr at 0x4000: name_len is 0, not 1 to 255" },
		{ 27, 10, "xattr at 0x4000: name_len is 10, the item has 9 bytes left" },
		{ 29, FT_REG_FILE, "xattr at 0x4000: type is 1, not 8" },
		{ 29, FT_XATTR | FT_ENCRYPTED, "xattr at 0x4000: type is 136, not 8" },
	};

	(void)state;
	test_refuses_wrong_bytes(parse_xattr, xattr_sample, sizeof(xattr_sample), wrong, ARRAY_SIZE(wrong));
}

static void hashes_names_as_the_kernel(void **state)
{
	(void)state;
	/* The first is the key of the entry that every mkfs.btrfs writes; the others are from images of a kernel. */
	assert_int_equal(dir_entry_name_hash("default", 7), 2378154706);
	assert_int_equal(dir_entry_name_hash("snap", 4), 2961127307);
	assert_int_equal(dir_entry_name_hash("user.empty", 10), 1215245406);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads_an_entry),
		cmocka_unit_test(reads_two_names_of_one_hash),
		cmocka_unit_test(accepts_the_limits),
		cmocka_unit_test(refuses_every_truncation),
		cmocka_unit_test(refuses_one_wrong_byte),
		cmocka_unit_test(reads_an_xattr),
		cmocka_unit_test(refuses_one_wrong_byte_of_an_xattr),
		cmocka_unit_test(hashes_names_as_the_kernel),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

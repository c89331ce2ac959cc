/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Inode items, and the names of inodes. */
#include "tests/unit/test.h"

#include "format/inode.h"

static const uint8_t sample[] = {
	LE64(7),			/* 0: generation */
	LE64(8),			/* 8: transid */
	LE64(5),			/* 16: size */
	LE64(4096),			/* 24: nbytes */
	LE64(0),			/* 32: block_group */
	LE32(2),			/* 40: nlink */
	LE32(1000),			/* 44: uid */
	LE32(100),			/* 48: gid */
	LE32(0100644),			/* 52: mode */
	LE64(0x103),			/* 56: rdev */
	LE64(INODE_RO_VERITY | INODE_IMMUTABLE),	/* 64: flags */
	LE64(9),			/* 72: sequence */
	LE64(0), LE64(0), LE64(0), LE64(0),
	LE64(-1), LE32(999999999),	/* 112: atime */
	LE64(2), LE32(20),		/* 124: ctime */
	LE64(3), LE32(30),		/* 136: mtime */
	LE64(4), LE32(40),		/* 148: otime */
};

static const uint8_t ref_sample[] = {
	LE64(2),			/* 0: index */
	LE16(3),			/* 8: name_len */
	'o', 'n', 'e',
	LE64(4),			/* 13: index */
	LE16(4),			/* 21: name_len */
	'f', 'o', 'u', 'r',
};

static const uint8_t extref_sample[] = {
	LE64(256),			/* 0: parent */
	LE64(2),			/* 8: index */
	LE16(3),			/* 16: name_len */
	'o', 'n', 'e',
};

static bool parse(struct cursor *item, struct error *err)
{
	struct inode inode;

	return inode_read(item, &inode, err);
}

static bool parse_ref(struct cursor *item, struct error *err)
{
	struct inode_ref ref;

	do {
		if (!inode_ref_next(item, 256, &ref, err))
			return false;
	} while (item->left > 0);
	return true;
}

static bool parse_extref(struct cursor *item, struct error *err)
{
	struct inode_ref ref;

	do {
		if (!inode_extref_next(item, &ref, err))
			return false;
	} while (item->left > 0);
	return true;
}

static void reads_an_inode(void **state)
{
	struct cursor item = { sample, sizeof(sample), TEST_OFFSET };
	struct error err = { 0 };
	struct inode inode;

	(void)state;
	assert_true(inode_read(&item, &inode, &err));
	assert_int_equal(item.left, 0);
	assert_int_equal(inode.generation, 7);
	assert_int_equal(inode.transid, 8);
	assert_int_equal(inode.size, 5);
	assert_int_equal(inode.nbytes, 4096);
	assert_int_equal(inode.n_links, 2);
	assert_int_equal(inode.uid, 1000);
	assert_int_equal(inode.gid, 100);
	assert_int_equal(inode.mode, 0100644);
	assert_int_equal(inode.rdev, 0x103);
	assert_int_equal(inode.flags, 0x100000040);
	assert_int_equal(inode.sequence, 9);
	assert_true(inode.atime.sec == -1);
	assert_int_equal(inode.atime.nsec, 999999999);
	assert_int_equal(inode.ctime.sec, 2);
	assert_int_equal(inode.ctime.nsec, 20);
	assert_int_equal(inode.mtime.sec, 3);
	assert_int_equal(inode.mtime.nsec, 30);
	assert_int_equal(inode.otime.sec, 4);
	assert_int_equal(inode.otime.nsec, 40);
}

static void accepts_every_type_of_file(void **state)
{
	static const LargestIntegralType types[] = { 0010000, 0020000, 0040000, 0060000, 0100000, 0120000, 0140000 };
	size_t n_good = 0;

	(void)state;
	for (uint32_t type = 0; type <= 0170000; type += 010000) {
		const struct le32 mode = to_le32(type | 07777);
		uint8_t bytes[sizeof(sample)];
		struct error err = { 0 };

		memcpy(bytes, sample, sizeof(bytes));
		memcpy(bytes + 52, &mode, sizeof(mode));
		if (test_parse_copy(parse, bytes, sizeof(bytes), &err)) {
			assert_in_set(type, types, ARRAY_SIZE(types));
			n_good++;
		}
	}
	assert_int_equal(n_good, ARRAY_SIZE(types));
}

static void reads_names(void **state)
{
	struct cursor item = { ref_sample, sizeof(ref_sample), TEST_OFFSET };
	struct error err = { 0 };
	struct inode_ref ref;

	(void)state;
	assert_true(inode_ref_next(&item, 256, &ref, &err));
	assert_int_equal(ref.parent, 256);
	assert_int_equal(ref.index, 2);
	assert_int_equal(ref.name.left, 3);
	assert_memory_equal(ref.name.at, "one", 3);
	assert_true(inode_ref_next(&item, 256, &ref, &err));
	assert_int_equal(ref.index, 4);
	assert_memory_equal(ref.name.at, "four", 4);
	assert_int_equal(ref.name.offset, TEST_OFFSET + 23);
	assert_int_equal(item.left, 0);

	item = (struct cursor){ extref_sample, sizeof(extref_sample), TEST_OFFSET };
	assert_true(inode_extref_next(&item, &ref, &err));
	assert_int_equal(ref.parent, 256);
	assert_int_equal(ref.index, 2);
	assert_int_equal(ref.name.left, 3);
	assert_memory_equal(ref.name.at, "one", 3);
	assert_int_equal(item.left, 0);
}

static void reads_the_longest_name(void **state)
{
	uint8_t bytes[18 + 255] = { [8] = 255, [16] = 255 };
	struct error err = { 0 };

	(void)state;
	assert_true(test_parse_copy(parse_ref, bytes, 10 + 255, &err));
	bytes[8] = 0;
	assert_true(test_parse_copy(parse_extref, bytes, sizeof(bytes), &err));
}

static void refuses_every_truncation(void **state)
{
	(void)state;
	test_refuses_truncations(parse, sample, sizeof(sample), ANY_LENGTH_FAILS);
	test_refuses_truncations(parse_ref, ref_sample, sizeof(ref_sample), 13);	/* the first name alone */
	test_refuses_truncations(parse_extref, extref_sample, sizeof(extref_sample), ANY_LENGTH_FAILS);
}

static void refuses_more(void **state)
{
	uint8_t bytes[sizeof(sample) + 1] = { 0 };
	struct error err = { 0 };

	(void)state;
	memcpy(bytes, sample, sizeof(sample));
	assert_false(test_parse_copy(parse, bytes, sizeof(bytes), &err));
	assert_string_equal(err.text, "inode item at 0x4000: 161 bytes, not 160");
}

static void refuses_one_wrong_byte(void **state)
{
	static const struct wrong wrong[] = {
		{ 53, 0x01, "inode item at 0x4000: mode is 0644, not a type of file and its permissions" },
		{ 53, 0x31, "inode item at 0x4000: mode is 030644, not a type of file and its permissions" },
		{ 54, 0x01, "inode item at 0x4000: mode is 0300644, not a type of file and its permissions" },
		{ 121, 0xff, "inode item at 0x4000: atime.nsec is 1000013823, at most 999999999" },
		{ 135, 0x80, "inode item at 0x4000: ctime.nsec is 2147483668, at most 999999999" },
		{ 147, 0x80, "inode item at 0x4000: mtime.nsec is 2147483678, at most 999999999" },
		{ 159, 0x80, "inode item at 0x4000: otime.nsec is 2147483688, at most 999999999" },
	};

	(void)state;
	test_refuses_wrong_bytes(parse, sample, sizeof(sample), wrong, ARRAY_SIZE(wrong));
}

static void refuses_one_wrong_byte_of_names(void **state)
{
	static const struct wrong wrong[] = {
		{ 8, 0, "inode reference at 0x4000: name_len is 0, not 1 to 255" },
		{ 9, 1, "inode reference at 0x4000: name_len is 259, not 1 to 255" },
		{ 8, 18, "inode reference at 0x4000: name_len is 18, the item has 17 bytes left" },
		{ 21, 5, "inode reference at 0x400d: name_len is 5, the item has 4 bytes left" },
		{ 21, 3, "inode reference at 0x401a: 1 bytes left, a header takes 10" },
	};
	static const struct wrong wrong_extref[] = {
		{ 16, 0, "inode reference at 0x4000: name_len is 0, not 1 to 255" },
		{ 16, 4, "inode reference at 0x4000: name_len is 4, the item has 3 bytes left" },
		{ 16, 1, "inode reference at 0x4013: 2 bytes left, a header takes 18" },
	};

	(void)state;
	test_refuses_wrong_bytes(parse_ref, ref_sample, sizeof(ref_sample), wrong, ARRAY_SIZE(wrong));
	test_refuses_wrong_bytes(parse_extref, extref_sample, sizeof(extref_sample), wrong_extref, ARRAY_SIZE(wrong_extref));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads_an_inode),
		cmocka_unit_test(accepts_every_type_of_file),
		cmocka_unit_test(reads_names),
		cmocka_unit_test(reads_the_longest_name),
		cmocka_unit_test(refuses_every_truncation),
		cmocka_unit_test(refuses_more),
		cmocka_unit_test(refuses_one_wrong_byte),
		cmocka_unit_test(refuses_one_wrong_byte_of_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

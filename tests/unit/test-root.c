/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Root items, old and new, and the names of subvolumes. */
#include "tests/unit/test.h"

#include "format/root.h"

#define SHORT_SIZE 239u

static const uint8_t sample[] = {
	[160] = LE64(7),		/* generation */
	LE64(256),			/* 168: root_dirid */
	LE64(0x1d24000),		/* 176: bytenr */
	LE64(0),			/* 184: byte_limit */
	LE64(16384),			/* 192: bytes_used */
	LE64(6),			/* 200: last_snapshot */
	LE64(ROOT_RDONLY),		/* 208: flags */
	LE32(1),			/* 216: refs */
	LE64(0), 0, LE64(0),		/* 220: drop_progress */
	0,				/* 237: drop_level */
	2,				/* 238: level */
	LE64(7),			/* 239: generation_v2 */
	UUID(0xa1),			/* 247: uuid */
	UUID(0xa2),			/* 263: parent_uuid */
	UUID(0xa3),			/* 279: received_uuid */
	LE64(11), LE64(12), LE64(13), LE64(14),
	LE64(21), LE32(22),		/* 327: ctime */
	LE64(31), LE32(32),		/* 339: otime */
	LE64(41), LE32(42),		/* 351: stime */
	LE64(51), LE32(52),		/* 363: rtime */
	'a', 'e', 's', '-', '2', '5', '6', '-', 'g', 'c', 'm', 0, 0, 0, 0, 0,	/* 375: algorithm */
	LE32(32),			/* 391: key_len */
	LE32(0x75197c8e),		/* 395: key_hash */
	[438] = 0xee,
};

static const uint8_t ref_sample[] = {
	LE64(256),			/* 0: dirid */
	LE64(3),			/* 8: sequence */
	LE16(3),			/* 16: name_len */
	'h', 'o', 'm',
};

static bool parse(struct cursor *item, struct error *err)
{
	struct root root;

	return root_read(item, &root, err);
}

static bool parse_ref(struct cursor *item, struct error *err)
{
	struct root_ref ref;

	return root_ref_read(item, &ref, err);
}

static struct root read_good(const uint8_t *bytes, size_t len)
{
	struct cursor item = { bytes, len, TEST_OFFSET };
	struct error err = { 0 };
	struct root root;

	if (!root_read(&item, &root, &err))
		fail_msg("%s", err.text);
	assert_int_equal(item.left, 0);
	assert_int_equal(item.offset, TEST_OFFSET + len);
	return root;
}

static void reads_a_root(void **state)
{
	const struct root root = read_good(sample, sizeof(sample));

	(void)state;
	assert_int_equal(sizeof(sample), 439);
	assert_int_equal(root.generation, 7);
	assert_int_equal(root.dirid, 256);
	assert_int_equal(root.bytenr, 0x1d24000);
	assert_int_equal(root.bytes_used, 16384);
	assert_int_equal(root.last_snapshot, 6);
	assert_int_equal(root.flags, ROOT_RDONLY);
	assert_int_equal(root.refs, 1);
	assert_int_equal(root.level, 2);
	assert_false(root.is_short);
	assert_true(root.has_v2);
	assert_int_equal(root.uuid[15], 0xa1);
	assert_int_equal(root.parent_uuid[15], 0xa2);
	assert_int_equal(root.received_uuid[15], 0xa3);
	assert_int_equal(root.ctransid, 11);
	assert_int_equal(root.otransid, 12);
	assert_int_equal(root.stransid, 13);
	assert_int_equal(root.rtransid, 14);
	assert_int_equal(root.ctime.sec, 21);
	assert_int_equal(root.otime.nsec, 32);
	assert_int_equal(root.stime.sec, 41);
	assert_int_equal(root.rtime.nsec, 52);
	assert_memory_equal(root.reserved, sample + 375, 64);
	assert_string_equal(root.algorithm, "aes-256-gcm");
	assert_int_equal(root.key_len, 32);
	assert_int_equal(root.key_hash, 0x75197c8e);
}

static void reads_a_short_root(void **state)
{
	const struct root root = read_good(sample, SHORT_SIZE);

	(void)state;
	assert_int_equal(root.level, 2);
	assert_true(root.is_short);
	assert_false(root.has_v2);
	assert_int_equal(root.uuid[0], 0);
	assert_int_equal(root.algorithm[0], '\0');
}

static void reads_a_longer_root(void **state)
{
	uint8_t bytes[sizeof(sample) + 9] = { 0 };

	(void)state;
	memcpy(bytes, sample, sizeof(sample));
	assert_true(read_good(bytes, sizeof(bytes)).has_v2);
}

static void says_what_an_old_kernel_wrote(void **state)
{
	uint8_t bytes[sizeof(sample)];

	(void)state;
	memcpy(bytes, sample, sizeof(bytes));
	bytes[239] = 6;
	assert_false(read_good(bytes, sizeof(bytes)).has_v2);
}

static void makes_the_algorithm_printable(void **state)
{
	uint8_t bytes[sizeof(sample)];

	(void)state;
	memcpy(bytes, sample, sizeof(bytes));
	memset(bytes + 375, 'a', 16);
	bytes[376] = 0x1b;
	bytes[377] = 0xff;
	assert_string_equal(read_good(bytes, sizeof(bytes)).algorithm, "a??aaaaaaaaaaaaa");
	memset(bytes + 375, 0, 24);
	assert_string_equal(read_good(bytes, sizeof(bytes)).algorithm, "");
}

static void reads_a_reference(void **state)
{
	struct cursor item = { ref_sample, sizeof(ref_sample), TEST_OFFSET };
	struct error err = { 0 };
	struct root_ref ref;

	(void)state;
	assert_true(root_ref_read(&item, &ref, &err));
	assert_int_equal(item.left, 0);
	assert_int_equal(ref.dirid, 256);
	assert_int_equal(ref.sequence, 3);
	assert_int_equal(ref.name.left, 3);
	assert_memory_equal(ref.name.at, "hom", 3);
}

static void reads_the_longest_name(void **state)
{
	uint8_t bytes[18 + 255] = { [16] = 255 };
	struct error err = { 0 };

	(void)state;
	assert_true(test_parse_copy(parse_ref, bytes, sizeof(bytes), &err));
}

static void refuses_every_truncation(void **state)
{
	(void)state;
	test_refuses_truncations(parse, sample, sizeof(sample), SHORT_SIZE);
	test_refuses_truncations(parse_ref, ref_sample, sizeof(ref_sample), ANY_LENGTH_FAILS);
}

static void refuses_one_wrong_byte(void **state)
{
	static const struct wrong wrong[] = {
		{ 176, 1, "root item at 0x4000: bytenr is 0x1d24001, not a nonzero multiple of 4096" },
		{ 238, 8, "root item at 0x4000: level is 8, not 0 to 7" },
	};
	static const struct wrong wrong_ref[] = {
		{ 16, 0, "root reference at 0x4000: name_len is 0, not 1 to 255" },
		{ 17, 1, "root reference at 0x4000: name_len is 259, not 1 to 255" },
		{ 16, 4, "root reference at 0x4000: name_len is 4, the item has 3 bytes left" },
		{ 16, 2, "root reference at 0x4000: name_len is 2, the item has 3 bytes left" },
	};

	(void)state;
	test_refuses_wrong_bytes(parse, sample, sizeof(sample), wrong, ARRAY_SIZE(wrong));
	test_refuses_wrong_bytes(parse_ref, ref_sample, sizeof(ref_sample), wrong_ref, ARRAY_SIZE(wrong_ref));
}

static void refuses_no_address(void **state)
{
	uint8_t bytes[sizeof(sample)];
	struct error err = { 0 };

	(void)state;
	memcpy(bytes, sample, sizeof(bytes));
	memset(bytes + 176, 0, 8);
	assert_false(test_parse_copy(parse, bytes, sizeof(bytes), &err));
	assert_string_equal(err.text, "root item at 0x4000: bytenr is 0, not a nonzero multiple of 4096");
	assert_false(test_parse_copy(parse, bytes, 240, &err));
	assert_string_equal(err.text, "root item at 0x4000: 240 bytes, not 239 or at least 439");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads_a_root),
		cmocka_unit_test(reads_a_short_root),
		cmocka_unit_test(reads_a_longer_root),
		cmocka_unit_test(says_what_an_old_kernel_wrote),
		cmocka_unit_test(makes_the_algorithm_printable),
		cmocka_unit_test(reads_a_reference),
		cmocka_unit_test(reads_the_longest_name),
		cmocka_unit_test(refuses_every_truncation),
		cmocka_unit_test(refuses_one_wrong_byte),
		cmocka_unit_test(refuses_no_address),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

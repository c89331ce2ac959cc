/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Reading journal records. */
#include "format/journal.h"
#define TEST_KIND ERROR_STATE
#include "tests/unit/test.h"

#define NODE_SIZE 16u

#define SIXTEEN(x) EIGHT(x), EIGHT(x)
#define THIRTYTWO(x) SIXTEEN(x), SIXTEEN(x)

static const uint8_t sample[] = {
	'B', 'T', 'R', 'C', 'J', 'R', 'N', 'L',	/* magic */
	LE32(3),				/* version */
	1, 2, 1, 0,				/* direction, phase, root_level, has_old */
	LE64(372),				/* length */
	LE64(7),				/* sequence */
	SIXTEEN(0xaa),				/* op_id */
	LE64(0x4000),				/* place */
	THIRTYTWO(0xbb),			/* previous */
	LE64(9),				/* epoch */
	LE64(0x10002),				/* cursor */
	LE64(0x100000),				/* bytes_used */
	LE32(1), LE32(1), LE32(1), LE32(0),	/* n_changed, n_new, n_ranges, n_carried */
	LE64(0x123000), SIXTEEN(0x11),		/* a changed block */
	LE64(0x124000), THIRTYTWO(0x22),	/* a new one */
	LE64(0x200000),				/* a range: address */
	1, 0, LE16(0), LE64(0x200000), LE32(2), LE64(8192), LE64(0), SIXTEEN(0x33),	/* U */
	SIXTEEN(0x44), SIXTEEN(0x55),		/* tags */
};

static bool parse(struct cursor *record, struct error *err)
{
	struct journal_header header;

	if (!journal_header_read(record, &header, err))
		return false;
	for (uint32_t i = 0; i < header.n_changed; i++) {
		struct journal_changed changed;

		if (!journal_changed_next(record, NODE_SIZE, &changed, err))
			return false;
	}
	for (uint32_t i = 0; i < header.n_new; i++) {
		struct journal_new new_block;

		if (!journal_new_next(record, &new_block, err))
			return false;
	}
	for (uint32_t i = 0; i < header.n_ranges; i++) {
		struct journal_range range;

		if (!journal_range_next(record, header.has_old, &range, err))
			return false;
	}
	return true;
}

static void reads_every_field(void **state)
{
	struct cursor record = { sample, sizeof(sample), TEST_OFFSET };
	struct journal_header header;
	struct journal_changed changed;
	struct journal_new new_block;
	struct journal_range range;
	struct error err = { 0 };

	(void)state;
	assert_true(journal_header_read(&record, &header, &err));
	assert_int_equal(header.direction, CRYPT_TO_SEALED);
	assert_int_equal(header.phase, CRYPT_PHASE_DATA);
	assert_int_equal(header.root_level, 1);
	assert_int_equal(header.length, 372);
	assert_int_equal(header.sequence, 7);
	assert_int_equal(header.op_id[15], 0xaa);
	assert_int_equal(header.place, 0x4000);
	assert_int_equal(header.previous[31], 0xbb);
	assert_int_equal(header.epoch, 9);
	assert_int_equal(header.cursor, 0x10002);
	assert_int_equal(header.bytes_used, 0x100000);
	assert_true(journal_changed_next(&record, NODE_SIZE, &changed, &err));
	assert_int_equal(changed.logical, 0x123000);
	assert_int_equal(changed.bytes[15], 0x11);
	assert_true(journal_new_next(&record, &new_block, &err));
	assert_int_equal(new_block.logical, 0x124000);
	assert_int_equal(new_block.sha256[0], 0x22);
	assert_true(journal_range_next(&record, header.has_old, &range, &err));
	assert_int_equal(range.address, 0x200000);
	assert_int_equal(range.n_blocks, 2);
	assert_int_equal(range.u.nonce[0], 0x33);
	assert_int_equal(range.tags[16], 0x55);
	assert_int_equal(record.left, 0);
}

/* The sample, and the old side of its range. */
static const uint8_t old_side[] = {
	2, 0, LE16(0), LE64(0x100000), LE32(2), LE64(8192), LE64(0), SIXTEEN(0x66),	/* U */
	SIXTEEN(0x77), SIXTEEN(0x88),		/* tags */
};

static void add_old_side(uint8_t bytes[sizeof(sample) + sizeof(old_side)])
{
	memcpy(bytes, sample, sizeof(sample));
	memcpy(bytes + sizeof(sample), old_side, sizeof(old_side));
	bytes[15] = 1;
}

static void reads_old_sides(void **state)
{
	static const struct wrong wrong[] = {
		{ sizeof(sample) + 12, 3, "journal record at 0x40c0: blocks of the old side is 3, not 2" },
	};
	uint8_t bytes[sizeof(sample) + sizeof(old_side)];
	struct cursor record = { bytes, sizeof(bytes), TEST_OFFSET };
	struct journal_header header;
	struct journal_changed changed;
	struct journal_new new_block;
	struct journal_range range;
	struct error err = { 0 };

	(void)state;
	add_old_side(bytes);
	assert_true(journal_header_read(&record, &header, &err));
	assert_true(header.has_old);
	assert_true(journal_changed_next(&record, NODE_SIZE, &changed, &err) && journal_new_next(&record, &new_block, &err) &&
		    journal_range_next(&record, header.has_old, &range, &err));
	assert_int_equal(range.tags[16], 0x55);
	assert_int_equal(range.old.cipher, 2);
	assert_int_equal(range.old.nonce[0], 0x66);
	assert_int_equal(range.old_tags[0], 0x77);
	assert_int_equal(range.old_tags[31], 0x88);
	assert_int_equal(record.left, 0);
	test_refuses_wrong_bytes(parse, bytes, sizeof(bytes), wrong, ARRAY_SIZE(wrong));
	test_refuses_truncations(parse, bytes, sizeof(bytes), ANY_LENGTH_FAILS);
}

/* A record of nothing but data. */
static bool parse_carried(struct cursor *record, struct error *err)
{
	struct journal_carried carried;

	return journal_carried_next(record, &carried, err);
}

static void reads_carried_data(void **state)
{
	static const struct wrong wrong[] = {
		{ 0, 1, "journal record at 0x4000: address is 0x200001, not a multiple of 4096" },
		{ 8, 0, "journal record at 0x4000: n_blocks is 0, not 1 to 32" },
		{ 8, 33, "journal record at 0x4000: n_blocks is 33, not 1 to 32" },
		{ 8, 3, "journal record at 0x4000: n_blocks is 3, 8192 bytes left for data" },
	};
	uint8_t bytes[sizeof(struct disk_journal_carried) + 2 * CRYPT_BLOCK] = { 0 };
	const struct disk_journal_carried disk = { .address = to_le64(0x200000), .n_blocks = to_le32(2) };
	struct cursor record = { bytes, sizeof(bytes), TEST_OFFSET };
	struct journal_carried carried;
	struct error err = { 0 };

	(void)state;
	memcpy(bytes, &disk, sizeof(disk));
	memset(bytes + sizeof(disk) + CRYPT_BLOCK, 0x99, CRYPT_BLOCK);
	assert_true(journal_carried_next(&record, &carried, &err));
	assert_int_equal(carried.address, 0x200000);
	assert_int_equal(carried.n_blocks, 2);
	assert_int_equal(carried.bytes[CRYPT_BLOCK], 0x99);
	assert_int_equal(record.left, 0);
	test_refuses_wrong_bytes(parse_carried, bytes, sizeof(bytes), wrong, ARRAY_SIZE(wrong));
	test_refuses_truncations(parse_carried, bytes, sizeof(bytes), ANY_LENGTH_FAILS);
}

static void refuses_every_truncation(void **state)
{
	(void)state;
	test_refuses_truncations(parse, sample, sizeof(sample), ANY_LENGTH_FAILS);
}

static void refuses_one_wrong_byte(void **state)
{
	static const struct wrong wrong[] = {
		{ 0, 'X', "journal record at 0x4000: magic is not BTRCJRNL" },
		{ 8, 4, "journal record at 0x4000: version is 4, not 3" },
		{ 12, 3, "journal record at 0x4000: direction is 3, not 1 or 2" },
		{ 13, 6, "journal record at 0x4000: phase is 6, not 1 to 5" },
		{ 13, 0, "journal record at 0x4000: phase is 0, not 1 to 5" },
		{ 14, 8, "journal record at 0x4000: root_level is 8, not below 8" },
		{ 15, 2, "journal record at 0x4000: has_old is 2, not 0 or 1" },
		{ 15, 1, "journal record at 0x40c0: 0 bytes left, the old side of a range takes 48" },
		{ 17, 0, "journal record at 0x4000: length is 116, less than a header and a MAC" },
		{ 24, 0, "journal record at 0x4000: sequence is 0" },
		{ 192, 1, "journal record at 0x40c0: address is 0x200001, not a multiple of 4096" },
		{ 212, 0, "journal record at 0x40c0: blocks is 0, not 1 to 500" },
		{ 213, 2, "journal record at 0x40c0: blocks is 514, not 1 to 500" },
		{ 212, 3, "journal record at 0x40c0: blocks is 3, 32 bytes left for tags" },
	};

	(void)state;
	test_refuses_wrong_bytes(parse, sample, sizeof(sample), wrong, ARRAY_SIZE(wrong));
}

static void refuses_the_unreleased_version(void **state)
{
	uint8_t bytes[sizeof(sample)];
	struct cursor record = { bytes, sizeof(bytes), TEST_OFFSET };
	struct journal_header header;
	struct error err = { 0 };

	(void)state;
	memcpy(bytes, sample, sizeof(bytes));
	bytes[8] = 1;
	assert_false(journal_header_read(&record, &header, &err));
	assert_int_equal(err.kind, ERROR_REFUSED);
	assert_string_equal(err.text, "journal record at 0x4000: format version 1 was made by an unreleased version");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads_every_field),
		cmocka_unit_test(reads_old_sides),
		cmocka_unit_test(reads_carried_data),
		cmocka_unit_test(refuses_every_truncation),
		cmocka_unit_test(refuses_one_wrong_byte),
		cmocka_unit_test(refuses_the_unreleased_version),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

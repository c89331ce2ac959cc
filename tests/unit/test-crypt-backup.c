/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Header backups byte by byte: the layout of the file and of its items. */
#define TEST_KIND ERROR_KEY_HEADER
#include "tests/unit/test.h"

#include "format/crypt-backup.h"

#define OFFSET(kind, index) LE64(0x0007000000000000u | (uint64_t)(kind) << 44 | (index))

static const uint8_t sample[] = {
	'B', 'T', 'R', 'C', 'B', 'A', 'C', 'K',	/* 0: magic */
	LE32(3),				/* 8: version */
	LE32(0),				/* 12: flags */
	LE64(198),				/* 16: length */
	UUID(0xf5),				/* 24: fsid */
	LE64(0x1122334455667788),		/* 40: time */
	LE32(4),				/* 48: n_items */
	LE32(0),				/* 52: zero */
	OFFSET(0, 0), LE32(5), LE32(0), 1, 2, 3, 4, 5,		/* 56: header */
	OFFSET(1, 31), LE32(32), LE32(0), UUID(9), UUID(9),	/* 77: key slot */
	OFFSET(2, 0), LE32(2), LE32(0), 6, 7,			/* 125: member */
	OFFSET(8, 0), LE32(7), LE32(0), 8, 8, 8, 8, 8, 8, 8,	/* 143: bad blocks */
	UUID(0x4a), UUID(0x4a),			/* 166: hash of the file */
};

static bool parse(struct cursor *file, struct error *err)
{
	static const struct { enum crypt_kind kind; uint64_t index; size_t len; } want[] = {
		{ CRYPT_HEADER, 0, 5 }, { CRYPT_SLOT, 31, 32 }, { CRYPT_MEMBER, 0, 2 }, { CRYPT_BAD_BLOCKS, 0, 7 },
	};
	struct crypt_backup_item item = { 0 }, before;
	struct crypt_backup backup;

	if (!crypt_backup_read(file, &backup, err))
		return false;
	for (uint32_t i = 0; i < backup.n_items; i++) {
		before = item;
		if (!crypt_backup_next(&backup, i ? &before : NULL, &item, err))
			return false;
		if (backup.n_items < ARRAY_SIZE(want))
			continue;
		assert_true(i < ARRAY_SIZE(want));
		assert_int_equal(item.place.domain, 7);
		assert_int_equal(item.place.kind, want[i].kind);
		assert_int_equal(item.place.index, want[i].index);
		assert_int_equal(item.payload.left, want[i].len);
	}
	if (!crypt_backup_end(&backup, err))
		return false;
	assert_int_equal(backup.time, 0x1122334455667788);
	assert_int_equal(backup.fsid[15], 0xf5);
	assert_int_equal(backup.hash.at[31], 0x4a);
	return true;
}

static void refuses_every_truncation(void **state)
{
	(void)state;
	static_assert(sizeof(sample) == 198, "sample");
	test_refuses_truncations(parse, sample, sizeof(sample), ANY_LENGTH_FAILS);
}

static void refuses_one_wrong_byte(void **state)
{
	static const struct wrong wrong[] = {
		{ 0, 'X', "header backup at 0x4000: the magic is not \"BTRCBACK\"" },
		{ 12, 3, "header backup at 0x4000: flags are 0x3, not 0" },
		{ 16, 197, "header backup at 0x4000: length is 197, but the file has 198 bytes" },
		{ 23, 1, "header backup at 0x4000: length is 72057594037928134, but the file has 198 bytes" },
		{ 48, 0, "header backup at 0x4000: n_items is 0, not 1 or more" },
		{ 48, 3, "header backup at 0x408f: 23 bytes after the last item, not 0" },
		{ 48, 5, "item of the header backup at 0x40a6: 0 bytes left, the head of an item takes 16" },
		{ 51, 0xff, "item of the header backup at 0x40a6: 0 bytes left, the head of an item takes 16" },
		{ 55, 1, "header backup at 0x4000: reserved bytes are 0x1000000, not 0" },
		{ 61, 0x10, "item of the header backup at 0x4038: its key is 0x7100000000000, which does not follow 0" },
		{ 56, 1, "item of the header backup at 0x4038: its key is 0x7000000000001, not that of a header, key slot, subvolume, inode-flags or bad-blocks item" },
		{ 77, 32, "item of the header backup at 0x404d: its key is 0x7100000000020, not that of a header, key slot, subvolume, inode-flags or bad-blocks item" },
		{ 82, 0, "item of the header backup at 0x404d: its key is 0x700000000001f, not that of a header, key slot, subvolume, inode-flags or bad-blocks item" },
		{ 130, 0x10, "item of the header backup at 0x407d: its key is 0x7100000000000, which does not follow 0x710000000001f" },
		{ 130, 0x40, "item of the header backup at 0x407d: its key is 0x7400000000000, not that of a header, key slot, subvolume, inode-flags or bad-blocks item" },
		{ 149, 8, "item of the header backup at 0x408f: its key is 0x8800000000000, which does not follow 0x7200000000000" },
		{ 68, 1, "item of the header backup at 0x4038: reserved bytes are 0x1, not 0" },
		{ 137, 2, "item of the header backup at 0x407d: reserved bytes are 0x2, not 0" },
		{ 154, 0xff, "item of the header backup at 0x408f: length is 4278190087, the file has 7 bytes left for items" },
	};

	(void)state;
	test_refuses_wrong_bytes(parse, sample, sizeof(sample), wrong, ARRAY_SIZE(wrong));
}

static void refuses_other_versions(void **state)
{
	uint8_t bytes[sizeof(sample)];
	struct error err = { 0 };

	(void)state;
	memcpy(bytes, sample, sizeof(bytes));
	bytes[8] = 4;
	assert_false(test_parse_copy(parse, bytes, sizeof(bytes), &err));
	assert_int_equal(err.kind, ERROR_REFUSED);
	assert_string_equal(err.text, "header backup at 0x4000: version is 4, not 3");
	bytes[8] = 2;
	err = (struct error){ 0 };
	assert_false(test_parse_copy(parse, bytes, sizeof(bytes), &err));
	assert_int_equal(err.kind, ERROR_REFUSED);
	assert_string_equal(err.text, "header backup at 0x4000: format version 2 was made by an unreleased version");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(refuses_every_truncation),
		cmocka_unit_test(refuses_one_wrong_byte),
		cmocka_unit_test(refuses_other_versions),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

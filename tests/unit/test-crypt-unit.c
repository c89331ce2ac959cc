/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Crypt items that are lists: inode flags, units, inline units. */
#include "tests/unit/test.h"

#include "format/crypt.h"

#define HEAD(kind, n) (kind), CRYPT_VERSION, LE16(n), LE32(0)

static const uint8_t flags_sample[] = {
	HEAD(CRYPT_INODE_FLAGS, 2),
	LE64(5),			/* 8: member */
	LE64(300),			/* 16: inode */
	LE64(0x100000040),		/* 24: flags */
	LE64(256),
	LE64(257),
	LE64(0x40),
};

static const uint8_t units_sample[] = {
	HEAD(CRYPT_UNITS, 2),
	CIPHER_AES_256_GCM,		/* 8: cipher */
	0,				/* 9: flags */
	LE16(0),			/* 10: zero */
	LE64(0x1002000),		/* 12: unit_id */
	LE32(2),			/* 20: blocks */
	LE64(0x4000),			/* 24: extent_len */
	LE64(0x2000),			/* 32: offset_in_extent */
	UUID(0x11),			/* 40: nonce */
	LE64(257),			/* 56: root */
	LE64(258),			/* 64: inode */
	LE64(4096),			/* 72: file_offset */
	LE64(0x2002000),		/* 80: address */
	EIGHT(0x12),			/* 88: first */
	UUID(0x13), UUID(0x14),		/* 96: tags */
	CIPHER_CHACHA20_POLY1305, 0, LE16(0), LE64(0), LE32(1), LE64(0x1000), LE64(0),	/* 128 */
	UUID(0),			/* 160: nonce */
	LE64(0), LE64(0), LE64(0), LE64(0), EIGHT(0),
	UUID(0),			/* 216: tags */
};
static_assert(sizeof(units_sample) == 232, "sample");

static const uint8_t inline_sample[] = {
	HEAD(CRYPT_INLINE_UNITS, 2),
	CIPHER_AES_256_GCM,		/* 8: cipher */
	INLINE_VERITY_MERKLE,		/* 9: kind */
	LE16(0),			/* 10: zero */
	LE64(256),			/* 12: root */
	LE64(257),			/* 20: inode */
	LE64(4096),			/* 28: offset */
	LE32(2048),			/* 36: length */
	UUID(0x21),			/* 40: nonce */
	UUID(0x22),			/* 56: tag */
	CIPHER_CHACHA20_POLY1305, INLINE_SYMLINK, LE16(0), LE64(5), LE64(300), LE64(0), LE32(1), UUID(0), UUID(0),
};
static_assert(sizeof(inline_sample) == 8 + 2 * sizeof(struct disk_crypt_inline_unit), "sample");

/* As every reader of these items does. */
static bool parse_flags(struct cursor *item, struct error *err)
{
	struct crypt_inode_flags flags;
	unsigned n;

	if (!crypt_head_read(item, CRYPT_INODE_FLAGS, &n, err))
		return false;
	while (n-- > 0) {
		if (!crypt_inode_flags_next(item, &flags, err))
			return false;
	}
	return crypt_item_end(item, CRYPT_INODE_FLAGS, err);
}

static bool parse_units(struct cursor *item, struct error *err)
{
	const uint8_t *bytes = item->at;
	const size_t size = item->left;
	struct crypt_unit unit;
	unsigned n;

	if (!crypt_head_read(item, CRYPT_UNITS, &n, err))
		return false;
	while (n-- > 0) {
		if (!crypt_unit_next(item, size, &unit, err))
			return false;
		assert_memory_equal(&unit.u, bytes + unit.at, sizeof(unit.u));
		assert_ptr_equal(unit.tags, bytes + unit.at + sizeof(struct disk_crypt_unit));
		assert_ptr_equal(item->at, bytes + unit.at + crypt_unit_size(unit.blocks));
	}
	return crypt_item_end(item, CRYPT_UNITS, err);
}

static bool parse_inline(struct cursor *item, struct error *err)
{
	struct crypt_inline_unit unit;
	unsigned n;

	if (!crypt_head_read(item, CRYPT_INLINE_UNITS, &n, err))
		return false;
	while (n-- > 0) {
		const uint8_t *at = item->at;

		if (!crypt_inline_unit_next(item, &unit, err))
			return false;
		assert_memory_equal(&unit.disk, at, sizeof(unit.disk));
	}
	return crypt_item_end(item, CRYPT_INLINE_UNITS, err);
}

static void reads_inode_flags(void **state)
{
	struct cursor item = { flags_sample, sizeof(flags_sample), TEST_OFFSET };
	struct error err = { 0 };
	struct crypt_inode_flags flags;
	unsigned n;

	(void)state;
	assert_true(crypt_head_read(&item, CRYPT_INODE_FLAGS, &n, &err));
	assert_int_equal(n, 2);
	assert_true(crypt_inode_flags_next(&item, &flags, &err));
	assert_int_equal(flags.member, 5);
	assert_int_equal(flags.inode, 300);
	assert_int_equal(flags.flags, INODE_RO_VERITY | INODE_IMMUTABLE);
	assert_true(crypt_inode_flags_next(&item, &flags, &err));
	assert_int_equal(flags.member, 256);
	assert_int_equal(flags.inode, 257);
	assert_int_equal(flags.flags, INODE_IMMUTABLE);
	assert_true(crypt_item_end(&item, CRYPT_INODE_FLAGS, &err));
}

static void reads_units(void **state)
{
	struct cursor item = { units_sample, sizeof(units_sample), TEST_OFFSET };
	struct error err = { 0 };
	struct crypt_unit unit;
	unsigned n;

	(void)state;
	assert_true(crypt_head_read(&item, CRYPT_UNITS, &n, &err));
	assert_int_equal(n, 2);
	assert_true(crypt_unit_next(&item, sizeof(units_sample), &unit, &err));
	assert_int_equal(unit.at, 8);
	assert_int_equal(unit.cipher, CIPHER_AES_256_GCM);
	assert_int_equal(unit.unit_id, 0x1002000);
	assert_int_equal(unit.blocks, 2);
	assert_int_equal(unit.extent_len, 0x4000);
	assert_int_equal(unit.offset_in_extent, 0x2000);
	assert_true(unit.sealed);
	assert_int_equal(unit.root, 257);
	assert_int_equal(unit.inode, 258);
	assert_int_equal(unit.file_offset, 4096);
	assert_int_equal(unit.address, 0x2002000);
	assert_int_equal(unit.first[7], 0x12);
	assert_int_equal(unit.tags[0], 0x13);
	assert_int_equal(unit.tags[31], 0x14);
	assert_true(crypt_unit_next(&item, sizeof(units_sample), &unit, &err));
	assert_int_equal(unit.at, 128);
	assert_int_equal(unit.cipher, CIPHER_CHACHA20_POLY1305);
	assert_false(unit.sealed);
	assert_ptr_equal(unit.tags, units_sample + 216);
	assert_true(crypt_item_end(&item, CRYPT_UNITS, &err));
}

static void reads_inline_units(void **state)
{
	struct cursor item = { inline_sample, sizeof(inline_sample), TEST_OFFSET };
	struct error err = { 0 };
	struct crypt_inline_unit unit;
	unsigned n;

	(void)state;
	assert_true(crypt_head_read(&item, CRYPT_INLINE_UNITS, &n, &err));
	assert_int_equal(n, 2);
	assert_true(crypt_inline_unit_next(&item, &unit, &err));
	assert_int_equal(unit.cipher, CIPHER_AES_256_GCM);
	assert_int_equal(unit.kind, INLINE_VERITY_MERKLE);
	assert_int_equal(unit.root, 256);
	assert_int_equal(unit.inode, 257);
	assert_int_equal(unit.offset, 4096);
	assert_int_equal(unit.length, 2048);
	assert_true(unit.sealed);
	assert_true(crypt_inline_unit_next(&item, &unit, &err));
	assert_int_equal(unit.kind, INLINE_SYMLINK);
	assert_false(unit.sealed);
	assert_true(crypt_item_end(&item, CRYPT_INLINE_UNITS, &err));
}

static const uint8_t index_sample[] = {
	HEAD(CRYPT_INDEX, 2),
	LE64(257), UUID(0x3a), LE64(0x50003),		/* 8 */
	LE64(0xffffffffffffff00), UUID(0x3b), LE64(0),	/* 40 */
};

static const uint8_t bad_sample[] = {
	HEAD(CRYPT_BAD_BLOCKS, 2),
	LE64(0x1000000), LE32(0), LE32(BAD_CARRIED),	/* 8 */
	LE64(0x1000000), LE32(499), LE32(BAD_SKIPPED),	/* 24 */
};

static bool parse_index(struct cursor *item, struct error *err)
{
	unsigned n;

	if (!crypt_head_read(item, CRYPT_INDEX, &n, err))
		return false;
	while (n-- > 0) {
		const uint8_t *at = item->at;
		struct disk_crypt_index_entry disk;
		struct crypt_index_entry entry;

		if (!crypt_index_next(item, &entry, err))
			return false;
		crypt_index_write(&entry, &disk);
		assert_memory_equal(&disk, at, sizeof(disk));
	}
	return crypt_item_end(item, CRYPT_INDEX, err);
}

static bool parse_bad(struct cursor *item, struct error *err)
{
	unsigned n;

	if (!crypt_head_read(item, CRYPT_BAD_BLOCKS, &n, err))
		return false;
	while (n-- > 0) {
		const uint8_t *at = item->at;
		struct disk_crypt_bad_block disk;
		struct crypt_bad_block bad;

		if (!crypt_bad_block_next(item, &bad, err))
			return false;
		crypt_bad_block_write(&bad, &disk);
		assert_memory_equal(&disk, at, sizeof(disk));
	}
	return crypt_item_end(item, CRYPT_BAD_BLOCKS, err);
}

static void reads_index_entries_and_bad_blocks(void **state)
{
	struct cursor item = { index_sample, sizeof(index_sample), TEST_OFFSET };
	struct error err = { 0 };
	struct crypt_index_entry entry;
	struct crypt_bad_block bad;
	unsigned n;

	(void)state;
	assert_true(crypt_head_read(&item, CRYPT_INDEX, &n, &err));
	assert_int_equal(n, 2);
	assert_true(crypt_index_next(&item, &entry, &err));
	assert_int_equal(entry.inode, 257);
	assert_int_equal(entry.mac[15], 0x3a);
	assert_int_equal(entry.hint, 0x50003);
	item = (struct cursor){ bad_sample, sizeof(bad_sample), TEST_OFFSET };
	assert_true(crypt_head_read(&item, CRYPT_BAD_BLOCKS, &n, &err));
	assert_true(crypt_bad_block_next(&item, &bad, &err));
	assert_int_equal(bad.unit_id, 0x1000000);
	assert_int_equal(bad.what, BAD_CARRIED);
	assert_true(crypt_bad_block_next(&item, &bad, &err));
	assert_int_equal(bad.block, 499);
	assert_int_equal(bad.what, BAD_SKIPPED);
}

static void refuses_wrong_index_entries_and_bad_blocks(void **state)
{
	static const struct wrong wrong_index[] = {
		{ 0, 6, "crypt index at 0x4000: kind is 6, not 7" },
		{ 2, 0, "crypt index at 0x4000: n_entries is 0, not 1 or more" },
		{ 2, 1, "crypt index at 0x4028: 32 bytes after the last entry, not 0" },
		{ 2, 3, "crypt index at 0x4048: 0 bytes left, an entry takes 32" },
	};
	static const struct wrong wrong_bad[] = {
		{ 0, 7, "crypt bad blocks at 0x4000: kind is 7, not 8" },
		{ 2, 1, "crypt bad blocks at 0x4018: 16 bytes after the last entry, not 0" },
		{ 2, 3, "crypt bad block at 0x4028: 0 bytes left, an entry takes 16" },
		{ 8, 1, "crypt bad block at 0x4008: unit_id is 0x1000001, not a multiple of 4096" },
		{ 17, 2, "crypt bad block at 0x4008: block is 512, not 0 to 499" },
		{ 20, 0, "crypt bad block at 0x4008: what is 0, not 1 or 2" },
		{ 20, 3, "crypt bad block at 0x4008: what is 3, not 1 or 2" },
	};

	(void)state;
	test_refuses_wrong_bytes(parse_index, index_sample, sizeof(index_sample), wrong_index, ARRAY_SIZE(wrong_index));
	test_refuses_wrong_bytes(parse_bad, bad_sample, sizeof(bad_sample), wrong_bad, ARRAY_SIZE(wrong_bad));
}

static void refuses_every_truncation(void **state)
{
	(void)state;
	test_refuses_truncations(parse_flags, flags_sample, sizeof(flags_sample), ANY_LENGTH_FAILS);
	test_refuses_truncations(parse_units, units_sample, sizeof(units_sample), ANY_LENGTH_FAILS);
	test_refuses_truncations(parse_inline, inline_sample, sizeof(inline_sample), ANY_LENGTH_FAILS);
	test_refuses_truncations(parse_index, index_sample, sizeof(index_sample), ANY_LENGTH_FAILS);
	test_refuses_truncations(parse_bad, bad_sample, sizeof(bad_sample), ANY_LENGTH_FAILS);
}

static void refuses_wrong_inode_flags(void **state)
{
	static const struct wrong wrong[] = {
		{ 0, 4, "crypt inode flags at 0x4000: kind is 4, not 3" },
		{ 1, 0, "crypt inode flags at 0x4000: version is 0, not 3" },
		{ 2, 0, "crypt inode flags at 0x4000: n_entries is 0, not 1 or more" },
		{ 2, 1, "crypt inode flags at 0x4020: 24 bytes after the last entry, not 0" },
		{ 2, 3, "crypt inode flags at 0x4038: 0 bytes left, an entry takes 24" },
		{ 4, 1, "crypt inode flags at 0x4000: reserved bytes of the head are 0x1, not 0" },
		{ 8, 6, "crypt inode flags at 0x4008: member is 6, no subvolume has that id" },
		{ 24, 0x41, "crypt inode flags at 0x4008: flags are 0x100000041, not one or both of 0x100000040" },
		{ 48, 0, "crypt inode flags at 0x4020: flags are 0, not one or both of 0x100000040" },
	};

	(void)state;
	test_refuses_wrong_bytes(parse_flags, flags_sample, sizeof(flags_sample), wrong, ARRAY_SIZE(wrong));
}

static void refuses_wrong_units(void **state)
{
	static const struct wrong wrong[] = {
		{ 0, 5, "crypt units at 0x4000: kind is 5, not 4" },
		{ 2, 0, "crypt units at 0x4000: n_entries is 0, not 1 or more" },
		{ 2, 1, "crypt units at 0x4080: 104 bytes after the last entry, not 0" },
		{ 3, 1, "crypt unit at 0x40e8: 0 bytes left, a unit takes 88 and its tags" },
		{ 8, 0, "crypt unit at 0x4008: cipher is 0, not 1 or 2" },
		{ 8, 3, "crypt unit at 0x4008: cipher is 3, not 1 or 2" },
		{ 9, 1, "crypt unit at 0x4008: flags are 0x1, not 0" },
		{ 11, 1, "crypt unit at 0x4008: reserved bytes are 0x100, not 0" },
		{ 12, 1, "crypt unit at 0x4008: unit_id is 0x1002001, not a multiple of 4096" },
		{ 20, 0, "crypt unit at 0x4008: blocks is 0, not 1 to 500" },
		{ 21, 2, "crypt unit at 0x4008: blocks is 514, not 1 to 500" },
		{ 23, 0x80, "crypt unit at 0x4008: blocks is 2147483650, not 1 to 500" },
		{ 20, 3, "crypt unit at 0x4008: blocks is 3, the extent has 2 after offset_in_extent" },
		{ 24, 1, "crypt unit at 0x4008: extent_len is 0x4001, not a multiple of 4096 above 0" },
		{ 25, 0, "crypt unit at 0x4008: extent_len is 0, not a multiple of 4096 above 0" },
		{ 25, 0x20,
		  "crypt unit at 0x4008: offset_in_extent is 0x2000, not a multiple of 4096 below extent_len 0x2000" },
		{ 32, 2, "crypt unit at 0x4008: offset_in_extent is 0x2002, not a multiple of 4096 below extent_len 0x4000" },
		{ 39, 0x80, "crypt unit at 0x4008: offset_in_extent is 0x8000000000002000, not a multiple of 4096 below"
			    " extent_len 0x4000" },
		{ 141, 1, "crypt unit at 0x4080: blocks is 257, the extent has 1 after offset_in_extent" },
	};

	(void)state;
	test_refuses_wrong_bytes(parse_units, units_sample, sizeof(units_sample), wrong, ARRAY_SIZE(wrong));
}

/* Rows of U's four numbers at and beyond what fits. */
static void a_unit_lies_in_its_extent(void **state)
{
	static const struct { uint64_t unit_id; uint32_t blocks; uint64_t extent_len, offset; bool ok; } row[] = {
		{ 0, 1, 0x1000, 0, true },
		{ 0x1000, 1, 0x2000, 0x1000, true },
		{ 0, 1, 0x2000, 0x1000, false },			/* the extent would begin before 0 */
		{ UINT64_MAX - 0xfff, 1, 0x1000, 0, false },		/* the extent ends behind what has an address */
		{ UINT64_MAX - 0x1fff, 1, 0x1000, 0, true },
		{ UINT64_MAX - 0x1fff, 1, 0x2000, 0x1000, true },
		{ UINT64_MAX - 0xfff, 1, 0x2000, 0x1000, false },
		{ 0x100000, 500, 500 * 4096, 0, true },
		{ 0x100000, 501, 501 * 4096, 0, false },
		{ 0x100000, 2, 0x1000, 0, false },
		{ 0x100000, 1, 0x1000, 0x1000, false },
		{ 0x100000, 1, UINT64_MAX - 0xfff, 0, false },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(row); i++) {
		struct {
			struct disk_crypt_head head;
			struct disk_crypt_unit unit;
			uint8_t tags[501 * CRYPT_TAG_SIZE];
		} bytes = { .unit.u = {
			.cipher = CIPHER_AES_256_GCM,
			.unit_id = to_le64(row[i].unit_id),
			.blocks = to_le32(row[i].blocks),
			.extent_len = to_le64(row[i].extent_len),
			.offset_in_extent = to_le64(row[i].offset),
		} };
		struct error err = { 0 };

		crypt_head_write(&bytes.head, CRYPT_UNITS, 1);
		if (test_parse_copy(parse_units, (const uint8_t *)&bytes, sizeof(bytes.head) + crypt_unit_size(row[i].blocks),
				    &err) != row[i].ok)
			fail_msg("row %zu: %s", i, row[i].ok ? err.text : "accepted");
	}
}

static void refuses_wrong_inline_units(void **state)
{
	static const struct wrong wrong[] = {
		{ 0, 4, "crypt inline units at 0x4000: kind is 4, not 5" },
		{ 2, 1, "crypt inline units at 0x4048: 64 bytes after the last entry, not 0" },
		{ 2, 3, "crypt inline unit at 0x4088: 0 bytes left, an inline unit takes 64" },
		{ 8, 0, "crypt inline unit at 0x4008: cipher is 0, not 1 or 2" },
		{ 9, 0, "crypt inline unit at 0x4008: kind is 0, not 1 to 4" },
		{ 9, 5, "crypt inline unit at 0x4008: kind is 5, not 1 to 4" },
		{ 10, 1, "crypt inline unit at 0x4008: reserved bytes are 0x1, not 0" },
		{ 13, 0, "crypt inline unit at 0x4008: root is 0, no subvolume has that id" },
		{ 37, 0, "crypt inline unit at 0x4008: length is 0, not 1 to 65536" },
		{ 38, 1, "crypt inline unit at 0x4008: length is 67584, not 1 to 65536" },
	};

	(void)state;
	test_refuses_wrong_bytes(parse_inline, inline_sample, sizeof(inline_sample), wrong, ARRAY_SIZE(wrong));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads_inode_flags),
		cmocka_unit_test(reads_units),
		cmocka_unit_test(reads_inline_units),
		cmocka_unit_test(reads_index_entries_and_bad_blocks),
		cmocka_unit_test(refuses_wrong_index_entries_and_bad_blocks),
		cmocka_unit_test(refuses_every_truncation),
		cmocka_unit_test(refuses_wrong_inode_flags),
		cmocka_unit_test(refuses_wrong_units),
		cmocka_unit_test(a_unit_lies_in_its_extent),
		cmocka_unit_test(refuses_wrong_inline_units),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Extents and who refers to them, block groups, free space. */
#include "tests/unit/test.h"

#include "format/extent-item.h"

static const struct key data_key = { 0x1500000, KEY_EXTENT_ITEM, 0x3000 };
static const struct key block_key = { 0x1d00000, KEY_EXTENT_ITEM, 16384 };
static const struct key skinny_key = { 0x1d00000, KEY_METADATA_ITEM, 2 };
static const struct key group_key = { 0x1500000, KEY_BLOCK_GROUP_ITEM, 8 << 20 };

static const uint8_t data_sample[] = {
	LE64(5),			/* 0: refs */
	LE64(7),			/* 8: generation */
	LE64(EXTENT_FLAG_DATA),		/* 16: flags */
	KEY_EXTENT_OWNER_REF, LE64(256),
	KEY_EXTENT_DATA_REF,		/* 33 */
	LE64(256),			/* 34: root */
	LE64(257),			/* 42: objectid */
	LE64(-8192),			/* 50: offset */
	LE32(2),			/* 58: count */
	KEY_SHARED_DATA_REF,		/* 62 */
	LE64(0x1d10000),		/* 63: parent */
	LE32(3),			/* 71: count */
};

static const uint8_t block_sample[] = {
	LE64(2), LE64(7),
	LE64(EXTENT_FLAG_TREE_BLOCK | EXTENT_FLAG_FULL_BACKREF),	/* 16: flags */
	LE64(256), KEY_INODE_ITEM, LE64(0),
	1,				/* 41: level */
	KEY_TREE_BLOCK_REF, LE64(5),	/* 42 */
	KEY_SHARED_BLOCK_REF,		/* 51 */
	LE64(0x1d10000),		/* 52: parent */
};

static const uint8_t skinny_sample[] = {
	LE64(1), LE64(7), LE64(EXTENT_FLAG_TREE_BLOCK),
	KEY_TREE_BLOCK_REF, LE64(5),	/* 24 */
};

/* Reads an extent and all its inline references; their counts must add up, so that a cut one is missed. */
static bool parse(struct cursor *item, const struct key *key, struct error *err)
{
	struct extent_item extent;
	uint64_t count = 0;

	if (!extent_item_read(item, key, &extent, err))
		return false;
	assert_int_equal(item->left, 0);
	while (extent.inline_refs.left > 0) {
		struct extent_ref ref;

		if (!extent_ref_next(&extent.inline_refs, &ref, err))
			return false;
		count += ref.count;
	}
	return count == extent.refs || error_set(err, ERROR_CORRUPT, "counts");
}

static bool parse_data(struct cursor *item, struct error *err)
{
	return parse(item, &data_key, err);
}

static bool parse_block(struct cursor *item, struct error *err)
{
	return parse(item, &block_key, err);
}

static bool parse_skinny(struct cursor *item, struct error *err)
{
	return parse(item, &skinny_key, err);
}

static void reads_a_data_extent(void **state)
{
	struct cursor item = { data_sample, sizeof(data_sample), TEST_OFFSET };
	struct extent_item extent;
	struct error err = { 0 };
	struct extent_ref ref;

	(void)state;
	assert_true(extent_item_read(&item, &data_key, &extent, &err));
	assert_int_equal(extent.refs, 5);
	assert_int_equal(extent.generation, 7);
	assert_int_equal(extent.flags, EXTENT_FLAG_DATA);
	assert_false(extent.has_block_info);
	assert_int_equal(extent.inline_refs.left, sizeof(data_sample) - 24);

	assert_true(extent_ref_next(&extent.inline_refs, &ref, &err));
	assert_int_equal(ref.type, KEY_EXTENT_OWNER_REF);
	assert_int_equal(ref.root, 256);
	assert_int_equal(ref.count, 0);
	assert_true(extent_ref_next(&extent.inline_refs, &ref, &err));
	assert_int_equal(ref.type, KEY_EXTENT_DATA_REF);
	assert_int_equal(ref.root, 256);
	assert_int_equal(ref.objectid, 257);
	assert_int_equal(ref.offset, -8192ull);
	assert_int_equal(ref.count, 2);
	assert_true(extent_ref_next(&extent.inline_refs, &ref, &err));
	assert_int_equal(ref.type, KEY_SHARED_DATA_REF);
	assert_int_equal(ref.parent, 0x1d10000);
	assert_int_equal(ref.root, 0);
	assert_int_equal(ref.count, 3);
	assert_int_equal(extent.inline_refs.left, 0);
}

static void reads_a_tree_block(void **state)
{
	struct cursor item = { block_sample, sizeof(block_sample), TEST_OFFSET };
	struct extent_item extent;
	struct error err = { 0 };
	struct extent_ref ref;

	(void)state;
	assert_true(extent_item_read(&item, &block_key, &extent, &err));
	assert_true(extent.has_block_info);
	assert_int_equal(extent.first_key.objectid, 256);
	assert_int_equal(extent.level, 1);
	assert_true(extent.flags & EXTENT_FLAG_FULL_BACKREF);
	assert_true(extent_ref_next(&extent.inline_refs, &ref, &err));
	assert_int_equal(ref.type, KEY_TREE_BLOCK_REF);
	assert_int_equal(ref.root, 5);
	assert_int_equal(ref.count, 1);
	assert_true(extent_ref_next(&extent.inline_refs, &ref, &err));
	assert_int_equal(ref.type, KEY_SHARED_BLOCK_REF);
	assert_int_equal(ref.parent, 0x1d10000);
	assert_int_equal(extent.inline_refs.left, 0);

	item = (struct cursor){ skinny_sample, sizeof(skinny_sample), TEST_OFFSET };
	assert_true(extent_item_read(&item, &skinny_key, &extent, &err));
	assert_false(extent.has_block_info);
	assert_int_equal(extent.level, 2);
	assert_int_equal(extent.inline_refs.left, 9);
}

static void refuses_every_truncation(void **state)
{
	(void)state;
	test_refuses_truncations(parse_data, data_sample, sizeof(data_sample), ANY_LENGTH_FAILS);
	test_refuses_truncations(parse_block, block_sample, sizeof(block_sample), ANY_LENGTH_FAILS);
	test_refuses_truncations(parse_skinny, skinny_sample, sizeof(skinny_sample), ANY_LENGTH_FAILS);
}

static void refuses_one_wrong_byte(void **state)
{
	static const struct wrong wrong_data[] = {
		{ 16, 0, "extent item at 0x4000: flags are 0, not either data or tree block" },
		{ 16, 3, "extent item at 0x4000: flags are 0x3, not either data or tree block" },
		{ 24, 1, "extent reference at 0x4018: type is 1, not that of a reference" },
		{ 58, 0, "extent reference at 0x4021: count is 0, not at least 1" },
		{ 63, 1, "extent reference at 0x403e: parent is 0x1d10001, not a nonzero multiple of 4096" },
		{ 71, 0, "extent reference at 0x403e: count is 0, not at least 1" },
		{ 62, KEY_EXTENT_DATA_REF, "extent reference at 0x403e: 12 bytes left, a data reference takes 28" },
		{ 62, KEY_TREE_BLOCK_REF, "extent reference at 0x4047: type is 3, not that of a reference" },
	};
	static const struct wrong wrong_block[] = {
		{ 41, 8, "extent item at 0x4000: level is 8, not 0 to 7" },
		{ 53, 1, "extent reference at 0x4033: parent is 0x1d10100, not a nonzero multiple of 4096" },
		{ 51, KEY_SHARED_DATA_REF, "extent reference at 0x4033: 0 bytes left, a shared data reference takes 4" },
	};
	static const struct wrong wrong_skinny[] = {
		{ 16, 1, "extent item at 0x4000: flags are 0x1, data in a METADATA_ITEM" },
	};

	(void)state;
	test_refuses_wrong_bytes(parse_data, data_sample, sizeof(data_sample), wrong_data, ARRAY_SIZE(wrong_data));
	test_refuses_wrong_bytes(parse_block, block_sample, sizeof(block_sample), wrong_block, ARRAY_SIZE(wrong_block));
	test_refuses_wrong_bytes(parse_skinny, skinny_sample, sizeof(skinny_sample), wrong_skinny, ARRAY_SIZE(wrong_skinny));
}

static void refuses_wrong_keys(void **state)
{
	static const struct {
		struct key key;
		const char *text;
	} rows[] = {
		{ { 0, KEY_EXTENT_ITEM, 4096 }, "extent item at 0x4000: address is 0, not a nonzero multiple of 4096" },
		{ { 4097, KEY_EXTENT_ITEM, 4096 }, "extent item at 0x4000: address is 0x1001, not a nonzero multiple of 4096" },
		{ { 4096, KEY_EXTENT_ITEM, 0 }, "extent item at 0x4000: length is 0, not a nonzero multiple of 4096" },
		{ { 4096, KEY_EXTENT_ITEM, 100 }, "extent item at 0x4000: length is 0x64, not a nonzero multiple of 4096" },
		{ { -4096ull, KEY_EXTENT_ITEM, 8192 },
		  "extent item at 0x4000: length is 0x2000, past the end of addresses from 0xfffffffffffff000" },
		{ { 4096, KEY_METADATA_ITEM, 8 }, "extent item at 0x4000: level is 8, not 0 to 7" },
		{ { 4096, KEY_METADATA_ITEM, 256 }, "extent item at 0x4000: level is 256, not 0 to 7" },
		{ { 4096, KEY_ROOT_ITEM, 0 }, "extent item at 0x4000: key type is 132, not 168 or 169" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct cursor item = { skinny_sample, sizeof(skinny_sample), TEST_OFFSET };
		struct extent_item extent;
		struct error err = { 0 };

		assert_false(extent_item_read(&item, &rows[i].key, &extent, &err));
		assert_string_equal(err.text, rows[i].text);
	}
}

/* References with items of their own. */
static void reads_keyed_references(void **state)
{
	static const struct {
		struct key key;
		size_t at, len;		/* in data_sample */
		struct extent_ref want;
	} rows[] = {
		{ { 4096, KEY_TREE_BLOCK_REF, 256 }, 0, 0, { KEY_TREE_BLOCK_REF, .root = 256, .count = 1 } },
		{ { 4096, KEY_SHARED_BLOCK_REF, 8192 }, 0, 0, { KEY_SHARED_BLOCK_REF, .parent = 8192, .count = 1 } },
		{ { 4096, KEY_SHARED_DATA_REF, 8192 }, 71, 4, { KEY_SHARED_DATA_REF, .parent = 8192, .count = 3 } },
		{ { 4096, KEY_EXTENT_OWNER_REF, 0 }, 25, 8, { KEY_EXTENT_OWNER_REF, .root = 256 } },
		{ { 4096, KEY_EXTENT_DATA_REF, 99 }, 34, 28,
		  { KEY_EXTENT_DATA_REF, .root = 256, .objectid = 257, .offset = -8192ull, .count = 2 } },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct cursor item = { data_sample + rows[i].at, rows[i].len, TEST_OFFSET };
		struct extent_ref ref;
		struct error err = { 0 };

		if (!extent_ref_read(&item, &rows[i].key, &ref, &err))
			fail_msg("row %zu: %s", i, err.text);
		assert_int_equal(item.left, 0);
		assert_int_equal(ref.type, rows[i].want.type);
		assert_int_equal(ref.root, rows[i].want.root);
		assert_int_equal(ref.parent, rows[i].want.parent);
		assert_int_equal(ref.objectid, rows[i].want.objectid);
		assert_int_equal(ref.offset, rows[i].want.offset);
		assert_int_equal(ref.count, rows[i].want.count);
		for (size_t len = 0; len < rows[i].len; len++) {
			item = (struct cursor){ data_sample + rows[i].at, len, TEST_OFFSET };
			assert_false(extent_ref_read(&item, &rows[i].key, &ref, &err));
		}
		item = (struct cursor){ data_sample + rows[i].at, rows[i].len + 1, TEST_OFFSET };
		if (rows[i].at + rows[i].len < sizeof(data_sample)) {
			assert_false(extent_ref_read(&item, &rows[i].key, &ref, &err));
			assert_string_equal(err.text, "extent reference at 0x4000: 1 bytes follow it");
		}
	}
}

static void refuses_wrong_keyed_references(void **state)
{
	struct cursor item = { data_sample, 0, TEST_OFFSET };
	struct extent_ref ref;
	struct error err = { 0 };

	(void)state;
	assert_false(extent_ref_read(&item, &(struct key){ 4096, KEY_SHARED_BLOCK_REF, 1 }, &ref, &err));
	assert_string_equal(err.text, "extent reference at 0x4000: parent is 0x1, not a nonzero multiple of 4096");
	assert_false(extent_ref_read(&item, &(struct key){ 4096, 180, 1 }, &ref, &err));
	assert_string_equal(err.text, "extent reference at 0x4000: key type is 180, not that of a reference");
}

/* --- block groups and free space ----------------------------------------------- */
static const uint8_t group_sample[] = {
	LE64(4 << 20),			/* 0: used */
	LE64(256),			/* 8: chunk_objectid */
	LE64(GROUP_METADATA | GROUP_DUP),	/* 16: flags */
};

static const uint8_t info_sample[] = {
	LE32(17),			/* 0: extent_count */
	LE32(FREE_SPACE_USING_BITMAPS),	/* 4: flags */
};

static bool parse_group(struct cursor *item, struct error *err)
{
	struct block_group group;

	return block_group_read(item, &group_key, &group, err);
}

static bool parse_info(struct cursor *item, struct error *err)
{
	struct free_space_info info;

	return free_space_info_read(item, &info, err);
}

static void reads_block_groups_and_free_space(void **state)
{
	struct cursor item = { group_sample, sizeof(group_sample), TEST_OFFSET };
	struct error err = { 0 };
	struct block_group group;
	struct free_space_info info;

	(void)state;
	assert_true(block_group_read(&item, &group_key, &group, &err));
	assert_int_equal(group.used, 4 << 20);
	assert_int_equal(group.chunk_objectid, 256);
	assert_int_equal(group.flags, GROUP_METADATA | GROUP_DUP);
	item = (struct cursor){ info_sample, sizeof(info_sample), TEST_OFFSET };
	assert_true(free_space_info_read(&item, &info, &err));
	assert_int_equal(info.extent_count, 17);
	assert_int_equal(info.flags, FREE_SPACE_USING_BITMAPS);
}

static void accepts_the_limits(void **state)
{
	static const uint8_t full[] = { LE64(4096), LE64(256), LE64(GROUP_DATA) };
	const struct key last_group = { -4096ull - 1, KEY_BLOCK_GROUP_ITEM, 4096 };
	const struct key last_extent = { -8192ull, KEY_EXTENT_ITEM, 4096 };
	struct cursor item = { full, sizeof(full), TEST_OFFSET };
	struct error err = { 0 };
	struct block_group group;

	(void)state;
	assert_true(block_group_read(&item, &last_group, &group, &err));
	assert_int_equal(group.used, 4096);

	struct extent_item extent;

	item = (struct cursor){ data_sample, sizeof(data_sample), TEST_OFFSET };
	assert_true(extent_item_read(&item, &last_extent, &extent, &err));
}

static void refuses_wrong_block_groups_and_free_space(void **state)
{
	static const struct wrong wrong_group[] = {
		{ 2, 0x81, "block group item at 0x4000: used is 0x810000, the length is 0x800000" },
		{ 16, GROUP_DUP, "block group item at 0x4000: flags are 0x20, neither data, system nor metadata" },
	};
	static const struct wrong wrong_info[] = {
		{ 4, 2, "free space info at 0x4000: flags are 0x2, not 0 or 1" },
	};
	struct cursor item = { group_sample, sizeof(group_sample), TEST_OFFSET };
	struct error err = { 0 };
	struct block_group group;

	(void)state;
	test_refuses_truncations(parse_group, group_sample, sizeof(group_sample), ANY_LENGTH_FAILS);
	test_refuses_truncations(parse_info, info_sample, sizeof(info_sample), ANY_LENGTH_FAILS);
	test_refuses_wrong_bytes(parse_group, group_sample, sizeof(group_sample), wrong_group, ARRAY_SIZE(wrong_group));
	test_refuses_wrong_bytes(parse_info, info_sample, sizeof(info_sample), wrong_info, ARRAY_SIZE(wrong_info));
	assert_false(block_group_read(&item, &(struct key){ 4096, KEY_BLOCK_GROUP_ITEM, -1ull }, &group, &err));
	assert_string_equal(err.text, "block group item at 0x4000: length is 0xffffffffffffffff from 0x1000, 0 or past the end");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads_a_data_extent),
		cmocka_unit_test(reads_a_tree_block),
		cmocka_unit_test(refuses_every_truncation),
		cmocka_unit_test(refuses_one_wrong_byte),
		cmocka_unit_test(refuses_wrong_keys),
		cmocka_unit_test(reads_keyed_references),
		cmocka_unit_test(refuses_wrong_keyed_references),
		cmocka_unit_test(reads_block_groups_and_free_space),
		cmocka_unit_test(accepts_the_limits),
		cmocka_unit_test(refuses_wrong_block_groups_and_free_space),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

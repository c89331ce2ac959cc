/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Tree blocks: a small leaf and a small inner node. */
#include "tests/unit/test.h"

#include "format/node.h"

#define BLOCK 256u	/* node_read() takes the size from its caller */

static const uint8_t leaf[BLOCK] = {
	[32] = UUID(0xf5),
	[48] = LE64(TEST_OFFSET),	/* bytenr */
	[56] = LE64(1),			/* flags */
	[80] = LE64(9),			/* generation */
	[88] = LE64(5),			/* owner */
	[96] = LE32(3),			/* nritems */
	[100] = 0,			/* level */
	[101] = LE64(256), KEY_INODE_ITEM, LE64(0), LE32(145), LE32(10),
	[126] = LE64(256), KEY_INODE_REF, LE64(256), LE32(145), LE32(0),
	[151] = LE64(257), KEY_DIR_ITEM, LE64(7), LE32(140), LE32(5),
	[241] = 'd', 'a', 't', 'a', '2',
	[246] = 'd', 'a', 't', 'a', '0', '0', '0', '0', '0', '0',
};

static const uint8_t inner[BLOCK] = {
	[48] = LE64(TEST_OFFSET),
	[96] = LE32(2),
	[100] = 1,
	[101] = LE64(256), KEY_INODE_ITEM, LE64(0), LE64(0x10000), LE64(7),
	[134] = LE64(300), KEY_INODE_ITEM, LE64(0), LE64(0x15000), LE64(8),
};

static bool parse(struct cursor *item, struct error *err)
{
	struct node node;

	return node_read(item->at, (uint32_t)item->left, TEST_OFFSET, &node, err);
}

static struct node read_good(const uint8_t bytes[BLOCK])
{
	struct error err = { 0 };
	struct node node;

	if (!node_read(bytes, BLOCK, TEST_OFFSET, &node, &err))
		fail_msg("%s", err.text);
	return node;
}

static void reads_a_leaf(void **state)
{
	const struct node node = read_good(leaf);
	uint32_t gap_at;

	(void)state;
	assert_true(node_is_leaf(&node));
	assert_int_equal(node.n_items, 3);
	assert_int_equal(node.generation, 9);
	assert_int_equal(node.owner, 5);
	assert_int_equal(node.flags, 1);
	assert_int_equal(node.fsid[15], 0xf5);
	assert_int_equal(node_key(&node, 2).objectid, 257);
	assert_int_equal(node_key(&node, 2).type, KEY_DIR_ITEM);
	assert_int_equal(node_key(&node, 2).offset, 7);

	const struct cursor item = leaf_item(&node, 2);

	assert_ptr_equal(item.at, leaf + 241);
	assert_int_equal(item.left, 5);
	assert_int_equal(item.offset, TEST_OFFSET + 241);
	assert_int_equal(leaf_item(&node, 1).left, 0);
	assert_int_equal(leaf_item_at(&node, 0), 246);
	assert_int_equal(node_gap(&node, &gap_at), 241 - 176);
	assert_int_equal(gap_at, 176);
}

static void reads_an_empty_leaf(void **state)
{
	static const uint8_t empty[BLOCK] = { [48] = LE64(TEST_OFFSET) };
	const struct node node = read_good(empty);
	const struct key key = { 1, 1, 1 };
	uint32_t gap_at;

	(void)state;
	assert_int_equal(node.n_items, 0);
	assert_int_equal(node_search(&node, &key), 0);
	assert_int_equal(node_gap(&node, &gap_at), BLOCK - 101);
	assert_int_equal(gap_at, 101);
}

static void reads_an_inner_node(void **state)
{
	const struct node node = read_good(inner);
	uint32_t gap_at;

	(void)state;
	assert_false(node_is_leaf(&node));
	assert_int_equal(node_child(&node, 0), 0x10000);
	assert_int_equal(node_child_generation(&node, 0), 7);
	assert_int_equal(node_child(&node, 1), 0x15000);
	assert_int_equal(node_child_generation(&node, 1), 8);
	assert_int_equal(node_key(&node, 1).objectid, 300);
	assert_int_equal(node_gap(&node, &gap_at), BLOCK - 167);
	assert_int_equal(gap_at, 167);
}

static void reads_a_full_leaf(void **state)
{
	static const uint8_t full[BLOCK] = {
		[48] = LE64(TEST_OFFSET), [96] = LE32(6),
		[101] = LE64(1), 0, LE64(0), LE32(155), LE32(0), LE64(2), 0, LE64(0), LE32(155), LE32(0),
		LE64(3), 0, LE64(0), LE32(155), LE32(0), LE64(4), 0, LE64(0), LE32(155), LE32(0),
		LE64(5), 0, LE64(0), LE32(155), LE32(0), LE64(6), 0, LE64(0), LE32(150), LE32(5),
	};
	const struct node node = read_good(full);
	uint32_t gap_at;

	(void)state;
	assert_int_equal(node.n_items, 6);
	assert_int_equal(node_gap(&node, &gap_at), 0);
	assert_int_equal(gap_at, 251);
}

static void searches(void **state)
{
	static const struct {
		struct key key;
		uint32_t slot;
	} rows[] = {
		{ { 0, 0, 0 }, 0 },
		{ { 256, KEY_INODE_ITEM, 0 }, 0 },
		{ { 256, KEY_INODE_ITEM, 1 }, 1 },
		{ { 256, KEY_INODE_REF, 256 }, 1 },
		{ { 256, KEY_INODE_REF, 257 }, 2 },
		{ { 257, KEY_DIR_ITEM, 7 }, 2 },
		{ { 257, KEY_DIR_ITEM, 8 }, 3 },
		{ { UINT64_MAX, 255, UINT64_MAX }, 3 },
	};
	const struct node node = read_good(leaf);

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		assert_int_equal(node_search(&node, &rows[i].key), rows[i].slot);
}

static void refuses_every_truncation(void **state)
{
	/* Nothing follows the pointers of an inner node: any size that holds them is one. */
	(void)state;
	test_refuses_truncations(parse, leaf, sizeof(leaf), ANY_LENGTH_FAILS);
	test_refuses_truncations(parse, inner, 167, ANY_LENGTH_FAILS);
}

#define AT "tree block at 0x4000: "

static void refuses_one_wrong_byte_of_a_leaf(void **state)
{
	static const struct wrong wrong[] = {
		{ 49, 0x50, AT "bytenr is 0x5000, not where it is" },
		{ 100, 8, AT "level is 8, not 0 to 7" },
		{ 96, 7, AT "nritems is 7, at most 6 fit" },
		{ 99, 1, AT "nritems is 16777219, at most 6 fit" },
		{ 126, 255, AT "slot 2: key is (257 DIR_ITEM 7), not above (511 INODE_REF 256) of the slot before it" },
		{ 118, 144, AT "slot 0: offset is 144 and size is 10, which ends at 154, not at 155" },
		{ 118, 146, AT "slot 0: offset is 146 and size is 10, which ends at 156, not at 155" },
		{ 125, 1, AT "slot 0: offset is 145 and size is 16777226, which ends at 16777371, not at 155" },
		{ 171, 0xff, AT "slot 2: offset is 4278190220 and size is 5, which ends at 4278190225, not at 145" },
	};

	(void)state;
	test_refuses_wrong_bytes(parse, leaf, sizeof(leaf), wrong, ARRAY_SIZE(wrong));
}

static void refuses_data_over_the_item_headers(void **state)
{
	uint8_t bytes[BLOCK];
	struct error err = { 0 };
	struct node node;

	(void)state;
	memcpy(bytes, leaf, sizeof(bytes));
	bytes[168] = 74;		/* slot 2: the headers end at 75 */
	bytes[172] = 145 - 74;
	assert_false(node_read(bytes, BLOCK, TEST_OFFSET, &node, &err));
	assert_string_equal(err.text, AT "slot 2: offset is 74, the item headers end at 75");
	bytes[168] = 75;
	bytes[172] = 145 - 75;
	assert_true(node_read(bytes, BLOCK, TEST_OFFSET, &node, &err));
}

static void refuses_equal_keys(void **state)
{
	uint8_t bytes[BLOCK];
	struct error err = { 0 };
	struct node node;

	(void)state;
	memcpy(bytes, inner, sizeof(bytes));
	memcpy(bytes + 134, bytes + 101, sizeof(struct disk_key));
	assert_false(node_read(bytes, BLOCK, TEST_OFFSET, &node, &err));
	assert_string_equal(err.text, AT "slot 1: key is (256 INODE_ITEM 0), not above (256 INODE_ITEM 0) of the slot before it");
}

static void refuses_one_wrong_byte_of_an_inner_node(void **state)
{
	static const struct wrong wrong[] = {
		{ 96, 0, AT "nritems is 0 at level 1, only a leaf may be empty" },
		{ 96, 5, AT "nritems is 5, at most 4 fit" },
		{ 135, 0, AT "slot 1: key is (44 INODE_ITEM 0), not above (256 INODE_ITEM 0) of the slot before it" },
		{ 151, 1, AT "slot 1: blockptr is 0x15001, not a nonzero multiple of 4096" },
		{ 120, 0, AT "slot 0: blockptr is 0, not a nonzero multiple of 4096" },
	};

	(void)state;
	test_refuses_wrong_bytes(parse, inner, sizeof(inner), wrong, ARRAY_SIZE(wrong));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads_a_leaf),
		cmocka_unit_test(reads_an_empty_leaf),
		cmocka_unit_test(reads_an_inner_node),
		cmocka_unit_test(reads_a_full_leaf),
		cmocka_unit_test(searches),
		cmocka_unit_test(refuses_every_truncation),
		cmocka_unit_test(refuses_one_wrong_byte_of_a_leaf),
		cmocka_unit_test(refuses_data_over_the_item_headers),
		cmocka_unit_test(refuses_equal_keys),
		cmocka_unit_test(refuses_one_wrong_byte_of_an_inner_node),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

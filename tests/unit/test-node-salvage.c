/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Damaged tree blocks are shown as far as they go, and never left. */
#include "tests/unit/test.h"

#include "format/node-salvage.h"

#define SIZE 4096u
#define ROOM (SIZE - (uint32_t)sizeof(struct disk_header))

static uint8_t block[SIZE];

static void make(uint8_t level, uint32_t n_items)
{
	const struct disk_header header = {
		.bytenr = to_le64(0x4000), .generation = to_le64(7), .owner = to_le64(5), .nritems = to_le32(n_items), .level = level,
	};

	memset(block, 0, sizeof(block));
	memcpy(block, &header, sizeof(header));
}

static void put_item(uint32_t slot, uint32_t offset, uint32_t size)
{
	const struct disk_item item = { .key.objectid = to_le64(slot + 1), .offset = to_le32(offset), .size = to_le32(size) };

	memcpy(block + sizeof(struct disk_header) + slot * sizeof(item), &item, sizeof(item));
}

static struct node salvage(uint32_t *claimed)
{
	uint8_t *copy = malloc(SIZE);
	struct node node;

	assert_non_null(copy);
	memcpy(copy, block, SIZE);
	node_salvage(copy, SIZE, 0x4000, &node, claimed);
	return node;
}

static void clamps_the_number_of_items(void **state)
{
	static const struct { uint8_t level; uint32_t entry; } kinds[] = { { 0, 25 }, { 1, 33 }, { 200, 33 } };
	uint32_t claimed;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
		make(kinds[i].level, UINT32_MAX);

		const struct node node = salvage(&claimed);

		assert_true(claimed == UINT32_MAX);
		assert_int_equal(node.n_items, ROOM / kinds[i].entry);
		assert_int_equal(node.level, kinds[i].level);
		assert_int_equal(node.generation, 7);
		for (uint32_t slot = 0; slot < node.n_items; slot++)
			node_key(&node, slot);		/* the sanitizer looks on */
		free((void *)node.bytes);
	}
}

static void items_stay_inside(void **state)
{
	static const struct { uint32_t offset, size; bool inside; } rows[] = {
		{ ROOM - 10, 10, true }, { ROOM, 0, true }, { ROOM - 10, 11, false }, { ROOM + 1, 0, false }, { 50, 1, true },
		{ 49, 1, false },	/* in the item headers */
		{ UINT32_MAX, 1, false }, { 1000, UINT32_MAX, false }, { UINT32_MAX, UINT32_MAX, false },
	};
	uint32_t claimed;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		make(0, 2);
		put_item(0, rows[i].offset, rows[i].size);
		put_item(1, 2000, 5);

		const struct node node = salvage(&claimed);
		const struct salvaged_item item = node_salvage_item(&node, 0);

		assert_int_equal(item.offset, rows[i].offset);
		assert_int_equal(item.size, rows[i].size);
		assert_int_equal(item.inside, rows[i].inside);
		if (item.inside) {
			assert_ptr_equal(item.item.at, node.bytes + sizeof(struct disk_header) + item.offset);
			assert_int_equal(item.item.left, item.size);
			assert_int_equal(item.item.offset, 0x4000 + sizeof(struct disk_header) + item.offset);
		}
		free((void *)node.bytes);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(clamps_the_number_of_items),
		cmocka_unit_test(items_stay_inside),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A scan of a real tree, with file extents added in memory: shared, marked, and such that cannot be. */
#include "common/sealed/scan.h"

#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "common/sealed/scan-bad.h"
#include "common/tree/tree-edit.h"
#include "common/util/record-table.h"
#include "tests/unit/image.h"
#include "tests/unit/ok.h"

#define MIB (1ull << 20)
#define INODE 256
#define ALL_MARKS 0x1234

static struct image image;
static struct volume *volume;
static struct allocator *allocator;
static struct transaction *tx;
static const struct chunk *data, *metadata;
static struct scan *plain;	/* what mkfs made */

static int make(void **state)
{
	(void)state;
	image_make(&image, 128 * MIB, "-m single -d single -n 4096", 300);
	return 0;
}

static int remove_it(void **state)
{
	(void)state;
	image_remove(&image);
	return 0;
}

static int set_up(void **state)
{
	static const uint64_t ids[] = { FS_TREE_ID };

	(void)state;
	volume = image_volume(&image);
	for (size_t i = 0; i < volume->n_chunks; i++) {
		if (volume->chunks[i].type & GROUP_DATA)
			data = &volume->chunks[i];
		if (volume->chunks[i].type & GROUP_METADATA)
			metadata = &volume->chunks[i];
	}
	ok(allocator_open(volume, &allocator, err));
	ok(transaction_begin(volume, allocator, &tx, err));
	ok(scan_run(volume, ids, 1, &plain, err));
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	scan_free(plain);
	transaction_drop(tx);
	allocator_close(allocator);
	volume_close(volume);
	image_heal(&image);
	return 0;
}

/* An extent of a file of the top level, far behind what is there. */
static void add_extent(uint64_t block, uint8_t type, uint64_t logical, uint64_t length, uint16_t mark)
{
	const struct key key = { INODE, KEY_EXTENT_DATA, (1 << 20) + block * 4096 };
	const struct disk_file_extent extent = {
		.generation = to_le64(1), .ram_bytes = to_le64(length), .other_encoding = to_le16(mark), .type = type,
		.disk_bytenr = to_le64(logical), .disk_num_bytes = to_le64(length), .num_bytes = to_le64(length ? length : 4096),
	};

	ok(tree_edit_insert(tx, FS_TREE_ID, &key, &extent, sizeof(extent), err));
}

static struct scan *run(void)
{
	static const uint64_t ids[] = { FS_TREE_ID };
	struct scan *scan = NULL;

	ok(scan_run(volume, ids, 1, &scan, err));
	return scan;
}

/* And who goes over it loses that item alone: n_left of those that were added are there. */
static void refuses(const char *text, size_t n_left)
{
	static const uint64_t ids[] = { FS_TREE_ID };
	cleanup_scan struct scan *scan = NULL, *over = NULL;
	struct error why = { 0 };

	assert_false(scan_run(volume, ids, 1, &scan, &why));
	assert_int_equal(why.kind, ERROR_CORRUPT);
	if (!strstr(why.text, text))
		fail_msg("\"%s\" does not say \"%s\"", why.text, text);
	ok(scan_run_over(volume, ids, 1, &over, err));
	assert_int_equal(over->n_bad, 1);
	assert_int_equal(over->bad[0].inode, INODE);
	assert_true(scan_is_bad(over, INODE) && !scan_is_bad(over, INODE - 1) && !scan_is_bad(over, 0) && !scan_has_lost(over));
	if (!strstr(over->bad[0].what, text))
		fail_msg("\"%s\" does not say \"%s\"", over->bad[0].what, text);
	assert_int_equal(over->n_extents, plain->n_extents + n_left);
	/* mkfs takes the inode numbers of the host, so the leaf that the items were added to may have been full. */
	assert_in_range(over->n_blocks, plain->n_blocks, plain->n_blocks + 1);
}

static void finds_every_block_once_in_order(void **state)
{
	size_t n_leaves = 0;

	(void)state;
	assert_true(plain->tree[0].level > 0);
	assert_int_equal(plain->n_regular_files, 300);
	for (size_t i = 0; i < plain->n_blocks; i++) {
		assert_true(i == 0 || plain->block[i - 1].logical < plain->block[i].logical);
		assert_ptr_equal(scan_block_at(plain, plain->block[i].logical), &plain->block[i]);
		assert_null(scan_block_at(plain, plain->block[i].logical + 1));
		n_leaves += plain->block[i].level == 0;
	}
	assert_int_equal(n_leaves, plain->n_leaves);
	assert_non_null(scan_block_at(plain, plain->tree[0].logical));
}

/* A snapshot nobody has written to: what it shares is counted once, for the lower id. */
static void shared_blocks_are_those_of_the_lower_id(void **state)
{
	static const uint64_t ids[] = { 256, FS_TREE_ID };
	const struct tree *const tree = &plain->tree[0];
	const struct disk_root_item item = { .bytenr = to_le64(tree->logical), .level = tree->level, .refs = to_le32(1),
					     .generation = to_le64(tree->generation) };
	cleanup_scan struct scan *scan = NULL;

	(void)state;
	ok(tree_insert(tx, ROOT_TREE_ID, &(struct key){ 256, KEY_ROOT_ITEM, 0 }, &item, sizeof(item), err));
	ok(scan_run(volume, ids, 2, &scan, err));
	assert_int_equal(scan->n_members, 2);
	assert_int_equal(scan->member[1], 256);
	assert_int_equal(scan->n_blocks, plain->n_blocks);
	assert_int_equal(scan->n_leaves, plain->n_leaves);
	assert_int_equal(scan->n_regular_files, plain->n_regular_files);
	for (size_t i = 0; i < scan->n_blocks; i++)
		assert_int_equal(scan->block[i].member, 0);
}

/* A snapshot whose root is a copy of the other one's, changed at `at` of the last pointer. */
static void root_copy_with(size_t at, uint8_t flip)
{
	const struct tree *const tree = &plain->tree[0];
	const struct disk_root_item item = { .bytenr = to_le64(metadata->logical + metadata->length - 4096), .level = tree->level,
					     .refs = to_le32(1), .generation = to_le64(tree->generation) };
	const struct block_expect expect = { .level = tree->level };
	cleanup_block struct block *root = NULL, *copy = NULL;

	ok(block_get(volume, tree->logical, &expect, &root, err));
	assert_true(root->node.n_items > 1);
	ok(block_new(volume, le64(item.bytenr), &copy, err));
	memcpy(copy->bytes, root->bytes, 4096);
	memcpy(copy->bytes + offsetof(struct disk_header, bytenr), &item.bytenr, sizeof(item.bytenr));
	copy->bytes[sizeof(struct disk_header) + (root->node.n_items - 1) * sizeof(struct disk_key_ptr) + at] ^= flip;
	ok(block_refresh(copy, err));
	ok(tree_insert(tx, ROOT_TREE_ID, &(struct key){ 256, KEY_ROOT_ITEM, 0 }, &item, sizeof(item), err));
}

/* What is below was seen before: each pointer that leads there is looked at all the same. */
static void every_pointer_to_a_shared_block_is_checked(void **state)
{
	static const struct {
		size_t at;
		uint8_t flip;
		const char *text, *or_text;
	} row[] = {
		{ 0, 0, NULL, NULL },
		/* mkfs takes the inode numbers of the host, so the key may become that of the item before. */
		{ offsetof(struct disk_key_ptr, key) + offsetof(struct disk_key, offset), 1, "first key is", "its neighbour begins with" },
		{ offsetof(struct disk_key_ptr, generation), 1, "generation is", "generation is" },
	};
	static const uint64_t ids[] = { FS_TREE_ID, 256 };

	for (size_t i = 0; i < sizeof(row) / sizeof(row[0]); i++) {
		cleanup_scan struct scan *scan = NULL;
		struct error why = { 0 };

		root_copy_with(row[i].at, row[i].flip);
		if (!row[i].text) {
			ok(scan_run(volume, ids, 2, &scan, err));
			assert_int_equal(scan->n_blocks, plain->n_blocks + 1);
			assert_int_equal(scan->n_leaves, plain->n_leaves);
			assert_int_equal(scan->n_regular_files, plain->n_regular_files);
		} else if (scan_run(volume, ids, 2, &scan, &why) || why.kind != ERROR_CORRUPT || (!strstr(why.text, row[i].text) && !strstr(why.text, row[i].or_text)) ||
			   !strstr(why.text, "subvolume 256")) {
			fail_msg("row %zu: \"%s\"", i, why.text);
		}
		tear_down(state);
		set_up(state);
	}
}

static void merges_references_to_one_extent(void **state)
{
	const uint64_t a = data->logical + data->length - MIB, b = a + 8192, c = b + 4096;

	(void)state;
	add_extent(0, FILE_EXTENT_REG, b, 4096, SEAL_MARK);
	add_extent(1, FILE_EXTENT_REG, a, 8192, 0);
	add_extent(2, FILE_EXTENT_REG, 0, 0, 0);	/* a hole */
	add_extent(3, FILE_EXTENT_REG, b, 4096, 0);
	add_extent(4, FILE_EXTENT_PREALLOC, c, 4096, 0);
	add_extent(5, FILE_EXTENT_PREALLOC, c + 4096, 4096, SEAL_MARK);
	add_extent(6, FILE_EXTENT_REG, c + 8192, 4096, ALL_MARKS);

	cleanup_scan struct scan *scan = run();
	const struct {
		uint64_t logical;
		bool marked, unmarked, foreign;
	} want[] = { { a, false, true, false }, { b, true, true, false }, { c, false, false, false },
		     { c + 4096, false, false, true }, { c + 8192, false, true, true } };

	assert_int_equal(scan->n_extents, plain->n_extents + 5);
	assert_int_equal(scan->data_bytes, plain->data_bytes + 24576);
	for (size_t i = 0; i < sizeof(want) / sizeof(want[0]); i++) {
		const struct scan_extent *const e = scan_extent_at(scan, want[i].logical);

		assert_non_null(e);
		assert_int_equal(e->inode, INODE);
		assert_int_equal(e->marked, want[i].marked);
		assert_int_equal(e->unmarked, want[i].unmarked);
		assert_int_equal(e->foreign_mark, want[i].foreign);
	}
	assert_int_equal(scan_extent_at(scan, b)->file_offset, 1 << 20);
}

static void refuses_two_lengths(void **state)
{
	(void)state;
	add_extent(0, FILE_EXTENT_REG, data->logical + data->length - MIB, 4096, 0);
	add_extent(1, FILE_EXTENT_REG, data->logical + data->length - MIB, 8192, 0);
	refuses("is 8192, elsewhere 4096", 1);
}

static void refuses_overlapping_extents(void **state)
{
	(void)state;
	add_extent(0, FILE_EXTENT_REG, data->logical + data->length - MIB, 8192, 0);
	add_extent(2, FILE_EXTENT_REG, data->logical + data->length - MIB + 4096, 4096, 0);
	refuses("begins before the one at", 1);
}

static void refuses_an_extent_that_leaves_its_chunk(void **state)
{
	(void)state;
	add_extent(0, FILE_EXTENT_REG, data->logical + data->length - 4096, 8192, 0);
	refuses("leave its chunk", 0);
}

static void refuses_an_extent_among_metadata(void **state)
{
	(void)state;
	add_extent(0, FILE_EXTENT_REG, metadata->logical, 4096, 0);
	refuses("its chunk is not for data", 0);
}

static void refuses_an_extent_nowhere(void **state)
{
	(void)state;
	add_extent(0, FILE_EXTENT_REG, 1ull << 60, 4096, 0);
	refuses("disk_bytenr: logical address", 0);
}

static void refuses_an_extent_that_is_longer_than_any(void **state)
{
	(void)state;
	add_extent(0, FILE_EXTENT_REG, data->logical + data->length - MIB, 1ull << 41, SEAL_MARK);
	refuses("disk_num_bytes is 2199023255552, at most", 0);
}

static void refuses_an_extent_item_that_cannot_be_read(void **state)
{
	(void)state;
	add_extent(0, FILE_EXTENT_PREALLOC + 1, data->logical + data->length - MIB, 4096, SEAL_MARK);
	refuses("type is 3, not 0 to 2", 0);
}

/* The table under it, larger than what a small image has. */
static void record_table_keeps_and_sorts(void **state)
{
	struct { uint64_t number, square; } *record;
	struct record_table table = { .record_size = sizeof(*record) };
	const uint64_t n = 100000, odd = 0x9e3779b97f4a7c15ull;

	(void)state;
	assert_null(record_table_find(&table, 0));
	for (uint64_t i = 0; i < n; i++) {
		void *added = NULL;

		assert_null(record_table_find(&table, i * odd));
		ok(record_table_add(&table, i * odd, &added, err));
		record = added;
		assert_int_equal(record->square, 0);
		record->square = i * i;
	}
	assert_int_equal(table.n, n);
	for (uint64_t i = 0; i < n; i++) {
		record = record_table_find(&table, i * odd);
		assert_non_null(record);
		assert_int_equal(record->square, i * i);
	}
	assert_true(table.n_slots * sizeof(*table.slot) < 8 * n);
	record = record_table_take_sorted(&table);
	for (uint64_t i = 1; i < n; i++)
		assert_true(record[i - 1].number < record[i].number);
	assert_int_equal(table.n, 0);
	free(record);
	assert_null(record_table_take_sorted(&table));
}

int main(void)
{
#define SCAN_TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		SCAN_TEST(finds_every_block_once_in_order),
		SCAN_TEST(shared_blocks_are_those_of_the_lower_id),
		SCAN_TEST(every_pointer_to_a_shared_block_is_checked),
		SCAN_TEST(merges_references_to_one_extent),
		SCAN_TEST(refuses_two_lengths),
		SCAN_TEST(refuses_overlapping_extents),
		SCAN_TEST(refuses_an_extent_that_leaves_its_chunk),
		SCAN_TEST(refuses_an_extent_among_metadata),
		SCAN_TEST(refuses_an_extent_nowhere),
		SCAN_TEST(refuses_an_extent_that_is_longer_than_any),
		SCAN_TEST(refuses_an_extent_item_that_cannot_be_read),
		cmocka_unit_test(record_table_keeps_and_sorts),
	};

	return cmocka_run_group_tests(tests, make, remove_it);
}

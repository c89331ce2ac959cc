/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the allocator says is free, what it gives out and what never; and that it does not believe a lying extent tree. */
#include "common/tree/allocator.h"

#include <stdio.h>

#include "common/volume/mirror.h"
#include "tests/support/edit.h"
#include "tests/support/tree-check.h"
#include "tests/unit/image.h"
#include "tests/unit/test.h"

#define KIB (1ull << 10)
#define MIB (1ull << 20)

static struct image image;
static struct volume *volume;
static struct allocator *allocator;
static struct error err;

#define ok(call) do { if (!(call)) fail_msg("%s", err.text); } while (0)

static void open_image(uint64_t size, const char *options)
{
	image_make(&image, size, options, 100);
	volume = image_volume(&image);
	ok(allocator_open(volume, &allocator, &err));
}

static int close_image(void **state)
{
	(void)state;
	allocator_close(allocator);
	volume_close(volume);
	image_remove(&image);
	allocator = NULL;
	volume = NULL;
	return 0;
}

static bool is_free(uint64_t logical, uint64_t length)
{
	const struct group *group = allocator_group_of(allocator, logical);

	assert_non_null(group);
	for (size_t i = 0; i < group->n_free; i++) {
		if (group->free[i].logical <= logical && logical + length <= group->free[i].logical + group->free[i].length)
			return true;
	}
	return false;
}

/* --- groups -------------------------------------------------------------------------- */

static void knows_every_group(void **state)
{
	uint64_t used = 0;

	(void)state;
	open_image(300 * MIB, "-n 16384");
	assert_int_equal(allocator_n_groups(allocator), volume->n_chunks);
	for (size_t i = 0; i < volume->n_chunks; i++) {
		const struct group *group = allocator_group(allocator, i);
		uint64_t n_free = 0;

		assert_int_equal(group->logical, volume->chunks[i].logical);
		assert_int_equal(group->length, volume->chunks[i].length);
		assert_int_equal(group->flags, volume->chunks[i].type);
		assert_ptr_equal(allocator_group_of(allocator, group->logical), group);
		assert_ptr_equal(allocator_group_of(allocator, group->logical + group->length - 1), group);
		for (size_t k = 0; k < group->n_free; k++)
			n_free += group->free[k].length;
		assert_int_equal(n_free + group->used, group->length);
		used += group->used;
	}
	assert_int_equal(used, volume->super.bytes_used);
	assert_null(allocator_group_of(allocator, 0));
	assert_null(allocator_group_of(allocator, UINT64_MAX));
}

/* --- tree blocks ---------------------------------------------------------------------- */

static void take_all(uint32_t node_size)
{
	const uint64_t n = allocator_n_free_blocks(allocator);
	uint64_t *taken = calloc(n, sizeof(*taken)), last;

	assert_non_null(taken);
	assert_true(n > 1000);
	for (uint64_t i = 0; i < n; i++) {
		bool found;

		assert_int_equal(allocator_n_free_blocks(allocator), n - i);
		ok(allocator_take_block(allocator, &taken[i], &err));
		assert_int_equal(taken[i] % node_size, 0);
		assert_false(volume_range_is_reserved(volume, taken[i], node_size));
		assert_true(allocator_group_of(allocator, taken[i])->flags & GROUP_METADATA);
		assert_false(is_free(taken[i], node_size));
		if (i % 64 == 0) {
			ok(extent_is_allocated(volume, taken[i], node_size, EXTENT_OF_TREE, &found, &err));
			assert_false(found);
		}
	}
	assert_false(allocator_take_block(allocator, &last, &err));
	assert_int_equal(err.kind, ERROR_NO_SPACE);
	for (uint64_t i = n; i-- > 0;)
		allocator_give_back(allocator, taken[i]);
	assert_int_equal(allocator_n_free_blocks(allocator), n);
	/* All different: each can be marked free again exactly once, and now all are. */
	for (uint64_t i = 0; i < n; i++)
		assert_true(is_free(taken[i], node_size));
	free(taken);
}

static void takes_every_place_once(void **state)
{
	(void)state;
	open_image(300 * MIB, "-n 16384");
	take_all(16384);
}

/* The copy at 64 MiB lies in the middle of a mirror of the metadata group. */
static void never_takes_a_superblock(void **state)
{
	uint64_t n_reserved = 0;

	(void)state;
	open_image(300 * MIB, "-n 4096");
	for (size_t i = 0; i < allocator_n_groups(allocator); i++) {
		const struct group *group = allocator_group(allocator, i);

		for (uint64_t at = group->logical; at < group->logical + group->length; at += 4096)
			n_reserved += volume_range_is_reserved(volume, at, 4096) && is_free(at, 4096) &&
				      (group->flags & GROUP_METADATA);
	}
	assert_int_equal(n_reserved, 16);
	take_all(4096);
}

static void freed_blocks_are_not_given_out(void **state)
{
	const uint32_t size = 4096;
	struct tree tree;
	uint64_t n, logical;

	(void)state;
	open_image(200 * MIB, "-n 4096");
	ok(tree_open(volume, ROOT_TREE_ID, &tree, &err));
	n = allocator_n_free_blocks(allocator);
	assert_false(is_free(tree.logical, size));
	ok(allocator_expect_freed(allocator, tree.logical, 1, &err));
	allocator_note_freed(allocator, tree.logical);
	assert_true(is_free(tree.logical, size));
	assert_int_equal(allocator_n_free_blocks(allocator), n);
	while (allocator_take_block(allocator, &logical, &err))
		assert_int_not_equal(logical, tree.logical);
	assert_int_equal(err.kind, ERROR_NO_SPACE);
	assert_false(allocator_reserve(allocator, tree.logical, size, &err));
	assert_int_equal(err.kind, ERROR_CORRUPT);
}

/* A journal over blocks that were freed before would destroy what recovery may still want to see. */
static void journals_keep_off_freed_blocks(void **state)
{
	uint64_t taken[40];
	struct free_range range;
	unsigned n = 0;

	(void)state;
	open_image(200 * MIB, "--mixed -n 4096");
	for (size_t i = 0; i < ARRAY_SIZE(taken); i++)
		ok(allocator_take_block(allocator, &taken[i], &err));
	for (size_t i = ARRAY_SIZE(taken); i-- > 0;) {
		if (i == 20) {
			ok(allocator_expect_freed(allocator, taken[i], 1, &err));
			allocator_note_freed(allocator, taken[i]);
		} else {
			allocator_give_back(allocator, taken[i]);
		}
	}
	while (allocator_find_journals(allocator, 1, 64 * KIB, 64 * KIB, &range, &err)) {
		assert_int_equal(range.logical % (64 * KIB), 0);
		assert_true(taken[20] + 4096 <= range.logical || taken[20] >= range.logical + range.length);
		ok(allocator_reserve(allocator, range.logical, range.length, &err));
		n++;
	}
	assert_int_equal(err.kind, ERROR_NO_SPACE);
	assert_true(n > 100);
}

/* --- journals --------------------------------------------------------------------------- */

static void check_journal(const struct free_range *range, uint64_t length)
{
	assert_int_equal(range->length, length);
	assert_int_equal(range->logical % (64 * KIB), 0);
	assert_true(is_free(range->logical, length));
	assert_false(volume_range_is_reserved(volume, range->logical, length));
}

static void finds_places_for_journals(void **state)
{
	struct free_range range[8];
	uint64_t logical, n;
	size_t i;

	(void)state;
	open_image(300 * MIB, "-n 4096");
	n = allocator_n_free_blocks(allocator);
	for (i = 0; i < ARRAY_SIZE(range); i++) {
		ok(allocator_find_journals(allocator, 1, 4 * MIB, MIB, &range[i], &err));
		check_journal(&range[i], range[i].length);
		if (i == 0) {
			assert_int_equal(range[i].length, 4 * MIB);
			assert_true(allocator_group_of(allocator, range[i].logical)->flags & GROUP_DATA);
			assert_int_equal(allocator_n_free_blocks(allocator), n);
		}
		for (size_t k = 0; k < i; k++)
			assert_true(range[k].logical + range[k].length <= range[i].logical ||
				    range[i].logical + range[i].length <= range[k].logical);
		ok(allocator_reserve(allocator, range[i].logical, range[i].length, &err));
	}
	/* The data group has 8 MiB: some are in metadata, and no tree block is put there. */
	assert_true(allocator_group_of(allocator, range[i - 1].logical)->flags & GROUP_METADATA);
	assert_true(allocator_n_free_blocks(allocator) < n);
	while (allocator_take_block(allocator, &logical, &err)) {
		for (size_t k = 0; k < ARRAY_SIZE(range); k++)
			assert_false(logical >= range[k].logical && logical < range[k].logical + range[k].length);
	}
	assert_false(allocator_reserve(allocator, range[0].logical + MIB, MIB, &err));
	assert_int_equal(err.kind, ERROR_CORRUPT);
}

static void shrinks_a_journal(void **state)
{
	struct free_range range;
	unsigned n = 0;

	(void)state;
	open_image(200 * MIB, "--mixed -n 4096");
	ok(allocator_find_journals(allocator, 1, 1024 * MIB, MIB, &range, &err));
	assert_true(range.length >= MIB && range.length < 200 * MIB);
	check_journal(&range, range.length);
	while (allocator_find_journals(allocator, 1, MIB, MIB, &range, &err)) {
		check_journal(&range, MIB);
		ok(allocator_reserve(allocator, range.logical, range.length, &err));
		n++;
	}
	assert_true(n > 5);
	assert_int_equal(err.kind, ERROR_NO_SPACE);
	assert_string_equal(err.text, "no room for the journal: it takes 1 free range of 1024 KiB");
	ok(allocator_find_journals(allocator, 1, MIB, 64 * KIB, &range, &err));
	assert_true(range.length < MIB);
}

/* Together they get what all of them can have: the first one must not take the place of the others. */
static void finds_journals_of_one_length(void **state)
{
	struct free_range range[3], more;

	(void)state;
	open_image(200 * MIB, "--mixed -n 4096");
	ok(allocator_find_journals(allocator, 3, 1024 * MIB, MIB, range, &err));
	for (unsigned i = 0; i < 3; i++) {
		check_journal(&range[i], range[0].length);
		ok(allocator_reserve(allocator, range[i].logical, range[i].length, &err));
	}
	while (allocator_find_journals(allocator, 1, MIB, MIB, &more, &err))
		ok(allocator_reserve(allocator, more.logical, more.length, &err));
	assert_false(allocator_find_journals(allocator, 2, MIB, MIB, range, &err));
	assert_string_equal(err.text, "no room for the journal: it takes 2 free ranges of 1024 KiB");
	/* What could not be had together is free as before. */
	ok(allocator_find_journals(allocator, 1, MIB, 64 * KIB, &more, &err));
	ok(allocator_reserve(allocator, more.logical, more.length, &err));
}

static void reserves_only_what_is_free(void **state)
{
	struct tree tree;
	const struct group *group;

	(void)state;
	open_image(200 * MIB, "-n 4096");
	ok(tree_open(volume, ROOT_TREE_ID, &tree, &err));
	assert_false(allocator_reserve(allocator, tree.logical, 4096, &err));
	assert_false(allocator_reserve(allocator, 0, 4096, &err));
	assert_false(allocator_reserve(allocator, UINT64_MAX - 4095, 4096, &err));
	group = allocator_group_of(allocator, tree.logical);
	assert_false(allocator_reserve(allocator, group->logical, group->length + 4096, &err));
	assert_false(allocator_reserve(allocator, group->logical + group->length - 4096, UINT64_MAX, &err));
	assert_false(allocator_reserve(allocator, group->logical + group->length - 4096, 0, &err));
	ok(allocator_reserve(allocator, group->logical + group->length - 4096, 4096, &err));
}

/* --- questions ---------------------------------------------------------------------------- */

static void knows_what_is_allocated(void **state)
{
	struct tree tree;
	bool found;

	(void)state;
	open_image(200 * MIB, "-n 4096");
	ok(tree_open(volume, ROOT_TREE_ID, &tree, &err));
	ok(extent_is_allocated(volume, tree.logical, 4096, EXTENT_OF_TREE, &found, &err));
	assert_true(found);
	ok(extent_is_allocated(volume, tree.logical, 4096, EXTENT_OF_DATA, &found, &err));
	assert_false(found);
	ok(extent_is_allocated(volume, tree.logical, 8192, EXTENT_OF_TREE, &found, &err));
	assert_false(found);
	ok(extent_is_allocated(volume, tree.logical + 4096 * 1000, 4096, EXTENT_OF_TREE, &found, &err));
	assert_false(found);
}

static void finds_data_extents(void **state)
{
	const struct key first = { 0 };
	cleanup_tree_iter struct tree_iter iter = { 0 };
	unsigned n = 0;
	struct tree tree;
	bool found;

	(void)state;
	open_image(200 * MIB, "-n 4096");
	ok(tree_open(volume, EXTENT_TREE_ID, &tree, &err));
	ok(tree_seek(&tree, &first, &iter, &err));
	while (iter.valid) {
		if (iter.key.type == KEY_EXTENT_ITEM) {
			ok(extent_is_allocated(volume, iter.key.objectid, iter.key.offset, EXTENT_OF_DATA, &found, &err));
			assert_true(found);
			ok(extent_is_allocated(volume, iter.key.objectid, iter.key.offset, EXTENT_OF_TREE, &found, &err));
			assert_false(found);
			n++;
		}
		ok(tree_next(&iter, &err));
	}
	assert_true(n > 5);
}

static void the_global_reserve_has_bounds(void **state)
{
	uint64_t bytes;

	(void)state;
	open_image(200 * MIB, "-n 4096");
	ok(allocator_global_reserve(volume, &bytes, &err));
	assert_int_equal(bytes, MIB);

	struct transaction *tx;

	ok(transaction_begin(volume, allocator, &tx, &err));
	for (unsigned i = 0; i < 2000; i++) {
		const struct key key = { CRYPT_ID, KEY_PERSISTENT_ITEM, i };

		ok(tree_insert(tx, ROOT_TREE_ID, &key, NULL, 3000, &err));
	}
	ok(allocator_global_reserve(volume, &bytes, &err));
	assert_in_range(bytes, 2000 * 4096, 2200 * 4096);
	transaction_drop(tx);
}

/* --- extent trees that lie -------------------------------------------------------------------- */

/* Opening an allocator while this item is in the extent tree too. */
static void expect_refused(const struct key *key, const void *data, uint32_t len, const char *text)
{
	struct allocator *second;
	struct transaction *tx;

	ok(transaction_begin(volume, allocator, &tx, &err));
	ok(tree_insert(tx, EXTENT_TREE_ID, key, data, len, &err));
	if (allocator_open(volume, &second, &err))
		fail_msg("opened, expected: %s", text);
	assert_int_equal(err.kind, ERROR_CORRUPT);
	assert_string_equal(err.text, text);
	transaction_drop(tx);
	ok(tree_check(volume, &err));
}

static void refuses_lies(void **state)
{
	const struct disk_extent_item item = { to_le64(1), to_le64(1), to_le64(EXTENT_FLAG_TREE_BLOCK) };
	struct tree tree;
	char text[200];

	(void)state;
	open_image(200 * MIB, "-n 4096");
	ok(tree_open(volume, ROOT_TREE_ID, &tree, &err));

	const struct group *group = allocator_group_of(allocator, tree.logical);
	const uint64_t end = group->logical + group->length;
	struct key key = { tree.logical, KEY_EXTENT_ITEM, 4096 };

	snprintf(text, sizeof(text), "extent item at %llu: the one before it ends at %llu", (unsigned long long)tree.logical,
		 (unsigned long long)tree.logical + 4096);
	expect_refused(&key, &item, sizeof(item), text);

	key = (struct key){ end - 4096, KEY_METADATA_ITEM, 0 };
	snprintf(text, sizeof(text), "block group %llu: %llu bytes used, but its extents take %llu", (unsigned long long)group->logical,
		 (unsigned long long)group->used, (unsigned long long)group->used + 4096);
	expect_refused(&key, &item, sizeof(item), text);

	key = (struct key){ end - 4096, KEY_EXTENT_ITEM, 8192 };
	snprintf(text, sizeof(text), "extent item at %llu: 8192 bytes, not inside one block group",
		 (unsigned long long)key.objectid);
	expect_refused(&key, &item, sizeof(item), text);

	key = (struct key){ end - 4096, KEY_EXTENT_ITEM, UINT64_MAX - 4095 };
	snprintf(text, sizeof(text), "extent item at %llu: 18446744073709547520 bytes, not inside one block group",
		 (unsigned long long)key.objectid);
	expect_refused(&key, &item, sizeof(item), text);

	key = (struct key){ end - 4096 - 512, KEY_METADATA_ITEM, 0 };
	snprintf(text, sizeof(text), "extent item at %llu: 4096 bytes, not whole sectors of 4096", (unsigned long long)key.objectid);
	expect_refused(&key, &item, sizeof(item), text);

	key = (struct key){ 4096, KEY_METADATA_ITEM, 0 };
	expect_refused(&key, &item, sizeof(item), "extent item at 4096: 4096 bytes, not inside one block group");

	key = (struct key){ UINT64_MAX - 4095, KEY_METADATA_ITEM, 0 };
	expect_refused(&key, &item, sizeof(item),
		       "extent item at 18446744073709547520: 4096 bytes, not inside one block group");
}

static void wants_every_block_group(void **state)
{
	struct allocator *second;
	struct transaction *tx;
	char text[200];

	(void)state;
	open_image(200 * MIB, "-n 4096");

	const struct group *group = allocator_group(allocator, 0);
	const struct key key = { group->logical, KEY_BLOCK_GROUP_ITEM, group->length };
	uint8_t *data;
	uint32_t len;

	ok(transaction_begin(volume, allocator, &tx, &err));
	ok(tree_edit_item(tx, EXTENT_TREE_ID, &key, &data, &len, &err));
	((struct disk_block_group *)data)->flags = to_le64(GROUP_METADATA | GROUP_RAID1);
	assert_false(allocator_open(volume, &second, &err));
	snprintf(text, sizeof(text), "block group %llu: flags are 0x14, but the chunk's type is %#llx", (unsigned long long)group->logical,
		 (unsigned long long)group->flags);
	assert_string_equal(err.text, text);
	ok(tree_remove(tx, EXTENT_TREE_ID, &key, &err));
	assert_false(allocator_open(volume, &second, &err));
	snprintf(text, sizeof(text), "chunk %llu of %llu bytes has no block group item", (unsigned long long)group->logical,
		 (unsigned long long)group->length);
	assert_string_equal(err.text, text);
	transaction_drop(tx);
}

#define test(function) cmocka_unit_test_teardown(function, close_image)

int main(void)
{
	const struct CMUnitTest tests[] = {
		test(knows_every_group),
		test(takes_every_place_once),
		test(never_takes_a_superblock),
		test(freed_blocks_are_not_given_out),
		test(journals_keep_off_freed_blocks),
		test(finds_places_for_journals),
		test(shrinks_a_journal),
		test(finds_journals_of_one_length),
		test(reserves_only_what_is_free),
		test(knows_what_is_allocated),
		test(finds_data_extents),
		test(the_global_reserve_has_bounds),
		test(refuses_lies),
		test(wants_every_block_group),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

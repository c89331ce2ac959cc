/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The free space tree of one block group, in both of its forms, beside a row of booleans. */
#include "common/tree/free-space.h"

#include <stdio.h>

#include "format/extent-item.h"
#include "tests/support/edit.h"
#include "tests/unit/image.h"
#include "tests/unit/test.h"

#define MIB (1ull << 20)
#define SECTOR 4096u
#define SECTORS_MAX 65536u

static struct image image;
static struct volume *volume;
static struct allocator *allocator;
static struct transaction *tx;
static struct error err;
static const struct group *group;	/* of data: the edits below do not allocate there */
static size_t n_sectors;
static bool is_free[SECTORS_MAX];

#define ok(call) do { if (!(call)) fail_msg("%s", err.text); } while (0)

static struct key info_key(void)
{
	return (struct key){ group->logical, KEY_FREE_SPACE_INFO, group->length };
}

static void read_sectors(bool *sectors, unsigned *n_runs, bool *bitmaps)
{
	const struct key key = info_key();
	cleanup_tree_iter struct tree_iter iter = { 0 };
	struct free_space_info info;
	struct tree tree;
	bool found;

	memset(sectors, 0, n_sectors);
	ok(tree_open(volume, FREE_SPACE_TREE_ID, &tree, &err));
	ok(tree_find(&tree, &key, &iter, &found, &err));
	assert_true(found);
	ok(free_space_info_read(&iter.item, &info, &err));
	*n_runs = info.extent_count;
	*bitmaps = info.flags & FREE_SPACE_USING_BITMAPS;
	ok(tree_next(&iter, &err));
	while (iter.valid && iter.key.objectid < group->logical + group->length) {
		const size_t first = (iter.key.objectid - group->logical) / SECTOR, n = iter.key.offset / SECTOR;

		assert_int_equal(iter.key.type, *bitmaps ? KEY_FREE_SPACE_BITMAP : KEY_FREE_SPACE_EXTENT);
		assert_true(first + n <= n_sectors);
		for (size_t i = 0; i < n; i++)
			sectors[first + i] = !*bitmaps || (iter.item.at[i / 8] >> (i % 8) & 1);
		ok(tree_next(&iter, &err));
	}
}

static void expect_model(bool want_bitmaps)
{
	static bool sectors[SECTORS_MAX];
	unsigned n_runs, want = 0;
	bool bitmaps;

	read_sectors(sectors, &n_runs, &bitmaps);
	assert_int_equal(bitmaps, want_bitmaps);
	for (size_t i = 0; i < n_sectors; i++) {
		if (sectors[i] != is_free[i])
			fail_msg("sector %zu is %s", i, sectors[i] ? "free" : "used");
		want += is_free[i] && (i == 0 || !is_free[i - 1]);
	}
	assert_int_equal(n_runs, want);
}

static void open_image(const char *options, bool bitmaps)
{
	unsigned n_runs;
	bool found;

	image_make(&image, 300 * MIB, options, 0);
	volume = image_volume(&image);
	ok(allocator_open(volume, &allocator, &err));
	ok(transaction_begin(volume, allocator, &tx, &err));
	if (bitmaps)
		ok(edit_to_bitmaps(tx, &err));
	for (size_t i = 0; i < allocator_n_groups(allocator); i++) {
		if (allocator_group(allocator, i)->flags & GROUP_DATA)
			group = allocator_group(allocator, i);
	}
	n_sectors = group->length / SECTOR;
	assert_in_range(n_sectors, 2049, SECTORS_MAX);	/* more than one bitmap has */
	read_sectors(is_free, &n_runs, &found);
	expect_model(bitmaps);
	assert_true(is_free[0] && is_free[n_sectors - 1]);
}

static int close_image(void **state)
{
	(void)state;
	transaction_drop(tx);
	allocator_close(allocator);
	volume_close(volume);
	image_remove(&image);
	tx = NULL;
	allocator = NULL;
	volume = NULL;
	return 0;
}

static unsigned count(size_t first, size_t n)
{
	unsigned sum = 0;

	for (size_t i = 0; i < n; i++)
		sum += is_free[first + i];
	return sum;
}

static void change(size_t first, size_t n, bool freed)
{
	const uint64_t logical = group->logical + first * SECTOR;

	if (freed)
		ok(free_space_add(tx, logical, n * SECTOR, &err));
	else
		ok(free_space_remove(tx, logical, n * SECTOR, &err));
	memset(&is_free[first], freed, n);
	ok(transaction_carry(tx, &err));
}

static void follow_model(const char *options, bool bitmaps)
{
	open_image(options, bitmaps);
	srand(4);
	for (unsigned round = 0; round < 6000; round++) {
		/* Often at an end of the group, or over the border of two bitmaps. */
		const size_t places[] = { 0, n_sectors - 1, 2040, (size_t)rand() % n_sectors, (size_t)rand() % 100 };
		const size_t first = places[(size_t)rand() % ARRAY_SIZE(places)];
		const size_t n = 1 + (size_t)rand() % (n_sectors - first < 24 ? n_sectors - first : 24);
		const unsigned n_free = count(first, n);

		if (n_free == n)
			change(first, n, false);
		else if (n_free == 0)
			change(first, n, true);
		else if (is_free[first])
			change(first, 1, false);
		else
			change(first, 1, true);
		if (round % 50 == 0)
			expect_model(bitmaps);
	}
	expect_model(bitmaps);
	/* Full, and empty again. */
	for (size_t i = 0; i < n_sectors; i++) {
		if (is_free[i])
			change(i, 1, false);
	}
	expect_model(bitmaps);
	for (size_t i = 0; i < n_sectors; i += 2)
		change(i, 1, true);
	expect_model(bitmaps);
	for (size_t i = 1; i < n_sectors; i += 2)
		change(i, 1, true);
	expect_model(bitmaps);
}

static void runs(void **state) { (void)state; follow_model("-n 4096 -d dup", false); }
static void runs_in_large_nodes(void **state) { (void)state; follow_model("-n 65536 -d dup", false); }
static void bitmaps(void **state) { (void)state; follow_model("-n 4096 -d dup", true); }

/* --- what the tree says otherwise ------------------------------------------------------- */

static void expect_disagreement(bool freed, size_t first, size_t n)
{
	const uint64_t logical = group->logical + first * SECTOR;
	char text[200];

	snprintf(text, sizeof(text), "free space tree: %llu of %llu bytes is %s there, not %s", (unsigned long long)logical,
		 (unsigned long long)n * SECTOR, freed ? "free" : "used", freed ? "used" : "free");
	assert_false(freed ? free_space_add(tx, logical, n * SECTOR, &err) : free_space_remove(tx, logical, n * SECTOR, &err));
	assert_int_equal(err.kind, ERROR_CORRUPT);
	assert_string_equal(err.text, text);
}

static void disagree(bool with_bitmaps)
{
	open_image("-n 4096 -d dup", with_bitmaps);
	change(100, 10, false);
	expect_disagreement(false, 100, 1);
	expect_disagreement(false, 109, 1);
	expect_disagreement(true, 99, 1);
	expect_disagreement(true, 110, 1);
	if (with_bitmaps)	/* a change in part is left to transaction_drop() */
		return;
	expect_disagreement(false, 99, 2);
	expect_disagreement(false, 109, 2);
	expect_disagreement(false, 90, 100);
	expect_disagreement(true, 99, 2);
	expect_disagreement(true, 109, 2);
	expect_disagreement(true, 90, 100);
	expect_model(false);
}

static void runs_disagree(void **state) { (void)state; disagree(false); }
static void bitmaps_disagree(void **state) { (void)state; disagree(true); }

static void wants_what_belongs_to_the_group(void **state)
{
	char text[200];

	(void)state;
	open_image("-n 4096 -d dup", true);

	const struct key info = info_key();
	const struct key bitmap = { group->logical, KEY_FREE_SPACE_BITMAP, 8 * MIB };

	ok(tree_remove(tx, FREE_SPACE_TREE_ID, &bitmap, &err));
	assert_false(free_space_remove(tx, group->logical, SECTOR, &err));
	snprintf(text, sizeof(text), "free space tree: no bitmap for %llu in block group %llu", (unsigned long long)group->logical + SECTOR,
		 (unsigned long long)group->logical);
	assert_string_equal(err.text, text);
	ok(tree_insert(tx, FREE_SPACE_TREE_ID, &bitmap, NULL, 10, &err));
	assert_false(free_space_remove(tx, group->logical, SECTOR, &err));
	snprintf(text, sizeof(text), "free space tree: bitmap at %llu for %llu bytes has 10 bytes",
		 (unsigned long long)group->logical, (unsigned long long)bitmap.offset);
	assert_string_equal(err.text, text);
	ok(tree_remove(tx, FREE_SPACE_TREE_ID, &info, &err));
	assert_false(free_space_remove(tx, group->logical, SECTOR, &err));
	snprintf(text, sizeof(text), "free space tree: it has no entry for block group %llu", (unsigned long long)group->logical);
	assert_string_equal(err.text, text);
}

static void does_nothing_without_a_tree(void **state)
{
	(void)state;
	image_make(&image, 300 * MIB, "-n 4096 -R ^free-space-tree", 0);
	volume = image_volume(&image);
	ok(allocator_open(volume, &allocator, &err));
	ok(transaction_begin(volume, allocator, &tx, &err));
	ok(free_space_remove(tx, allocator_group(allocator, 0)->logical, SECTOR, &err));
	ok(free_space_remove(tx, allocator_group(allocator, 0)->logical, SECTOR, &err));
	assert_int_equal(transaction_n_blocks(tx), 0);
}

#define test(function) cmocka_unit_test_teardown(function, close_image)

int main(void)
{
	const struct CMUnitTest tests[] = {
		test(runs),
		test(runs_in_large_nodes),
		test(bitmaps),
		test(runs_disagree),
		test(bitmaps_disagree),
		test(wants_what_belongs_to_the_group),
		test(does_nothing_without_a_tree),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

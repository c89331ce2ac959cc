/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Sharers of a real tree whose extent items say, in memory, what a stock filesystem seldom or never says. */
#include "common/convert/sharing.h"

#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "common/tree/transaction.h"
#include "tests/unit/image.h"
#include "tests/unit/ok.h"

#define MIB (1ull << 20)
#define P1 (1ull << 50)		/* blocks that exist in the extent tree only */
#define P2 (P1 + 0x10000)
#define P3 (P1 + 0x20000)

static struct image image;
static struct volume *volume;
static struct allocator *allocator;
static struct transaction *tx;
static struct scan *scan;
static const struct scan_block *leaf[2];

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
	size_t n = 0;

	(void)state;
	volume = image_volume(&image);
	ok(allocator_open(volume, &allocator, err));
	ok(transaction_begin(volume, allocator, &tx, err));
	ok(scan_run(volume, ids, 1, &scan, err));
	for (size_t i = 0; i < scan->n_blocks && n < 2; i++) {
		if (scan->block[i].level == 0)
			leaf[n++] = &scan->block[i];
	}
	assert_int_equal(n, 2);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	scan_free(scan);
	transaction_drop(tx);
	allocator_close(allocator);
	volume_close(volume);
	image_heal(&image);
	return 0;
}

/* --- what the extent tree says ------------------------------------------------------------ */

static void add_root(uint64_t id, uint32_t refs)
{
	const struct disk_root_item item = { .bytenr = to_le64(0x100000), .refs = to_le32(refs), .generation = to_le64(1) };

	ok(tree_insert(tx, ROOT_TREE_ID, &(struct key){ id, KEY_ROOT_ITEM, 0 }, &item, sizeof(item), err));
}

static void add_refs(const struct key *key, int n)
{
	uint8_t *bytes = NULL;
	uint32_t len;

	ok(tree_edit_item(tx, EXTENT_TREE_ID, key, &bytes, &len, err));

	struct disk_extent_item *const item = (struct disk_extent_item *)bytes;

	item->refs = to_le64(le64(item->refs) + (uint64_t)n);
}

static struct key block_key(const struct scan_block *block)
{
	return (struct key){ block->logical, KEY_METADATA_ITEM, block->level };
}

/* One more reference to a block. */
static void add_ref(const struct key *block, uint8_t type, uint64_t from)
{
	add_refs(block, 1);
	ok(tree_insert(tx, EXTENT_TREE_ID, &(struct key){ block->objectid, type, from }, NULL, 0, err));
}

/* A block without references yet. */
static struct key add_block(uint64_t logical, uint8_t level)
{
	const struct key key = { logical, KEY_METADATA_ITEM, level };
	const struct disk_extent_item item = { .generation = to_le64(1), .flags = to_le64(EXTENT_FLAG_TREE_BLOCK) };

	ok(tree_insert(tx, EXTENT_TREE_ID, &key, &item, sizeof(item), err));
	return key;
}

/* ids, blocks for each. */
static void expect(size_t n, const uint64_t (*want)[2])
{
	struct sharer *sharers = NULL;
	size_t have = 0;

	ok(sharing_find(scan, &sharers, &have, err));
	assert_int_equal(have, n);
	for (size_t i = 0; i < n; i++) {
		assert_int_equal(sharers[i].id, want[i][0]);
		assert_int_equal(sharers[i].n_blocks, want[i][1]);
		assert_int_equal(sharers[i].n_extents, 0);
	}
	free(sharers);
}

static void expect_error(enum error_kind kind, const char *text)
{
	struct sharer *sharers = NULL;
	struct error err = { 0 };
	size_t n = 0;

	assert_false(sharing_find(scan, &sharers, &n, &err));
	if (err.kind != kind || !strstr(err.text, text))
		fail_msg("%d \"%s\" does not say \"%s\"", err.kind, err.text, text);
}

/* --- sharers ---------------------------------------------------------------------------------- */

static void nobody_shares(void **state)
{
	(void)state;
	expect(0, NULL);
}

static void roots_that_refer_themselves(void **state)
{
	const struct key a = block_key(leaf[0]), b = block_key(leaf[1]);

	(void)state;
	add_root(300, 1);
	add_root(256, 1);
	add_ref(&a, KEY_TREE_BLOCK_REF, 300);
	add_ref(&a, KEY_TREE_BLOCK_REF, 256);
	add_ref(&b, KEY_TREE_BLOCK_REF, 300);
	expect(2, (const uint64_t[][2]){ { 256, 1 }, { 300, 2 } });
}

/* leaves -> P1 -> P2 -> 256, 258; P1 -> 257; P1 -> P3 -> 256: each root once for each leaf. */
static void roots_behind_parents(void **state)
{
	const struct key a = block_key(leaf[0]), b = block_key(leaf[1]);
	const struct key p1 = add_block(P1, 1), p2 = add_block(P2, 2), p3 = add_block(P3, 2);

	(void)state;
	for (uint64_t id = 256; id < 259; id++)
		add_root(id, 1);
	add_ref(&a, KEY_SHARED_BLOCK_REF, P1);
	add_ref(&b, KEY_SHARED_BLOCK_REF, P1);
	add_ref(&p1, KEY_SHARED_BLOCK_REF, P2);
	add_ref(&p1, KEY_SHARED_BLOCK_REF, P3);
	add_ref(&p1, KEY_TREE_BLOCK_REF, 257);
	add_ref(&p2, KEY_TREE_BLOCK_REF, 256);
	add_ref(&p2, KEY_TREE_BLOCK_REF, 258);
	add_ref(&p3, KEY_TREE_BLOCK_REF, 256);
	expect(3, (const uint64_t[][2]){ { 256, 2 }, { 257, 2 }, { 258, 2 } });
}

static void parents_inside_do_not_share(void **state)
{
	const struct key a = block_key(leaf[0]);

	(void)state;
	add_ref(&a, KEY_SHARED_BLOCK_REF, scan->tree[0].logical);
	expect(0, NULL);
}

/* --- sharers that nobody can talk to ------------------------------------------------------------ */

static void refuses_deleted_subvolumes(void **state)
{
	const struct key a = block_key(leaf[0]);

	(void)state;
	add_ref(&a, KEY_TREE_BLOCK_REF, 300);
	expect_error(ERROR_REFUSED, "subvolume 300, which is deleted");
	add_root(300, 0);
	expect_error(ERROR_REFUSED, "subvolume 300 was deleted, but refers to the tree block at ");
}

static void refuses_an_unfinished_balance(void **state)
{
	const struct key a = block_key(leaf[0]);

	(void)state;
	add_ref(&a, KEY_TREE_BLOCK_REF, TREE_RELOC_ID);
	expect_error(ERROR_REFUSED, "balance");
}

static void refuses_roots_that_are_no_subvolumes(void **state)
{
	const struct key a = block_key(leaf[0]);

	(void)state;
	add_ref(&a, KEY_TREE_BLOCK_REF, CSUM_TREE_ID);
	expect_error(ERROR_CORRUPT, "root 7, which is no subvolume");
}

/* --- damage ----------------------------------------------------------------------------------------- */

static void refuses_missing_items(void **state)
{
	const struct key a = block_key(leaf[0]);

	(void)state;
	ok(tree_remove(tx, EXTENT_TREE_ID, &a, err));
	expect_error(ERROR_CORRUPT, "no item for the tree block at");
}

static void refuses_counts_that_do_not_add_up(void **state)
{
	const struct key a = block_key(leaf[0]);

	(void)state;
	add_refs(&a, 1);
	expect_error(ERROR_CORRUPT, "1 references to");
}

static void refuses_items_of_another_kind(void **state)
{
	const struct key a = block_key(leaf[0]);
	struct disk_extent_item item = { .refs = to_le64(1), .flags = to_le64(EXTENT_FLAG_DATA) };
	struct key other = { a.objectid, KEY_EXTENT_ITEM, 4096 };

	(void)state;
	ok(tree_insert(tx, EXTENT_TREE_ID, &other, &item, sizeof(item), err));
	expect_error(ERROR_CORRUPT, "says it is a data extent");
	ok(tree_remove(tx, EXTENT_TREE_ID, &a, err));
	ok(tree_remove(tx, EXTENT_TREE_ID, &other, err));
	other = (struct key){ a.objectid, KEY_METADATA_ITEM, 1 };
	item.flags = to_le64(EXTENT_FLAG_TREE_BLOCK);
	ok(tree_insert(tx, EXTENT_TREE_ID, &other, &item, sizeof(item), err));
	expect_error(ERROR_CORRUPT, "says level 1, not 0");
	ok(tree_insert(tx, EXTENT_TREE_ID, &a, &item, sizeof(item), err));
	expect_error(ERROR_CORRUPT, "two items for the address");
}

static void refuses_references_of_another_kind(void **state)
{
	const struct key a = block_key(leaf[0]), ref = { leaf[0]->logical, KEY_SHARED_DATA_REF, P1 };
	const struct disk_shared_data_ref count = { to_le32(1) };

	(void)state;
	add_refs(&a, 1);
	ok(tree_insert(tx, EXTENT_TREE_ID, &ref, &count, sizeof(count), err));
	expect_error(ERROR_CORRUPT, "a reference of type 184 does not fit the tree block");
}

static void refuses_parents_that_are_none(void **state)
{
	const struct key a = block_key(leaf[0]);

	(void)state;
	add_ref(&a, KEY_SHARED_BLOCK_REF, P1);
	expect_error(ERROR_CORRUPT, "no item for tree block");

	const struct key p1 = add_block(P1, 2);

	add_ref(&p1, KEY_TREE_BLOCK_REF, 256);
	expect_error(ERROR_CORRUPT, "no tree block of level 1");
}

/* Levels must rise, so that there is no way round. */
static void refuses_rings_of_parents(void **state)
{
	const struct key a = block_key(leaf[0]);
	const struct key p1 = add_block(P1, 1), p2 = add_block(P2, 2);

	(void)state;
	add_ref(&a, KEY_SHARED_BLOCK_REF, P1);
	add_ref(&p1, KEY_SHARED_BLOCK_REF, P2);
	add_ref(&p2, KEY_SHARED_BLOCK_REF, P1);
	expect_error(ERROR_CORRUPT, "is a parent at level 1 and at level 3");
}

static void refuses_parents_of_outsiders_inside(void **state)
{
	const struct key a = block_key(leaf[0]);
	const struct key p1 = add_block(P1, 1);

	(void)state;
	add_ref(&a, KEY_SHARED_BLOCK_REF, P1);
	add_ref(&p1, KEY_TREE_BLOCK_REF, FS_TREE_ID);
	expect_error(ERROR_CORRUPT, "but does not");
}

static void refuses_overlapping_items(void **state)
{
	const struct disk_extent_item item = { .refs = to_le64(1), .flags = to_le64(EXTENT_FLAG_DATA) };
	const struct key over = { scan->block[0].logical - 4096, KEY_EXTENT_ITEM, 8192 };

	(void)state;
	ok(tree_insert(tx, EXTENT_TREE_ID, &over, &item, sizeof(item), err));
	expect_error(ERROR_CORRUPT, "begins before the previous one ends");
}

int main(void)
{
#define SHARING_TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		SHARING_TEST(nobody_shares),
		SHARING_TEST(roots_that_refer_themselves),
		SHARING_TEST(roots_behind_parents),
		SHARING_TEST(parents_inside_do_not_share),
		SHARING_TEST(refuses_deleted_subvolumes),
		SHARING_TEST(refuses_an_unfinished_balance),
		SHARING_TEST(refuses_roots_that_are_no_subvolumes),
		SHARING_TEST(refuses_missing_items),
		SHARING_TEST(refuses_counts_that_do_not_add_up),
		SHARING_TEST(refuses_items_of_another_kind),
		SHARING_TEST(refuses_references_of_another_kind),
		SHARING_TEST(refuses_parents_that_are_none),
		SHARING_TEST(refuses_rings_of_parents),
		SHARING_TEST(refuses_parents_of_outsiders_inside),
		SHARING_TEST(refuses_overlapping_items),
	};

	return cmocka_run_group_tests(tests, make, remove_it);
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What of a subvolume's tree the next mount deletes: by orphan item and link count, of one inode after the other. */
#include "common/fs/orphan.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include "common/tree/tree-edit.h"
#include "tests/unit/image.h"
#include "tests/unit/ok.h"

#define NOWHERE (UINT64_C(1) << 40)	/* no such inode */

static struct image image;
static struct volume *volume;
static struct allocator *allocator;
static struct transaction *tx;
static struct tree tree;
static uint64_t gone, linked, alive;	/* inodes: the last name of the first is deleted */

static int make(void **state)
{
	(void)state;
	image_make(&image, 128 << 20, "-m single -d single -n 4096", 300);
	return 0;
}

static int remove_it(void **state)
{
	(void)state;
	image_remove(&image);
	return 0;
}

static void open_tree(void) { ok(tree_open(volume, FS_TREE_ID, &tree, err)); }

/* mkfs.btrfs has its own way with inode numbers. */
static void choose_inodes(void)
{
	uint64_t *const chosen[] = { &gone, &linked, &alive };
	const struct key first = { 257, 0, 0 };
	cleanup_tree_iter struct tree_iter iter = { 0 };
	size_t n = 0;

	open_tree();
	ok(tree_seek(&tree, &first, &iter, err));
	while (n < 3) {
		assert_true(iter.valid);
		if (iter.key.type == KEY_EXTENT_DATA)
			*chosen[n++] = iter.key.objectid;
		ok(tree_next(&iter, err));
	}
}

static int set_up(void **state)
{
	(void)state;
	volume = image_volume(&image);
	ok(allocator_open(volume, &allocator, err));
	ok(transaction_begin(volume, allocator, &tx, err));
	choose_inodes();
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	transaction_drop(tx);
	allocator_close(allocator);
	volume_close(volume);
	image_heal(&image);
	return 0;
}

static void add_item(uint64_t objectid, uint8_t type, uint64_t offset)
{
	const struct key key = { objectid, type, offset };

	ok(tree_edit_insert(tx, FS_TREE_ID, &key, "payload", 7, err));
}

static void add_orphan(uint64_t inode)
{
	const struct key key = { ORPHAN_ID, KEY_ORPHAN_ITEM, inode };

	ok(tree_edit_insert(tx, FS_TREE_ID, &key, NULL, 0, err));
}

static void set_links(uint64_t inode, uint32_t n)
{
	const struct key key = { inode, KEY_INODE_ITEM, 0 };
	uint8_t *data;
	uint32_t len;

	ok(tree_edit_item(tx, FS_TREE_ID, &key, &data, &len, err));
	((struct disk_inode_item *)data)->nlink = to_le32(n);
}

static bool left_out(struct orphan_memory *memory, uint64_t objectid, uint8_t type, uint64_t offset)
{
	const struct key key = { objectid, type, offset };
	bool out;

	ok(orphan_leaves_out(memory, &tree, &key, &out, err));
	return out;
}

struct seen {
	unsigned n;
	uint64_t inode;
	bool verity_only;
};

static bool see(void *context, const struct tree *subvolume, const struct key *key, struct cursor item, struct error *err)
{
	struct seen *seen = context;

	(void)item, (void)err;
	assert_int_equal(subvolume->id, FS_TREE_ID);
	assert_int_not_equal(key->objectid, ORPHAN_ID);
	seen->verity_only = (seen->n == 0 || seen->verity_only) && (key->type == KEY_VERITY_DESC || key->type == KEY_VERITY_MERKLE);
	seen->inode = key->objectid;
	seen->n++;
	return true;
}

static struct seen visit(void)
{
	struct seen seen = { 0 };

	ok(orphan_visit_items(&tree, see, &seen, err));
	return seen;
}

static void nothing_is_left_out_without_an_orphan_item(void **state)
{
	struct orphan_memory memory = { 0 };

	(void)state;
	set_links(gone, 0);
	add_item(gone, KEY_VERITY_DESC, 0);
	open_tree();
	assert_false(left_out(&memory, gone, KEY_INODE_ITEM, 0) || left_out(&memory, gone, KEY_VERITY_DESC, 0));
	assert_true(memory.tree_has_none);
	assert_int_equal(visit().n, 0);
}

static void everything_of_what_has_no_name(void **state)
{
	struct orphan_memory memory = { 0 };
	cleanup_tree_iter struct tree_iter iter = { 0 };
	const struct key first = { gone, 0, 0 };
	unsigned n_items = 0;

	(void)state;
	set_links(gone, 0);
	add_orphan(gone);
	add_item(gone, KEY_VERITY_MERKLE, 0);
	open_tree();
	assert_true(left_out(&memory, gone, KEY_INODE_ITEM, 0) && left_out(&memory, gone, KEY_VERITY_MERKLE, 0) &&
		    left_out(&memory, gone, KEY_EXTENT_DATA, 0));
	assert_false(left_out(&memory, alive, KEY_INODE_ITEM, 0));
	assert_true(left_out(&memory, gone, KEY_INODE_ITEM, 0));
	assert_true(left_out(&memory, ORPHAN_ID, KEY_ORPHAN_ITEM, gone) && left_out(&memory, ORPHAN_ID, KEY_ORPHAN_ITEM, alive));
	/* Of an object of that number only orphan items are. */
	assert_false(left_out(&memory, ORPHAN_ID, KEY_INODE_ITEM, 0));
	ok(tree_seek(&tree, &first, &iter, err));
	for (; iter.valid && iter.key.objectid == gone; n_items++)
		ok(tree_next(&iter, err));
	assert_true(n_items >= 3);
	assert_int_equal(visit().n, n_items);
	assert_int_equal(visit().inode, gone);
}

static void verity_items_of_what_has_one(void **state)
{
	struct orphan_memory memory = { 0 };

	(void)state;
	add_orphan(linked);
	add_item(linked, KEY_VERITY_DESC, 0);
	add_item(linked, KEY_VERITY_DESC, 1);
	add_item(linked, KEY_VERITY_MERKLE, 2048);
	add_item(alive, KEY_VERITY_DESC, 0);
	open_tree();
	assert_false(left_out(&memory, linked, KEY_INODE_ITEM, 0) || left_out(&memory, linked, KEY_EXTENT_DATA, 0) ||
		     left_out(&memory, alive, KEY_VERITY_DESC, 0));
	assert_true(left_out(&memory, linked, KEY_VERITY_DESC, 1) && left_out(&memory, linked, KEY_VERITY_MERKLE, 2048));
	assert_int_equal(visit().n, 3);
	assert_int_equal(visit().inode, linked);
	assert_true(visit().verity_only);
}

/* The kernel then takes the orphan item away and nothing else. */
static void nothing_of_what_is_no_inode(void **state)
{
	struct orphan_memory memory = { 0 };

	(void)state;
	add_orphan(NOWHERE);
	add_item(NOWHERE, KEY_VERITY_DESC, 0);
	open_tree();
	assert_false(left_out(&memory, NOWHERE, KEY_VERITY_DESC, 0));
	assert_int_equal(visit().n, 0);
}

#define ORPHAN_TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		ORPHAN_TEST(nothing_is_left_out_without_an_orphan_item),
		ORPHAN_TEST(everything_of_what_has_no_name),
		ORPHAN_TEST(verity_items_of_what_has_one),
		ORPHAN_TEST(nothing_of_what_is_no_inode),
	};

	return cmocka_run_group_tests(tests, make, remove_it);
}

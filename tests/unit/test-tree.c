/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Reading trees of a real filesystem, and of one whose pointers lie. */
#include "common/tree/tree.h"

#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "tests/unit/image.h"

#define MIB (1ull << 20)
#define N_FILES 1500u	/* enough for three levels of 4 KiB */

static struct image image;
static struct volume *volume;
static struct tree tree;

static int make(void **state)
{
	(void)state;
	image_make(&image, 128 * MIB, "-m single -d single -n 4096", N_FILES);
	return 0;
}

static int remove_it(void **state)
{
	(void)state;
	image_remove(&image);
	return 0;
}

static int open_it(void **state)
{
	struct error err;

	(void)state;
	volume = image_volume(&image);
	if (!tree_open(volume, FS_TREE_ID, &tree, &err))
		fail_msg("%s", err.text);
	assert_true(tree.level >= 2);
	return 0;
}

static int close_it(void **state)
{
	(void)state;
	volume_close(volume);
	image_heal(&image);
	return 0;
}

/* All keys, by the walk: leaves in order. */
struct keys {
	struct key *key;
	size_t n, n_blocks, n_leaves;
	unsigned last_level;
};

static bool collect(void *context, struct block *block, bool *descend, struct error *err)
{
	struct keys *keys = context;
	const struct node *node = &block->node;

	(void)err;
	(void)descend;
	keys->n_blocks++;
	keys->last_level = node->level;
	if (!node_is_leaf(node))
		return true;
	keys->n_leaves++;
	keys->key = realloc(keys->key, (keys->n + node->n_items) * sizeof(*keys->key));
	assert_non_null(keys->key);
	for (uint32_t slot = 0; slot < node->n_items; slot++)
		keys->key[keys->n++] = node_key(node, slot);
	return true;
}

static struct keys all_keys(void)
{
	struct keys keys = { 0 };
	struct error err;

	if (!tree_walk(&tree, collect, &keys, &err))
		fail_msg("%s", err.text);
	assert_true(keys.n > N_FILES * 4);
	return keys;
}

static bool equal(const struct key *a, const struct key *b)
{
	return key_compare(a, b) == 0;
}

static struct key before(struct key key)
{
	if (key.offset-- == 0 && key.type-- == 0)
		key.objectid--;
	return key;
}

static struct key after(struct key key)
{
	if (++key.offset == 0 && ++key.type == 0)
		key.objectid++;
	return key;
}

static void next_sees_what_the_walk_sees(void **state)
{
	cleanup_tree_iter struct tree_iter iter = { 0 };
	const struct key zero = { 0 };
	struct keys keys = all_keys();
	struct error err;
	size_t n = 0;

	(void)state;
	assert_true(keys.n_leaves > 1 && keys.n_blocks > keys.n_leaves);
	for (assert_true(tree_seek(&tree, &zero, &iter, &err)); iter.valid; n++) {
		assert_true(n < keys.n && equal(&iter.key, &keys.key[n]));
		assert_true(tree_next(&iter, &err));
	}
	assert_int_equal(n, keys.n);
	assert_true(tree_next(&iter, &err));	/* past the end: stays there */
	assert_false(iter.valid);
	free(keys.key);
}

static void seeks_every_key_and_its_neighbours(void **state)
{
	cleanup_tree_iter struct tree_iter iter = { 0 };
	struct keys keys = all_keys();
	struct error err;
	bool found;

	(void)state;
	for (size_t i = 0; i < keys.n; i++) {
		const struct key key = keys.key[i], low = before(key), high = after(key);
		const bool low_is_there = i > 0 && equal(&low, &keys.key[i - 1]);
		const bool high_is_there = i + 1 < keys.n && equal(&high, &keys.key[i + 1]);

		assert_true(tree_find(&tree, &key, &iter, &found, &err) && found && equal(&iter.key, &key));
		assert_true(tree_find(&tree, &low, &iter, &found, &err));
		assert_true(found == low_is_there && iter.valid && equal(&iter.key, &keys.key[i - low_is_there]));
		assert_true(tree_find(&tree, &high, &iter, &found, &err));
		assert_true(found == high_is_there && iter.valid == (i + 1 < keys.n));
		assert_true(!iter.valid || equal(&iter.key, &keys.key[i + 1]));

		assert_true(tree_seek_last(&tree, &key, &iter, &err) && iter.valid && equal(&iter.key, &key));
		assert_true(tree_seek_last(&tree, &high, &iter, &err));
		assert_true(iter.valid && equal(&iter.key, &keys.key[i + high_is_there]));
		assert_true(tree_seek_last(&tree, &low, &iter, &err) && iter.valid == (i > 0));
		assert_true(!iter.valid || equal(&iter.key, &keys.key[i - 1]));
		if (iter.valid)		/* and onwards from there */
			assert_true(tree_next(&iter, &err) && iter.valid && equal(&iter.key, &key));
	}
	assert_true(tree_seek(&iter.tree, &keys.key[5], &iter, &err));	/* by its own tree */
	assert_true(iter.valid && equal(&iter.key, &keys.key[5]));
	free(keys.key);
}

static bool stop_at_level_1(void *context, struct block *block, bool *descend, struct error *err)
{
	unsigned *n = context;

	(void)err;
	assert_true(block->node.level >= 1);
	*n += block->node.level == 1;
	*descend = block->node.level > 1;
	return true;
}

static bool stop(void *context, struct block *block, bool *descend, struct error *err)
{
	(void)context;
	(void)block;
	(void)descend;
	return error_set(err, ERROR_STOPPED, "enough");
}

static void a_walk_goes_where_it_is_told(void **state)
{
	struct keys keys = all_keys();
	struct error err;
	unsigned n = 0;

	(void)state;
	assert_true(tree_walk(&tree, stop_at_level_1, &n, &err));
	assert_true(n >= 2 && n + keys.n_leaves < keys.n_blocks);
	assert_false(tree_walk(&tree, stop, NULL, &err));
	assert_string_equal(err.text, "enough");
	free(keys.key);
}

static void opens_by_id(void **state)
{
	struct tree other;
	struct root root;
	struct key key;
	struct error err = { 0 };

	(void)state;
	assert_true(tree_open_root(volume, FS_TREE_ID, &other, &root, &key, &err));
	assert_true(root.bytenr == tree.logical && key.objectid == FS_TREE_ID && key.type == KEY_ROOT_ITEM);
	assert_true(tree_open(volume, CHUNK_TREE_ID, &other, &err) && other.logical == volume->super.chunk_root);
	assert_true(tree_open_root(volume, ROOT_TREE_ID, &other, &root, &key, &err) && other.logical == volume->super.root);
	assert_true(tree_open(volume, EXTENT_TREE_ID, &other, &err) && tree_open(volume, DATA_RELOC_TREE_ID, &other, &err));
	assert_false(tree_open(volume, 300, &other, &err));
	assert_int_equal(err.kind, ERROR_NOT_FOUND);
	assert_string_equal(err.text, "tree 300 not found");
	assert_false(tree_open(volume, TREE_LOG_ID, &other, &err));
	assert_int_equal(err.kind, ERROR_NOT_FOUND);
	assert_false(tree_open(volume, UINT64_MAX, &other, &err));
	assert_false(tree_open(volume, 0, &other, &err));
	assert_int_equal(err.kind, ERROR_NOT_FOUND);
}

static void all_blocks_are_given_back(void **state)
{
	struct tree_iter iter = { 0 };
	const struct key zero = { 0 };
	struct error err;
	struct block *leaf;

	(void)state;
	assert_true(tree_seek(&tree, &zero, &iter, &err));
	leaf = iter.path[0];
	assert_int_equal(leaf->n_refs, 1);
	block_hold(leaf);
	tree_iter_close(&iter);
	assert_int_equal(leaf->n_refs, 1);
	block_put(leaf);
	tree_iter_close(&iter);		/* twice is fine */
}

/* --- pointers that lie ---------------------------------------------------- */

/* Inner nodes: key pointers follow the header. */
static struct disk_key_ptr *pointer(uint8_t *bytes, unsigned slot)
{
	return (struct disk_key_ptr *)(bytes + sizeof(struct disk_header)) + slot;
}

static void older(uint8_t *bytes, void *context)
{
	struct disk_key_ptr *at = pointer(bytes, 1);

	(void)context;
	at->generation = to_le64(le64(at->generation) + 1);
}

static void first_key_lower(uint8_t *bytes, void *context)
{
	struct disk_key_ptr *at = pointer(bytes, 1);
	const struct key key = key_from_disk(&at->key), lower = before(key);

	(void)context;
	at->key = key_to_disk(&lower);
}

static void twice_the_same(uint8_t *bytes, void *context)
{
	(void)context;
	pointer(bytes, 1)->blockptr = pointer(bytes, 0)->blockptr;
}

static void to_itself(uint8_t *bytes, void *context)
{
	(void)context;
	pointer(bytes, 1)->blockptr = ((struct disk_header *)bytes)->bytenr;
}

static void to_nowhere(uint8_t *bytes, void *context)
{
	(void)context;
	pointer(bytes, 1)->blockptr = to_le64(1ull << 60);
}

/* The end of slot 0 comes before the last keys of its child. */
static void no_room_for_the_child(uint8_t *bytes, void *context)
{
	const struct key *first = context;
	const struct key next = after(*first);

	pointer(bytes, 1)->key = key_to_disk(&next);
}

static void expect_everywhere(const char *text)
{
	struct tree_iter iter = { 0 };
	struct keys keys = { 0 };
	const struct key zero = { 0 };
	struct error err = { 0 };
	bool ok;

	block_cache_drop_idle(volume);
	assert_false(tree_walk(&tree, collect, &keys, &err));
	free(keys.key);
	if (!strstr(err.text, text))
		fail_msg("\"%s\" is not in \"%s\"", text, err.text);
	assert_int_equal(err.kind, ERROR_CORRUPT);
	assert_memory_equal(err.text, "tree 5: ", 8);

	err = (struct error){ 0 };
	ok = tree_seek(&tree, &zero, &iter, &err);
	while (ok && iter.valid)
		ok = tree_next(&iter, &err);
	assert_false(ok);
	assert_false(iter.valid);
	for (unsigned level = 0; level < LEVEL_MAX; level++)
		assert_null(iter.path[level]);
	if (!strstr(err.text, text))
		fail_msg("\"%s\" is not in \"%s\"", text, err.text);
	image_heal(&image);
	block_cache_drop_idle(volume);
}

static void damage(void (*edit)(uint8_t *bytes, void *context), void *context, const char *text)
{
	image_edit_block(&image, volume, tree.logical, 1, edit, context);
	expect_everywhere(text);
}

static void trusts_no_pointer(void **state)
{
	cleanup_tree_iter struct tree_iter iter = { 0 };
	const struct key zero = { 0 };
	struct error err;

	(void)state;
	assert_true(tree_seek(&tree, &zero, &iter, &err));
	struct key first = iter.key;

	tree_iter_close(&iter);
	damage(older, NULL, ": generation is ");
	damage(first_key_lower, NULL, " key is ");	/* the first, or the last one before it where there is no key between them */
	damage(twice_the_same, NULL, ": first key is ");
	damage(to_itself, NULL, ": level is ");
	damage(to_nowhere, NULL, "is in no chunk");
	damage(no_room_for_the_child, &first, ": last key is ");
}

/* The root item says another level or generation than the root node. */
static void trusts_no_root(void **state)
{
	(void)state;
	tree.level--;
	expect_everywhere(": level is ");
	tree.level = LEVEL_MAX;
	expect_everywhere("its root has level 8, not 0 to 7");
	tree.level = 2;
	tree.generation++;
	expect_everywhere(": generation is ");
}

/* In the last leaf under the root's first pointer: only the grandparent knows that the next one begins earlier. */
static void last_key_highest(uint8_t *bytes, void *context)
{
	const struct disk_header *header = (const struct disk_header *)bytes;
	struct disk_item *items = (struct disk_item *)(bytes + sizeof(*header));

	(void)context;
	items[le32(header->nritems) - 1].key.objectid = to_le64(UINT64_MAX);
}

/* A node takes a leaf of its neighbour's in the place of its last. */
static void steal_a_leaf(uint8_t *bytes, void *context)
{
	const struct disk_header *header = (const struct disk_header *)bytes;

	*pointer(bytes, le32(header->nritems) - 1) = *(const struct disk_key_ptr *)context;
}

static void subtrees_do_not_overlap(void **state)
{
	struct block *root, *first, *second;
	struct disk_key_ptr stolen;
	uint64_t node, leaf;
	struct error err;

	(void)state;
	assert_true(block_get(volume, tree.logical, NULL, &root, &err));
	assert_true(root->node.n_items >= 2 && root->node.level == 2);
	assert_true(block_child(root, 0, NULL, &first, &err));
	assert_true(block_child(root, 1, NULL, &second, &err));
	node = first->logical;
	leaf = node_child(&first->node, first->node.n_items - 1);
	stolen = *pointer(second->bytes, 1);
	block_put(root);
	block_put(first);
	block_put(second);

	image_edit_block(&image, volume, leaf, 1, last_key_highest, NULL);
	expect_everywhere(": last key is ");
	image_edit_block(&image, volume, node, 1, steal_a_leaf, &stolen);
	expect_everywhere(": last key is ");
}

#define with_tree(test) cmocka_unit_test_setup_teardown(test, open_it, close_it)

int main(void)
{
	const struct CMUnitTest tests[] = {
		with_tree(next_sees_what_the_walk_sees),
		with_tree(seeks_every_key_and_its_neighbours),
		with_tree(a_walk_goes_where_it_is_told),
		with_tree(opens_by_id),
		with_tree(all_blocks_are_given_back),
		with_tree(trusts_no_pointer),
		with_tree(trusts_no_root),
		with_tree(subtrees_do_not_overlap),
	};

	return cmocka_run_group_tests(tests, make, remove_it);
}

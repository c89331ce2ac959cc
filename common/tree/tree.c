/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Reads trees: from a root to items, forwards. */
#include "common/tree/tree.h"

#include <inttypes.h>

#include "common/tree/tree-gap.h"

/* --- roots ---------------------------------------------------------------- */

static bool not_found(uint64_t id, struct error *err)
{
	return error_set(err, ERROR_NOT_FOUND, "tree %" PRIu64 " not found", id);
}

/* The trees that the superblock points to. The log tree has the generation of a commit that did not happen. */
static bool tree_of_super(struct volume *volume, uint64_t id, struct tree *tree)
{
	const struct superblock *super = &volume->super;

	*tree = (struct tree){ .volume = volume, .id = id };
	switch (id) {
	case ROOT_TREE_ID:
		tree->logical = super->root;
		tree->generation = super->generation;
		tree->level = super->root_level;
		return true;
	case CHUNK_TREE_ID:
		tree->logical = super->chunk_root;
		tree->generation = super->chunk_root_generation;
		tree->level = super->chunk_root_level;
		return true;
	case TREE_LOG_ID:
		tree->logical = super->log_root;
		tree->level = super->log_root_level;
		return true;
	default:
		return false;
	}
}

static bool read_root_item(struct volume *volume, uint64_t id, struct root *root, struct key *root_key, struct error *err)
{
	const struct key last = { id, KEY_ROOT_ITEM, UINT64_MAX };
	cleanup_tree_iter struct tree_iter iter = { 0 };
	struct tree root_tree;

	tree_of_super(volume, ROOT_TREE_ID, &root_tree);
	if (!tree_seek_last(&root_tree, &last, &iter, err))
		return false;
	if (!iter.valid || iter.key.objectid != id || iter.key.type != KEY_ROOT_ITEM)
		return not_found(id, err);
	*root_key = iter.key;
	return root_read(&iter.item, root, err);
}

bool tree_open_root(struct volume *volume, uint64_t id, struct tree *tree, struct root *root, struct key *root_key,
		    struct error *err)
{
	struct root own_root;
	struct key own_key;

	if (!root)
		root = &own_root;
	if (!root_key)
		root_key = &own_key;
	if (tree_of_super(volume, id, tree)) {
		*root = (struct root){ 0 };
		*root_key = (struct key){ id, KEY_ROOT_ITEM, 0 };
		return tree->logical != 0 || not_found(id, err);
	}
	if (!read_root_item(volume, id, root, root_key, err))
		return false;
	*tree = (struct tree){
		.volume = volume,
		.id = id,
		.logical = root->bytenr,
		.generation = root->generation,
		.level = root->level,
	};
	return true;
}

bool tree_open(struct volume *volume, uint64_t id, struct tree *tree, struct error *err)
{
	return tree_open_root(volume, id, tree, NULL, NULL, err);
}

static bool get_root(const struct tree *tree, struct block **block, struct error *err)
{
	if (tree->level >= LEVEL_MAX)
		return error_set(err, ERROR_CORRUPT, "its root has level %u, not 0 to %u", tree->level, LEVEL_MAX - 1);

	const struct block_expect expect = { .level = tree->level, .generation = tree->generation };

	return block_get(tree->volume, tree->logical, &expect, block, err);
}

static bool name_tree(const struct tree *tree, struct error *err)
{
	return error_prefix(err, "tree %" PRIu64, tree->id);
}

/* --- the iterator --------------------------------------------------------- */

static void release(struct tree_iter *iter, unsigned below)
{
	for (unsigned level = 0; level < below; level++) {
		block_put(iter->path[level]);
		iter->path[level] = NULL;
	}
}

void tree_iter_close(struct tree_iter *iter)
{
	release(iter, LEVEL_MAX);
	iter->valid = iter->on_disk = false;
	iter->over = NULL;
	iter->item = (struct cursor){ 0 };
}

/* The upper bound for keys below the slot at level. NULL: none. */
static const struct key *path_bound(const struct tree_iter *iter, unsigned level, struct key *bound)
{
	const struct key *below = NULL;

	for (; level <= iter->tree.level && !below; level++)
		below = node_bound(&iter->path[level]->node, iter->slot[level], NULL, bound);
	return below;
}

static bool get_child(struct tree_iter *iter, unsigned level, struct error *err)
{
	struct key bound;

	return block_child(iter->path[level], iter->slot[level], path_bound(iter, level + 1, &bound), &iter->path[level - 1],
			   err);
}

/* Goes from the root to the leaf where key is or would be. slot[0] is as node_search() says. */
static bool descend(const struct tree *tree, const struct key *key, struct tree_iter *iter, struct error *err)
{
	const struct tree own = *tree;	/* it may belong to the iterator */
	struct block *root;

	tree_iter_close(iter);
	iter->tree = own;
	if (!get_root(&own, &root, err))
		return false;
	iter->path[own.level] = root;
	for (unsigned level = own.level; level > 0; level--) {
		iter->slot[level] = node_pointer_slot(&iter->path[level]->node, key);
		if (!get_child(iter, level, err))
			return false;
	}
	iter->slot[0] = node_search(&iter->path[0]->node, key);
	return true;
}

static bool on_disk(struct tree_iter *iter, bool is_there)
{
	iter->on_disk = is_there;
	return true;
}

/* Goes to the first item of the next leaf. */
static bool next_leaf(struct tree_iter *iter, struct error *err)
{
	unsigned level = 1;

	while (level <= iter->tree.level && iter->slot[level] + 1 >= iter->path[level]->node.n_items)
		level++;
	if (level > iter->tree.level)
		return on_disk(iter, false);
	release(iter, level);
	iter->slot[level]++;
	for (; level > 0; level--) {
		if (!get_child(iter, level, err))
			return false;
		iter->slot[level - 1] = 0;
	}
	return on_disk(iter, true);
}

static bool seek_on_disk(const struct tree *tree, const struct key *first, struct tree_iter *iter, struct error *err)
{
	if (!descend(tree, first, iter, err))
		return false;
	return iter->slot[0] < iter->path[0]->node.n_items ? on_disk(iter, true) : next_leaf(iter, err);
}

static bool next_on_disk(struct tree_iter *iter, struct error *err)
{
	if (iter->slot[0] + 1 >= iter->path[0]->node.n_items)
		return next_leaf(iter, err);
	iter->slot[0]++;
	return on_disk(iter, true);
}

static bool seek_last_on_disk(const struct tree *tree, const struct key *last, struct tree_iter *iter, struct error *err)
{
	if (!descend(tree, last, iter, err))
		return false;

	const struct node *leaf = &iter->path[0]->node;
	uint32_t slot = iter->slot[0];

	if (slot < leaf->n_items) {
		const struct key key = node_key(leaf, slot);

		if (key_compare(&key, last) == 0)
			slot++;
	}
	if (slot == 0)	/* only if the whole tree is beyond last: every other leaf begins with its pointer's key */
		return on_disk(iter, false);
	iter->slot[0] = slot - 1;
	return on_disk(iter, true);
}

/* Compares the current items of disk and overlay: < 0 if the disk's comes first. At least one exists. */
static int order(const struct tree_iter *iter)
{
	if (!iter->over || !iter->on_disk)
		return iter->on_disk ? -1 : 1;

	const struct key key = node_key(&iter->path[0]->node, iter->slot[0]);

	return key_compare(&key, &iter->over->key);
}

static bool show(struct tree_iter *iter, const struct key *key, const struct cursor *item)
{
	iter->key = *key;
	iter->item = *item;
	iter->valid = true;
	return true;
}

/* Shows the first of the current items of disk and overlay. If both have it, the overlay's counts. */
static bool show_first(struct tree_iter *iter, struct error *err)
{
	iter->valid = false;
	while (iter->on_disk || iter->over) {
		const int which = order(iter);

		if (which < 0) {
			const struct key key = node_key(&iter->path[0]->node, iter->slot[0]);
			const struct cursor item = leaf_item(&iter->path[0]->node, iter->slot[0]);

			return show(iter, &key, &item);
		}
		if (!iter->over->is_gone)
			return show(iter, &iter->over->key, &iter->over->item);
		if (which == 0 && !next_on_disk(iter, err))
			return false;
		iter->over = overlay_next(iter->over);
	}
	return true;
}

static bool fail(struct tree_iter *iter, struct error *err)
{
	tree_iter_close(iter);
	return name_tree(&iter->tree, err);
}

bool tree_seek_exact(const struct tree *tree, const struct key *first, struct tree_iter *iter, struct error *err)
{
	const struct overlay *overlay = tree->as_on_disk ? NULL : overlay_of(tree->volume, tree->id);
	const struct key from = *first;	/* it may belong to the iterator */

	if (!seek_on_disk(tree, &from, iter, err))
		return fail(iter, err);
	iter->over = overlay ? overlay_seek(overlay, &from) : NULL;
	return show_first(iter, err) || fail(iter, err);
}

bool tree_next_exact(struct tree_iter *iter, struct error *err)
{
	if (!iter->valid)
		return true;

	const int which = order(iter);

	if (which >= 0)
		iter->over = overlay_next(iter->over);
	if (which <= 0 && !next_on_disk(iter, err))
		return fail(iter, err);
	return show_first(iter, err) || fail(iter, err);
}

static bool tell_gap(void *context, const struct error *what, struct error *err)
{
	(void)err;
	volume_invalid(context, "%s", what->text);
	return true;
}

bool tree_seek(const struct tree *tree, const struct key *first, struct tree_iter *iter, struct error *err)
{
	struct volume *volume = tree->volume;

	return volume->tolerance.is_tolerant ? tree_seek_over(tree, first, iter, tell_gap, volume, err)
					     : tree_seek_exact(tree, first, iter, err);
}

bool tree_next(struct tree_iter *iter, struct error *err)
{
	struct volume *volume = iter->tree.volume;

	return iter->valid && volume->tolerance.is_tolerant ? tree_next_over(iter, tell_gap, volume, err) : tree_next_exact(iter, err);
}

bool tree_find(const struct tree *tree, const struct key *key, struct tree_iter *iter, bool *found, struct error *err)
{
	const struct key want = *key;	/* it may belong to the iterator */

	*found = false;
	if (!tree_seek(tree, &want, iter, err))
		return false;
	*found = iter->valid && key_compare(&iter->key, &want) == 0;
	return true;
}

static bool key_before(struct key *key)
{
	if (key->offset-- != 0)
		return true;
	if (key->type-- != 0)
		return true;
	return key->objectid-- != 0;
}

bool tree_seek_last(const struct tree *tree, const struct key *last, struct tree_iter *iter, struct error *err)
{
	const struct overlay *overlay = tree->as_on_disk ? NULL : overlay_of(tree->volume, tree->id);
	const struct tree own = *tree;	/* it may belong to the iterator */
	struct key at = *last;

	do {
		const struct overlay_item *over = overlay ? overlay_seek_last(overlay, &at) : NULL;

		if (!seek_last_on_disk(&own, &at, iter, err)) {
			fail(iter, err);
			return volume_tolerates(own.volume, err);	/* no item that one could know of */
		}
		iter->over = over;
		if (!overlay || (!over && !iter->on_disk))
			return show_first(iter, err) || fail(iter, err);

		/* Start both from the later of the two: what the overlay has after an item of the disk belongs to the result too. */
		const bool is_of_disk = !over || (order(iter) > 0 && iter->on_disk);

		at = is_of_disk ? node_key(&iter->path[0]->node, iter->slot[0]) : over->key;
		if (is_of_disk || !over->is_gone)
			return tree_seek(&own, &at, iter, err);
	} while (key_before(&at));
	tree_iter_close(iter);
	return true;
}

/* --- whole trees ---------------------------------------------------------- */

struct walk {
	const struct tree *tree;
	tree_visit *visit;
	void *context;
};

/* As deep as the tree: levels decrease. */
static bool walk_block(const struct walk *walk, struct block *block, const struct key *below, struct error *err)
{
	bool go_down = true;

	if (!walk->visit(walk->context, block, &go_down, err))
		return false;
	if (!go_down || node_is_leaf(&block->node))
		return true;
	for (uint32_t slot = 0; slot < block->node.n_items; slot++) {
		cleanup_block struct block *child = NULL;
		struct key bound;

		if (!block_child(block, slot, below, &child, err)) {
			name_tree(walk->tree, err);
			if (!volume_tolerates(walk->tree->volume, err))
				return false;
			continue;
		}
		if (!walk_block(walk, child, node_bound(&block->node, slot, below, &bound), err))
			return false;
	}
	return true;
}

bool tree_walk(const struct tree *tree, tree_visit *visit, void *context, struct error *err)
{
	const struct walk walk = { tree, visit, context };
	cleanup_block struct block *root = NULL;

	if (!get_root(tree, &root, err)) {
		name_tree(tree, err);
		return volume_tolerates(tree->volume, err);
	}
	return walk_block(&walk, root, NULL, err);
}

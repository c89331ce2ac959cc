/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Continues reading after a part of a tree that cannot be read. The pointers in readable nodes say where the next part begins. */
#include "common/tree/tree-gap.h"

/* Where the part after the deepest readable one around key begins. *any false: there is none. */
static bool key_behind(const struct tree *tree, const struct key *key, struct key *behind, bool *any, struct error *err)
{
	const struct block_expect expect = { .level = tree->level, .generation = tree->generation };
	cleanup_block struct block *block = NULL;
	struct error unread = { 0 };

	*any = false;
	if (!block_get(tree->volume, tree->logical, &expect, &block, &unread))
		return error_is_damage(&unread) || (*err = unread, false);
	while (!node_is_leaf(&block->node)) {
		const uint32_t slot = node_pointer_slot(&block->node, key);
		struct block *child;

		if (slot + 1 < block->node.n_items) {
			*behind = node_key(&block->node, slot + 1);
			*any = true;
		}
		if (!block_child(block, slot, *any ? behind : NULL, &child, &unread))
			return error_is_damage(&unread) || (*err = unread, false);
		block_put(block);
		block = child;
	}
	return true;
}

bool tree_seek_over(const struct tree *tree, const struct key *first, struct tree_iter *iter, tree_gap *gap, void *context,
		    struct error *err)
{
	const struct tree own = *tree;	/* it may belong to the iterator */
	struct error what = { 0 }, told = { 0 };
	struct key at = *first;
	bool any;

	/* This ends: each part begins behind the one before it. */
	while (!tree_seek_exact(&own, &at, iter, &what)) {
		if (!error_is_damage(&what)) {
			*err = what;
			return false;
		}
		/* Reached from the item before it and again from its own first key: report it once. */
		if (gap && strcmp(what.text, told.text) != 0 && !gap(context, &what, err))
			return false;
		told = what;
		if (!key_behind(&own, &at, &at, &any, err))
			return false;
		if (!any)
			return true;
	}
	return true;
}

bool tree_next_over(struct tree_iter *iter, tree_gap *gap, void *context, struct error *err)
{
	struct key after = iter->key;
	struct error what = { 0 };

	if (!iter->valid)
		return true;
	if (iter->slot[0] + 1 < iter->path[0]->node.n_items)
		return tree_next_exact(iter, err);
	if (after.offset != UINT64_MAX)
		after.offset++;
	else if (after.type != UINT8_MAX)
		after = (struct key){ after.objectid, after.type + 1, 0 };
	else if (after.objectid != UINT64_MAX)
		after = (struct key){ after.objectid + 1, 0, 0 };
	else
		return tree_next_exact(iter, err);
	if (tree_next_exact(iter, &what))
		return true;
	return tree_seek_over(&iter->tree, &after, iter, gap, context, err);
}

struct walk {
	const struct tree *tree;
	tree_visit *visit;
	tree_gap *gap;
	void *context;
};

static bool lose_block(const struct walk *walk, const struct error *what, struct error *err)
{
	*err = *what;
	return error_is_damage(what) && walk->gap(walk->context, what, err);
}

/* As deep as the tree: levels decrease. */
static bool walk_block(const struct walk *walk, struct block *block, const struct key *below, struct error *err)
{
	bool go_down = true;

	if (!walk->visit(walk->context, block, &go_down, err))
		return false;
	for (uint32_t slot = 0; go_down && !node_is_leaf(&block->node) && slot < block->node.n_items; slot++) {
		cleanup_block struct block *child = NULL;
		struct error what = { 0 };
		struct key bound;
		const bool ok = block_child(block, slot, below, &child, &what);

		if (!(ok ? walk_block(walk, child, node_bound(&block->node, slot, below, &bound), err) : lose_block(walk, &what, err)))
			return false;
	}
	return true;
}

bool tree_walk_over(const struct tree *tree, tree_visit *visit, tree_gap *gap, void *context, struct error *err)
{
	const struct block_expect expect = { .level = tree->level, .generation = tree->generation };
	const struct walk walk = { tree, visit, gap, context };
	cleanup_block struct block *root = NULL;
	struct error what = { 0 };

	return block_get(tree->volume, tree->logical, &expect, &root, &what) ? walk_block(&walk, root, NULL, err) : lose_block(&walk, &what, err);
}

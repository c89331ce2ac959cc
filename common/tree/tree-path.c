/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Paths from root to leaf, and how the inner nodes on them change. */
#include "common/tree/tree-path.h"

#include <inttypes.h>

void tree_path_release(struct tree_path *path)
{
	for (unsigned level = 0; level < LEVEL_MAX; level++) {
		block_put(path->block[level]);
		path->block[level] = NULL;
	}
}

/* An edit in place must not touch a block of another tree. */
static bool check_owner(const struct block *block, uint64_t id, struct error *err)
{
	return block->node.owner == id ||
	       error_set(err, ERROR_CORRUPT, "tree block at %#" PRIx64 ": owner is %" PRIu64 ", not %" PRIu64, block->logical,
			 block->node.owner, id);
}

bool tree_path_search(struct transaction *tx, uint64_t id, const struct key *key, struct tree_path *path, bool *found,
		      struct error *err)
{
	struct key bound[LEVEL_MAX];
	const struct key *below = NULL;

	tree_path_release(path);
	path->tx = tx;
	path->id = id;
	if (!transaction_root(tx, id, &path->root, err))
		return false;

	struct block *block;

	if (!block_get(tx->volume, path->root->logical, NULL, &block, err))
		return false;
	path->top = block->node.level;
	for (unsigned level = path->top;; level--) {
		const struct node *node = &block->node;

		path->block[level] = block;
		path->slot[level] = level == 0 ? node_search(node, key) : node_pointer_slot(node, key);
		if (!check_owner(block, id, err))
			return false;
		if (level == 0)
			break;
		if (!block_child(path->block[level], path->slot[level], below, &block, err))
			return error_prefix(err, "tree %" PRIu64, id);
		below = node_bound(node, path->slot[level], below, &bound[level]);
	}

	const struct node *leaf = &path->block[0]->node;

	*found = false;
	if (path->slot[0] < leaf->n_items) {
		const struct key at = node_key(leaf, path->slot[0]);

		*found = key_compare(&at, key) == 0;
	}
	return true;
}

bool tree_path_edit(struct tree_path *path, unsigned level, struct leaf_bytes *bytes, struct error *err)
{
	if (!check_owner(path->block[level], path->id, err) || !transaction_edit(path->tx, path->block[level], err))
		return false;
	*bytes = bytes_of(path->block[level]);
	return true;
}

bool tree_path_fix_first(struct tree_path *path, unsigned level, struct error *err)
{
	const struct key first = node_key(&path->block[level]->node, 0);

	while (level < path->top) {
		struct leaf_bytes bytes;

		level++;
		if (!tree_path_edit(path, level, &bytes, err))
			return false;
		leaf_set_key(bytes, path->slot[level], &first);
		if (!block_refresh(path->block[level], err))
			return false;
		if (path->slot[level] > 0)
			break;
	}
	return true;
}

/* Copies everything after the header, and the number and kind of entries. */
static void copy_content(struct block *to, const struct block *from)
{
	const size_t header = sizeof(struct disk_header);

	memcpy(to->bytes + header, from->bytes + header, from->node.size - header);
	to->bytes[offsetof(struct disk_header, level)] = from->bytes[offsetof(struct disk_header, level)];
	leaf_set_n_items(bytes_of(to), leaf_n_items(bytes_of(from)));
}

bool tree_path_grow(struct tree_path *path, struct error *err)
{
	const unsigned level = path->top;
	struct block *root = path->block[level], *child;
	const struct key first = node_key(&root->node, 0);
	struct leaf_bytes bytes;

	if (level + 1 >= LEVEL_MAX)
		return error_set(err, ERROR_REFUSED, "tree %" PRIu64 " has %u levels already", path->id, LEVEL_MAX);
	if (!transaction_new_block(path->tx, root, level, &child, err) || !tree_path_edit(path, level, &bytes, err))
		return false;
	copy_content(child, root);
	leaf_set_n_items(bytes, 0);
	root->bytes[offsetof(struct disk_header, level)] = level + 1;
	inner_insert(bytes, 0, &first, child->logical, child->node.generation);
	path->block[level] = block_hold(child);
	path->block[level + 1] = root;
	path->slot[level + 1] = 0;
	path->top = level + 1;
	return block_refresh(child, err) && block_refresh(root, err) &&
	       transaction_set_root_level(path->tx, path->id, level, level + 1, err);
}

/* Splits the full node at level. The path then goes through the half that has its pointer. */
static bool split_inner(struct tree_path *path, unsigned level, struct error *err)
{
	struct block *right;
	struct leaf_bytes bytes;

	if (level == path->top && !tree_path_grow(path, err))
		return false;

	struct block *left = path->block[level];
	const uint32_t n = left->node.n_items, slot = path->slot[level];
	/* Near the end, pointers will probably continue to ascend. */
	const uint32_t cut = slot >= n - n / 4 ? slot : n / 2;
	const struct key first = node_key(&left->node, cut);

	if (!transaction_new_block(path->tx, left, level, &right, err) || !tree_path_edit(path, level, &bytes, err))
		return false;
	inner_move_tail(bytes, cut, bytes_of(right));
	if (!block_refresh(left, err) || !block_refresh(right, err) ||
	    !tree_path_add_pointer(path, level + 1, &first, right, err))
		return false;
	if (slot >= cut) {
		path->slot[level] = slot - cut;
		path->slot[level + 1]++;
		path->block[level] = block_hold(right);
		block_put(left);
	}
	return true;
}

bool tree_path_add_pointer(struct tree_path *path, unsigned level, const struct key *key, const struct block *child,
			   struct error *err)
{
	struct leaf_bytes bytes;

	if (path->block[level]->node.n_items == inner_pointers_max(path->block[level]->node.size) &&
	    !split_inner(path, level, err))
		return false;
	if (!tree_path_edit(path, level, &bytes, err))
		return false;
	inner_insert(bytes, path->slot[level] + 1, key, child->logical, child->node.generation);
	return block_refresh(path->block[level], err);
}

/* Nothing is left, so the root becomes an empty leaf. */
static bool empty_root(struct tree_path *path, struct error *err)
{
	const uint8_t level = path->top;
	struct leaf_bytes bytes;

	if (!tree_path_edit(path, level, &bytes, err))
		return false;
	leaf_set_n_items(bytes, 0);
	bytes.at[offsetof(struct disk_header, level)] = 0;
	return block_refresh(path->block[level], err) &&
	       (level == 0 || transaction_set_root_level(path->tx, path->id, level, 0, err));
}

bool tree_path_prune(struct tree_path *path, unsigned level, struct error *err)
{
	struct leaf_bytes bytes;

	for (; level < path->top; level++) {
		struct block *parent = path->block[level + 1];

		if (!transaction_lose_block(path->tx, path->block[level], path->id, err) ||
		    !tree_path_edit(path, level + 1, &bytes, err))
			return false;
		inner_remove(bytes, path->slot[level + 1], 1);
		if (leaf_n_items(bytes) == 0)
			continue;
		if (!block_refresh(parent, err))
			return false;
		return path->slot[level + 1] > 0 || tree_path_fix_first(path, level + 1, err);
	}
	return empty_root(path, err);
}

bool tree_path_shrink(struct tree_path *path, struct error *err)
{
	struct block *root = path->block[path->top];
	const uint8_t old_level = root->node.level;

	while (root->node.level > 0 && root->node.n_items == 1) {
		cleanup_block struct block *child = NULL;
		struct leaf_bytes bytes;

		if (!block_child(root, 0, NULL, &child, err) || !check_owner(child, path->id, err) ||
		    !tree_path_edit(path, path->top, &bytes, err))
			return false;
		copy_content(root, child);
		if (!block_refresh(root, err) || !transaction_lose_block(path->tx, child, path->id, err))
			return false;
	}
	return root->node.level == old_level ||
	       transaction_set_root_level(path->tx, path->id, old_level, root->node.level, err);
}

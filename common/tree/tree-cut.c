/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Removes a range of keys by editing its two edges. What lies between is cut off unread. */
#include "common/tree/tree-edit.h"
#include "common/tree/tree-path.h"

/* How many slots of the leaf and the nodes above it lie before the right edge. */
static uint32_t n_before(const struct tree_path *right, unsigned level, bool last_is_there)
{
	return right->slot[level] + (level == 0 && last_is_there ? 1 : 0);
}

static bool cut_slots(struct tree_path *path, unsigned level, uint32_t first, uint32_t n, struct error *err)
{
	struct leaf_bytes bytes;

	if (n == 0)
		return true;
	if (!tree_path_edit(path, level, &bytes, err))
		return false;
	if (level == 0)
		leaf_remove(bytes, first, n);
	else
		inner_remove(bytes, first, n);
	return (level > 0 && leaf_n_items(bytes) == 0) || block_refresh(path->block[level], err);
}

/* The range ends in another leaf than it begins in: everything between the two paths is removed. */
static bool cut_between(struct tree_path *left, struct tree_path *right, bool last_is_there, struct error *err)
{
	unsigned level = 0;
	bool first_moved = false;

	for (; left->block[level] != right->block[level]; level++) {
		const uint32_t keep = left->slot[level] + (level > 0 ? 1 : 0);
		const uint32_t n = n_before(right, level, last_is_there);

		if (!cut_slots(left, level, keep, left->block[level]->node.n_items - keep, err) ||
		    !cut_slots(right, level, 0, n, err))
			return false;
		right->slot[level] = 0;
		first_moved |= n > 0;
	}
	/* The paths part here, at the root at the latest. */
	if (!cut_slots(left, level, left->slot[level] + 1, right->slot[level] - left->slot[level] - 1, err))
		return false;
	right->slot[level] = left->slot[level] + 1;

	if (leaf_n_items(bytes_of(right->block[0])) == 0) {
		if (!tree_path_prune(right, 0, err))
			return false;
	} else if (first_moved && !tree_path_fix_first(right, 0, err)) {
		return false;
	}
	return leaf_n_items(bytes_of(left->block[0])) > 0 || tree_path_prune(left, 0, err);
}

bool tree_edit_cut(struct transaction *tx, uint64_t id, const struct key *first, const struct key *last, struct error *err)
{
	cleanup_tree_path struct tree_path left = { 0 }, right = { 0 };
	bool first_is_there, last_is_there;

	if (!tree_path_search(tx, id, first, &left, &first_is_there, err) ||
	    !tree_path_search(tx, id, last, &right, &last_is_there, err))
		return false;
	if (left.block[0] != right.block[0])
		return cut_between(&left, &right, last_is_there, err) && tree_path_shrink(&left, err);

	const uint32_t end = n_before(&right, 0, last_is_there);

	if (left.slot[0] >= end)
		return true;
	if (left.slot[0] == 0 && end == left.block[0]->node.n_items)
		return tree_path_prune(&left, 0, err) && tree_path_shrink(&left, err);
	return cut_slots(&left, 0, left.slot[0], end - left.slot[0], err) &&
	       (left.slot[0] > 0 || tree_path_fix_first(&left, 0, err));
}

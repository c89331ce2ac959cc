/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Queries to the current extent tree, and how much the kernel wants to keep free. */
#include <inttypes.h>

#include "common/tree/allocator.h"
#include "format/extent-item.h"

#define GLOBAL_RESERVE_MIN	(1ull << 20)
#define GLOBAL_RESERVE_MAX	(512ull << 20)

/* Is this the item of an extent of this length and kind? */
static bool item_matches(struct tree_iter *iter, uint64_t length, enum extent_use use, bool *found, struct error *err)
{
	struct extent_item extent;

	if (iter->key.type == KEY_METADATA_ITEM ? length != iter->tree.volume->super.node_size : length != iter->key.offset)
		return true;
	if (!extent_item_read(&iter->item, &iter->key, &extent, err))
		return false;
	*found = use == (extent.flags & EXTENT_FLAG_TREE_BLOCK ? EXTENT_OF_TREE : EXTENT_OF_DATA);
	return true;
}

bool extent_is_allocated(struct volume *volume, uint64_t logical, uint64_t length, enum extent_use use, bool *found,
			 struct error *err)
{
	const struct key first = { logical, KEY_EXTENT_ITEM, 0 };
	cleanup_tree_iter struct tree_iter iter = { 0 };
	struct tree tree;

	*found = false;
	if (!tree_open(volume, EXTENT_TREE_ID, &tree, err) || !tree_seek(&tree, &first, &iter, err))
		return false;
	if (!iter.valid || iter.key.objectid != logical ||
	    (iter.key.type != KEY_EXTENT_ITEM && iter.key.type != KEY_METADATA_ITEM))
		return true;
	return item_matches(&iter, length, use, found, err);
}

/* Leaves can be counted without being read. */
static bool count_block(void *context, struct block *block, bool *descend, struct error *err)
{
	uint64_t *n = context;

	(void)err;
	*n += 1 + (block->node.level == 1 ? block->node.n_items : 0);
	*descend = block->node.level > 1;
	return true;
}

/* A root item says how much its tree uses. The root tree has none. */
static bool add_used(struct volume *volume, uint64_t id, uint64_t *bytes, struct error *err)
{
	struct tree tree;
	struct root root;
	uint64_t n = 0;

	if (!tree_open_root(volume, id, &tree, &root, NULL, err))
		return err->kind == ERROR_NOT_FOUND;
	if (id != ROOT_TREE_ID) {
		*bytes += root.bytes_used < GLOBAL_RESERVE_MAX ? root.bytes_used : GLOBAL_RESERVE_MAX;
		return true;
	}
	if (!tree_walk(&tree, count_block, &n, err))
		return false;
	*bytes += n * volume->super.node_size;
	return true;
}

bool allocator_global_reserve(struct volume *volume, uint64_t *bytes, struct error *err)
{
	uint64_t sum = 0;

	if (!add_used(volume, ROOT_TREE_ID, &sum, err) || !add_used(volume, EXTENT_TREE_ID, &sum, err) ||
	    !add_used(volume, CSUM_TREE_ID, &sum, err) || !add_used(volume, FREE_SPACE_TREE_ID, &sum, err) ||
	    !add_used(volume, BLOCK_GROUP_TREE_ID, &sum, err))
		return false;
	*bytes = sum < GLOBAL_RESERVE_MIN ? GLOBAL_RESERVE_MIN : sum > GLOBAL_RESERVE_MAX ? GLOBAL_RESERVE_MAX : sum;
	return true;
}

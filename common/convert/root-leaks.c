/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "common/convert/root-leaks.h"

#include "common/tree/tree.h"
#include "common/util/array.h"
#include "common/util/set64.h"
#include "format/extent-item.h"

static bool collect(void *context, struct block *block, bool *descend, struct error *err)
{
	(void)descend;
	return set64_add(context, block->logical, NULL, err);
}

static bool is_of_root_tree(struct cursor refs, bool *is, struct error *err)
{
	*is = false;
	while (refs.left > 0) {
		struct extent_ref ref;

		if (!extent_ref_next(&refs, &ref, err))
			return false;
		if (ref.type == KEY_TREE_BLOCK_REF && ref.root == ROOT_TREE_ID)
			*is = true;
	}
	return true;
}

bool root_leaks_find(struct volume *volume, struct root_leaks *leaks, struct error *err)
{
	cleanup_set64 struct set64 reached = { 0 };
	cleanup_tree_iter struct tree_iter iter = { 0 };
	const struct key first = { 0, 0, 0 };
	struct tree tree;

	if (!tree_open(volume, ROOT_TREE_ID, &tree, err) || !tree_walk(&tree, collect, &reached, err) ||
	    !tree_open(volume, EXTENT_TREE_ID, &tree, err))
		return false;
	for (bool ok = tree_seek(&tree, &first, &iter, err);; ok = tree_next(&iter, err)) {
		struct extent_item extent;
		struct cursor item = iter.item;
		bool ours;

		if (!ok)
			return false;
		if (!iter.valid)
			return true;
		if (iter.key.type != KEY_METADATA_ITEM && iter.key.type != KEY_EXTENT_ITEM)
			continue;
		if (!extent_item_read(&item, &iter.key, &extent, err))
			return false;
		if (!(extent.flags & EXTENT_FLAG_TREE_BLOCK) || set64_has(&reached, iter.key.objectid))
			continue;
		if (!is_of_root_tree(extent.inline_refs, &ours, err))
			return false;
		if (!ours)
			continue;
		if (!ARRAY_ROOM(leaks->at, leaks->n, leaks->room, err))
			return false;
		leaks->at[leaks->n++] = (struct root_leak){ iter.key.objectid, extent.level };
	}
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What copying leaves outside, and where the copies go. */
#include <stdlib.h>

#include "common/convert/copy-plan.h"

struct counting {
	const struct scan *scan;
	uint32_t *stamp;	/* of each extent: the keeper it was last counted for, plus 1 */
	uint32_t now;
	uint64_t bytes;
};

static bool count_leaf(void *context, struct block *block, bool *descend, struct error *err)
{
	struct counting *counting = context;
	const struct scan *const scan = counting->scan;

	(void)descend;
	for (uint32_t i = 0; node_is_leaf(&block->node) && i < block->node.n_items; i++) {
		const struct key key = node_key(&block->node, i);
		struct cursor item = leaf_item(&block->node, i);
		const struct scan_extent *found;
		struct file_extent extent;

		if (key.type != KEY_EXTENT_DATA)
			continue;
		if (!file_extent_read(&item, key.offset, scan->volume->super.sector_size, &extent, err))
			return false;
		found = file_extent_has_disk(&extent) ? scan_extent_at(scan, extent.disk_bytenr) : NULL;
		if (!found || counting->stamp[found - scan->extent] == counting->now)
			continue;
		counting->stamp[found - scan->extent] = counting->now;
		counting->bytes += found->length;
	}
	return true;
}

bool copy_plan_keepers(struct copy_plan *plan, const struct scan *scan, struct error *err)
{
	struct counting counting = { .scan = scan, .stamp = calloc(scan->n_extents + 1, sizeof(*counting.stamp)) };
	bool ok = counting.stamp || error_memory(err);

	for (size_t i = 0; ok && i < plan->n_keepers; i++) {
		struct tree tree;

		counting.now++;
		counting.bytes = 0;
		ok = tree_open(scan->volume, plan->keeper[i].id, &tree, err) && tree_walk(&tree, count_leaf, &counting, err);
		plan->keeper[i].bytes = counting.bytes;
	}
	free(counting.stamp);
	return ok;
}

bool copy_plan_place(struct copy_plan *plan, struct allocator *allocator, struct error *err)
{
	plan->data_missing = 0;
	for (size_t i = 0; i < plan->n_extents; i++) {
		uint64_t logical;
		bool found;

		if (!allocator_take_data(allocator, plan->extent[i].length, &logical, &found, err))
			return false;
		if (!found)
			plan->data_missing += plan->extent[i].length;
	}
	plan->n_free_blocks = allocator_n_free_blocks(allocator);
	return true;
}

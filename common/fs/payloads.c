/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Payloads in leaves that are inline units, or become some. */
#include "common/fs/payloads.h"

bool payloads_of_leaf(const struct scan *scan, const struct scan_block *at, struct block *block, struct mode_memory *memory,
			  payload_visit *visit, void *context, struct error *err)
{
	for (uint32_t slot = 0; slot < block->node.n_items; slot++) {
		const struct key key = node_key(&block->node, slot);
		struct inline_payload payload;
		uint32_t mode = 0;

		if (!inline_payload_of(&key, leaf_item(&block->node, slot), mode, &payload))
			continue;
		if (key.type == KEY_EXTENT_DATA) {
			if (!inode_mode(memory, &scan->tree[at->member], key.objectid, &mode, err))
				return false;
			(void)inline_payload_of(&key, leaf_item(&block->node, slot), mode, &payload);
		}
		if (!visit(context, at, &payload, err))
			return false;
	}
	return true;
}

bool payloads_visit(const struct scan *scan, payload_visit *visit, void *context, struct error *err)
{
	struct mode_memory memory = { 0 };

	for (size_t i = 0; i < scan->n_blocks; i++) {
		const struct block_expect expect = { .level = 0 };
		cleanup_block struct block *block = NULL;

		if (scan->block[i].level != 0)
			continue;
		if (!block_get(scan->volume, scan->block[i].logical, &expect, &block, err) ||
		    !payloads_of_leaf(scan, &scan->block[i], block, &memory, visit, context, err))
			return false;
	}
	return true;
}

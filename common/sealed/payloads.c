/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Finds payloads in leaves that are inline units, or will become some. */
#include "common/sealed/payloads.h"

#include "common/fs/orphan.h"
#include "common/volume/tolerance.h"

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
			if (!inode_mode(memory, &scan->tree[at->member], key.objectid, &mode, err)) {
				if (scan->n_bad > 0 && error_is_damage(err))
					continue;	/* the damage of the inode, or of its block, was already reported */
				return false;
			}
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
		cleanup_block struct block *block = NULL;

		if (scan->block[i].level != 0)
			continue;
		if (!scan_block_get(scan, &scan->block[i], &block, err) ||
		    !payloads_of_leaf(scan, &scan->block[i], block, &memory, visit, context, err))
			return false;
	}
	return true;
}

static uint8_t type_of(enum crypt_inline_kind kind)
{
	return kind == INLINE_VERITY_DESC ? KEY_VERITY_DESC : kind == INLINE_VERITY_MERKLE ? KEY_VERITY_MERKLE : KEY_EXTENT_DATA;
}

/* Nothing is remembered from one tree to the next, because hardly any payload gets here. */
static bool is_left_out_of(const struct tree *tree, const struct key *key, bool *left_out, struct error *err)
{
	struct orphan_memory memory = { .over_damage = true };

	return orphan_leaves_out(&memory, tree, key, left_out, err);
}

bool payload_is_left_out(const struct scan *scan, const struct scan_block *leaf, const struct inline_payload *payload, bool *left_out,
			 struct error *err)
{
	const struct key key = { payload->inode, type_of(payload->kind), payload->offset };

	if (!is_left_out_of(&scan->tree[leaf->member], &key, left_out, err))
		return false;
	/* Members are ascending, and leaf->member is the lowest that has the leaf. */
	for (size_t m = leaf->member + (size_t)1; *left_out && m < scan->n_members; m++) {
		cleanup_tree_iter struct tree_iter iter = { 0 };
		bool found;

		if (!tree_find(&scan->tree[m], &key, &iter, &found, err) ||
		    (found && iter.path[0]->logical == leaf->logical && !is_left_out_of(&scan->tree[m], &key, left_out, err)))
			return false;
	}
	return true;
}

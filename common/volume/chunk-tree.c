/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Reads the chunks in the superblock and those in the chunk tree. */
#include "common/volume/chunk-tree.h"

#include <inttypes.h>

#include "common/volume/block.h"
#include "common/volume/chunk-map.h"
#include "common/volume/device-extents.h"
#include "common/volume/devices.h"

bool chunk_array_read(struct volume *volume, struct error *err)
{
	struct cursor array = volume->super.sys_chunks;
	struct chunk_stripe room[CHUNK_STRIPES_MAX];
	struct chunk chunk;

	while (array.left > 0) {
		const bool reads = chunk_array_next(&array, volume->super.sector_size, room, &chunk, err);

		if (reads && chunk_map_add(volume, &chunk, err))
			continue;
		error_prefix(err, "superblock's system chunks");
		if (!volume_tolerates(volume, err))
			return false;
		if (!reads)
			break;
	}
	return true;
}

static bool read_item(struct volume *volume, const struct node *leaf, uint32_t slot, struct error *err)
{
	const struct key key = node_key(leaf, slot);
	struct cursor item = leaf_item(leaf, slot);
	struct chunk_stripe room[CHUNK_STRIPES_MAX];
	struct chunk chunk;

	if (key.objectid == DEV_ITEMS_ID && key.type == KEY_DEV_ITEM && !volume_device_item(volume, &item, err))
		return error_prefix(err, "tree block %" PRIu64 " slot %" PRIu32, leaf->logical, slot);
	if (key.type != KEY_CHUNK_ITEM)
		return true;
	if (key.objectid != FIRST_CHUNK_TREE_ID)
		return error_set(err, ERROR_CORRUPT, "tree block %" PRIu64 " slot %" PRIu32 ": chunk item of object %" PRIu64
				 ", not %llu", leaf->logical, slot, key.objectid, FIRST_CHUNK_TREE_ID);
	return chunk_read(&item, key.offset, volume->super.sector_size, room, &chunk, err) && chunk_map_add(volume, &chunk, err);
}

bool chunk_leaf_read(struct volume *volume, const struct node *leaf, struct error *err)
{
	for (uint32_t slot = 0; slot < leaf->n_items; slot++)
		if (!read_item(volume, leaf, slot, err) && !volume_tolerates(volume, err))
			return false;
	return true;
}

/* The recursion is as deep as the tree, because levels fall. */
static bool read_chunk_node(struct volume *volume, const struct block *block, const struct key *below, struct error *err)
{
	if (node_is_leaf(&block->node))
		return chunk_leaf_read(volume, &block->node, err);
	for (uint32_t slot = 0; slot < block->node.n_items; slot++) {
		cleanup_block struct block *child = NULL;
		struct key bound;

		if (!block_child(block, slot, below, &child, err)) {
			if (!volume_tolerates(volume, err))
				return false;
		} else if (!read_chunk_node(volume, child, node_bound(&block->node, slot, below, &bound), err)) {
			return false;
		}
	}
	return true;
}

static bool read_chunk_tree(struct volume *volume, struct error *err)
{
	const struct superblock *super = &volume->super;
	const struct block_expect expect = { .level = super->chunk_root_level, .generation = super->chunk_root_generation };
	cleanup_block struct block *root = NULL;

	if (!block_get(volume, super->chunk_root, &expect, &root, err) || !read_chunk_node(volume, root, NULL, err))
		return error_prefix(err, "chunk tree");
	return true;
}

bool chunk_tree_read(struct volume *volume, struct error *err)
{
	return chunk_array_read(volume, err) && read_chunk_tree(volume, err) &&
	       (device_extents_check(volume, err) || volume_tolerates(volume, err));
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Records new chunks in the trees: chunk tree, device tree, block groups, free space. */
#include "common/tree/chunk-alloc.h"

#include <inttypes.h>
#include <stdlib.h>

#include "common/tree/tree-edit.h"
#include "common/tree/tree-path.h"
#include "common/volume/chunk-map.h"
#include "common/volume/stripe.h"

/* --- the chunk tree, in new blocks ------------------------------------------------------------ */

/* Copies source to a new block that replaces it. */
static bool copy_block(struct transaction *tx, struct block *source, struct block **out, struct error *err)
{
	const size_t header = sizeof(struct disk_header);
	struct block *copy;

	if (!transaction_new_block(tx, source, source->node.level, &copy, err))
		return false;
	memcpy(copy->bytes + header, source->bytes + header, source->node.size - header);
	leaf_set_n_items(bytes_of(copy), source->node.n_items);
	*out = copy;
	return block_refresh(copy, err) && transaction_lose_block(tx, source, CHUNK_TREE_ID, err);
}

/* Makes the pointer to the block at this level of the path point to its copy. */
static bool point_to(struct tree_path *path, unsigned level, const struct block *copy, struct error *err)
{
	struct leaf_bytes parent;

	if (level == path->top) {
		path->root->logical = copy->logical;
		superblock_set_chunk_root(&path->tx->volume->super, copy->logical);
		return true;
	}
	if (!tree_path_edit(path, level + 1, &parent, err))
		return false;

	struct disk_key_ptr *pointer = (struct disk_key_ptr *)(parent.at + sizeof(struct disk_header)) + path->slot[level + 1];

	pointer->blockptr = to_le64(copy->logical);
	return block_refresh(path->block[level + 1], err);
}

/* Copies the path from the root to the leaf of key into blocks of this transaction, which may be edited. */
static bool copy_path(struct transaction *tx, const struct key *key, struct error *err)
{
	cleanup_tree_path struct tree_path path = { 0 };
	bool found;

	if (!tree_path_search(tx, CHUNK_TREE_ID, key, &path, &found, err))
		return false;
	for (unsigned level = path.top + 1u; level-- > 0;) {
		struct block *copy;

		if (path.block[level]->is_new)
			continue;
		if (!copy_block(tx, path.block[level], &copy, err) || !point_to(&path, level, copy, err))
			return false;
		block_put(path.block[level]);
		path.block[level] = block_hold(copy);
	}
	return true;
}

static size_t chunk_bytes(const struct chunk *chunk)
{
	return sizeof(struct disk_chunk) + chunk->n_stripes * sizeof(struct disk_stripe);
}

static bool insert_chunk(struct transaction *tx, const struct chunk *chunk, struct error *err)
{
	const struct key key = { FIRST_CHUNK_TREE_ID, KEY_CHUNK_ITEM, chunk->logical };
	const struct disk_chunk disk = {
		.length = to_le64(chunk->length),
		.owner = to_le64(EXTENT_TREE_ID),
		.stripe_len = to_le64(chunk->stripe_len),
		.type = to_le64(chunk->type),
		.io_align = to_le32((uint32_t)chunk->stripe_len),
		.io_width = to_le32((uint32_t)chunk->stripe_len),
		.sector_size = to_le32(tx->volume->super.sector_size),
		.num_stripes = to_le16((uint16_t)chunk->n_stripes),
		.sub_stripes = to_le16((uint16_t)chunk->sub_stripes),
	};
	const size_t len = chunk_bytes(chunk);
	uint8_t *bytes = malloc(len);
	bool ok;

	if (!bytes)
		return error_memory(err);
	memcpy(bytes, &disk, sizeof(disk));
	for (unsigned i = 0; i < chunk->n_stripes; i++) {
		struct disk_stripe stripe = { to_le64(chunk->stripe[i].devid), to_le64(chunk->stripe[i].physical), { 0 } };

		memcpy(stripe.dev_uuid, chunk->stripe[i].dev_uuid, UUID_SIZE);
		memcpy(bytes + sizeof(disk) + i * sizeof(stripe), &stripe, sizeof(stripe));
	}
	ok = copy_path(tx, &key, err) && tree_edit_insert(tx, CHUNK_TREE_ID, &key, bytes, (uint32_t)len, err);
	free(bytes);
	return ok;
}

/* In the chunk tree and in what the superblocks of the device will have. */
static bool count_on_device(struct transaction *tx, uint64_t devid, uint64_t bytes, struct error *err)
{
	const struct key key = { DEV_ITEMS_ID, KEY_DEV_ITEM, devid };
	struct disk_dev_item *disk;
	uint8_t *data;

	if (!copy_path(tx, &key, err) || !tree_edit_payload(tx, CHUNK_TREE_ID, &key, sizeof(*disk), &data, err))
		return false;
	disk = (struct disk_dev_item *)data;

	const uint64_t used = le64(disk->bytes_used), total = le64(disk->total_bytes);

	if (used > total || bytes > total - used)
		return error_set(err, ERROR_CORRUPT, "device %" PRIu64 ": %" PRIu64 " of %" PRIu64 " bytes are used, but %" PRIu64
				 " are free", devid, used, total, bytes);
	disk->bytes_used = to_le64(used + bytes);
	for (size_t i = 0; i < tx->volume->n_devices; i++)
		if (tx->volume->devices[i].devid == devid)
			tx->volume->devices[i].item.bytes_used = disk->bytes_used;
	return true;
}

static bool count_on_devices(struct transaction *tx, const struct chunk *chunk, struct error *err)
{
	for (unsigned i = 0; i < chunk->n_stripes; i++)
		if (!count_on_device(tx, chunk->stripe[i].devid, stripe_length(chunk), err))
			return false;
	return true;
}

/* --- the other trees ----------------------------------------------------------------------------- */

static bool chunk_tree_uuid(struct transaction *tx, uint8_t uuid[UUID_SIZE], struct error *err)
{
	cleanup_block struct block *root = NULL;

	if (!block_get(tx->volume, tx->volume->super.chunk_root, NULL, &root, err))
		return false;
	memcpy(uuid, root->bytes + offsetof(struct disk_header, chunk_tree_uuid), UUID_SIZE);
	return true;
}

static bool insert_device_extents(struct transaction *tx, const struct chunk *chunk, struct error *err)
{
	struct disk_dev_extent disk = {
		.chunk_tree = to_le64(CHUNK_TREE_ID),
		.chunk_objectid = to_le64(FIRST_CHUNK_TREE_ID),
		.chunk_offset = to_le64(chunk->logical),
		.length = to_le64(stripe_length(chunk)),
	};

	if (!chunk_tree_uuid(tx, disk.chunk_tree_uuid, err))
		return false;
	for (unsigned i = 0; i < chunk->n_stripes; i++) {
		const struct key key = { chunk->stripe[i].devid, KEY_DEV_EXTENT, chunk->stripe[i].physical };

		if (!tree_edit_insert(tx, DEV_TREE_ID, &key, &disk, sizeof(disk), err))
			return false;
	}
	return true;
}

static bool insert_group(struct transaction *tx, const struct chunk *chunk, struct error *err)
{
	const bool own_tree = tx->volume->super.compat_ro & COMPAT_RO_BLOCK_GROUP_TREE;
	const struct key key = { chunk->logical, KEY_BLOCK_GROUP_ITEM, chunk->length };
	const struct disk_block_group disk = { .chunk_objectid = to_le64(FIRST_CHUNK_TREE_ID), .flags = to_le64(chunk->type) };

	return tree_edit_insert(tx, own_tree ? BLOCK_GROUP_TREE_ID : EXTENT_TREE_ID, &key, &disk, sizeof(disk), err);
}

/* All of it is free, superblock copies included: that is how the kernel writes it. */
static bool insert_free_space(struct transaction *tx, const struct chunk *chunk, struct error *err)
{
	const struct key info = { chunk->logical, KEY_FREE_SPACE_INFO, chunk->length };
	const struct key all = { chunk->logical, KEY_FREE_SPACE_EXTENT, chunk->length };
	const struct disk_free_space_info disk = { .extent_count = to_le32(1) };

	if (!(tx->volume->super.compat_ro & COMPAT_RO_FREE_SPACE_TREE))
		return true;
	return tree_edit_insert(tx, FREE_SPACE_TREE_ID, &info, &disk, sizeof(disk), err) &&
	       tree_edit_insert(tx, FREE_SPACE_TREE_ID, &all, NULL, 0, err);
}

/* --- all trees ------------------------------------------------------------------------------------------ */

static bool add_chunk(struct transaction *tx, const struct chunk *chunk, struct error *err)
{
	return insert_chunk(tx, chunk, err) && count_on_devices(tx, chunk, err) &&
	       insert_device_extents(tx, chunk, err) && insert_group(tx, chunk, err) && insert_free_space(tx, chunk, err);
}

/* The most devices that a chunk of the plan has, and the most bytes of an item. */
static void count_most(const struct chunk_plan *plan, unsigned *n_devices, size_t *item)
{
	*n_devices = 1;
	*item = sizeof(struct disk_chunk);
	for (size_t i = 0; i < plan->n; i++) {
		const struct chunk *chunk = &plan->chunk[i];
		const unsigned n = chunk->type & GROUP_DUP ? 1 : chunk->n_stripes;

		*n_devices = n > *n_devices ? n : *n_devices;
		*item = chunk_bytes(chunk) > *item ? chunk_bytes(chunk) : *item;
	}
}

bool chunk_alloc_check(struct volume *volume, const struct allocator *allocator, const struct chunk_plan *plan, struct error *err)
{
	const uint64_t levels = volume->super.chunk_root_level + 1u, n_free = allocator_n_free_system_blocks(allocator);
	unsigned n_devices;
	size_t item;

	count_most(plan, &n_devices, &item);

	const uint64_t per_leaf = (volume->super.node_size - sizeof(struct disk_header)) / (item + sizeof(struct disk_item));
	/* The device items may be in a leaf each, and different chunks on different devices. */
	const uint64_t n_items = volume->n_devices < plan->n * n_devices ? volume->n_devices : plan->n * n_devices;
	/* The path of the new items and those of the device items, the added leaves, and a split of each level including the root. */
	const uint64_t paths = levels == 1 ? 2 : levels * (1 + n_items), most = paths + plan->n / per_leaf + 2 + levels;

	return n_free >= most ||
	       error_set(err, ERROR_NO_SPACE, "the system block groups have room for %" PRIu64 " tree blocks, but a new metadata chunk "
			 "may need %" PRIu64, n_free, most);
}

bool chunk_alloc_for(struct transaction *tx, const struct chunk_want *want, struct error *err)
{
	cleanup_chunk_plan struct chunk_plan plan = { 0 };

	if (!chunk_plan_make_for(tx->volume, tx->allocator, want, &plan, err))
		return false;
	if (plan.usable_data < want->data)
		return error_set(err, ERROR_NO_SPACE, "the devices have room for %" PRIu64 " bytes of data, but %" PRIu64 " are needed", plan.usable_data,
				 want->data);
	if (plan.usable < want->metadata)
		return error_set(err, ERROR_NO_SPACE, "there is room for %" PRIu64 " bytes of metadata, but %" PRIu64 " are needed",
				 plan.usable, want->metadata);
	/* From the first insert on, the trees may put their own blocks into the new chunks. */
	for (size_t i = 0; i < plan.n; i++) {
		if (!chunk_map_add(tx->volume, &plan.chunk[i], err) || !allocator_add_group(tx->allocator, &plan.chunk[i], err))
			return false;
	}
	for (size_t i = 0; i < plan.n; i++) {
		if (!add_chunk(tx, &plan.chunk[i], err))
			return false;
	}
	return transaction_carry(tx, err);
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "common/audit/where.h"

#include <stdlib.h>

#include "common/fs/backref.h"
#include "common/volume/block.h"
#include "common/volume/device-extents.h"
#include "common/volume/devices.h"
#include "common/volume/stripe.h"

#define STEP 4096u		/* what is free, or in no chunk, is looked at in such pieces */

/* --- from the device to the logical address --------------------------------------------------------------------- */

static unsigned n_data_stripes(const struct chunk *chunk)
{
	return chunk->type & GROUP_RAID10 ? chunk->n_stripes / chunk->sub_stripes : chunk->n_stripes - stripe_n_parity(chunk);
}

/* The address of the byte `offset` of stripe s. False: it is parity, or no address leads there. */
static bool logical_of(const struct chunk *chunk, unsigned s, uint64_t offset, uint64_t *logical, uint64_t *left)
{
	const uint64_t row = offset / chunk->stripe_len;

	if (!(chunk->type & (GROUP_RAID0 | GROUP_RAID10 | GROUP_RAID5 | GROUP_RAID6))) {
		*logical = chunk->logical + offset;
		*left = chunk->length - offset;
		return true;
	}
	for (unsigned i = 0; i < n_data_stripes(chunk); i++) {
		const uint64_t in_chunk = (row * n_data_stripes(chunk) + i) * chunk->stripe_len + offset % chunk->stripe_len;

		for (unsigned mirror = 0; in_chunk < chunk->length && mirror < (chunk->type & GROUP_RAID10 ? chunk->sub_stripes : 1u); mirror++) {
			const struct stripe_place place = stripe_place(chunk, chunk->logical + in_chunk, mirror);

			if (place.stripe == s) {
				*logical = chunk->logical + in_chunk;
				*left = place.len;
				return true;
			}
		}
	}
	return false;
}

/* --- a byte in use ------------------------------------------------------------------------------------------------- */

static bool note_file(void *context, const struct backref_file *file, struct error *err)
{
	struct where *where = context;

	(void)err;
	if (where->n_files++ == 0) {
		where->root = file->root;
		where->inode = file->inode;
		where->offset = file->offset;
	}
	return true;
}

static bool is_in_data(struct volume *volume, const struct backref_extent *extent, struct where *where, struct error *err)
{
	struct backref_query query = { .volume = volume, .logical = where->logical, .visit = note_file, .context = where };
	uint64_t n_stale = 0;

	where->kind = WHERE_FILE;
	if (!backref_files(&query, extent, &n_stale, err))
		return false;
	if (where->n_files > 0)
		return true;
	where->kind = WHERE_UNUSED_PART;
	query.whole = true;
	return backref_files(&query, extent, &n_stale, err);
}

static void find_item(const struct node *node, uint64_t at, struct where *where)
{
	where->kind = node_is_leaf(node) ? WHERE_TREE_GAP : WHERE_TREE_ITEM;
	where->len = node->size - at;
	for (uint32_t slot = 0; node_is_leaf(node) && slot < node->n_items; slot++) {
		const uint32_t begin = leaf_item_at(node, slot);
		const struct cursor item = leaf_item(node, slot);

		if (at < begin && begin - at < where->len)
			where->len = begin - at;
		if (at < begin || at - begin >= item.left)
			continue;
		const struct key key = node_key(node, slot);

		where->kind = key.type == KEY_EXTENT_DATA ? WHERE_FILE : WHERE_TREE_ITEM;
		where->inode = where->kind == WHERE_FILE ? key.objectid : 0;
		where->len = item.left - (at - begin);
		return;
	}
}

static bool is_in_tree(struct volume *volume, const struct backref_extent *extent, struct where *where, struct error *err)
{
	cleanup_block struct block *block = NULL;
	struct root_ids roots = { 0 };
	uint64_t n_stale = 0;
	bool ok;

	if (!block_get(volume, extent->logical, NULL, &block, err))
		return false;
	find_item(&block->node, where->logical - extent->logical, where);
	where->generation = block->node.generation;
	ok = backref_roots(volume, extent->logical, &roots, &n_stale, err);
	if (ok && roots.n > 0)
		where->root = roots.id[0];
	where->n_files = where->kind == WHERE_FILE ? roots.n : 0;
	free(roots.id);
	return ok;
}

/* --- a byte that is free ------------------------------------------------------------------------------------------- */

/* Is it in a tree block of this filesystem, going by the header? */
static bool find_old_block(struct volume *volume, const struct volume_device *device, uint64_t physical, struct where *where, struct error *err)
{
	const uint64_t size = volume->super.node_size, begin = physical / size * size;
	struct disk_header header;

	if (begin + size > device->device->size)
		return true;
	if (!device_read(device->device, &header, sizeof(header), begin, err))
		return false;
	if (!volume_has_fsid(volume, header.fsid) || header.level >= LEVEL_MAX)
		return true;
	where->kind = WHERE_OLD_BLOCK;
	where->root = le64(header.owner);
	where->generation = le64(header.generation);
	where->len = begin + size - physical;
	return true;
}

static bool is_in_chunk(struct volume *volume, const struct chunk *chunk, struct where *where, struct error *err)
{
	struct backref_extent extent;
	struct error what = { 0 };
	uint64_t left;

	if (!backref_extent_at(volume, where->logical, &extent, &what)) {
		where->kind = chunk->type & GROUP_DATA ? WHERE_FREE_DATA : WHERE_FREE_METADATA;
		return what.kind == ERROR_NOT_FOUND || (*err = what, false);
	}
	left = extent.logical + extent.length - where->logical;
	if (!extent.is_data)
		return is_in_tree(volume, &extent, where, err);
	where->len = left;
	return is_in_data(volume, &extent, where, err);
}

/* --- all of it ----------------------------------------------------------------------------------------------------- */

static bool is_reserved(uint64_t physical, struct where *where)
{
	for (unsigned i = 0; i < DEVICE_RESERVED_RANGES; i++) {
		const struct device_reserved *const range = &device_reserved[i];

		if (physical < range->at || physical - range->at >= range->len)
			continue;
		where->kind = i > 0 || physical / SUPER_STRIPE == SUPER_OFFSET_0 / SUPER_STRIPE ? WHERE_SUPERBLOCK : WHERE_RESERVED;
		return true;
	}
	return false;
}

/* *left: how many bytes of the stripe follow. NULL: no chunk uses it. */
static const struct chunk *chunk_at(const struct volume *volume, uint64_t devid, uint64_t physical, struct where *where, bool *is_parity,
				    uint64_t *left)
{
	for (size_t i = 0; i < volume->n_chunks; i++) {
		const struct chunk *const chunk = &volume->chunks[i];

		for (unsigned s = 0; s < chunk->n_stripes; s++) {
			const uint64_t offset = physical - chunk->stripe[s].physical;

			if (chunk->stripe[s].devid != devid || physical < chunk->stripe[s].physical || offset >= stripe_length(chunk))
				continue;
			*is_parity = !logical_of(chunk, s, offset, &where->logical, left);
			return chunk;
		}
	}
	return NULL;
}

bool where_is(struct volume *volume, const struct volume_device *device, uint64_t physical, struct where *where, struct error *err)
{
	uint64_t left = STEP;
	bool is_parity, ok = true;

	*where = (struct where){ .len = STEP - physical % STEP };
	if (is_reserved(physical, where))
		return true;
	if (device->size > 0 && physical >= device->size) {
		where->kind = WHERE_BEHIND;
		return true;
	}

	const struct chunk *const chunk = chunk_at(volume, device->devid, physical, where, &is_parity, &left);

	if (!chunk)
		where->kind = WHERE_NO_CHUNK;
	else if (is_parity)
		where->kind = WHERE_PARITY;
	else
		ok = is_in_chunk(volume, chunk, where, err);
	if (ok && (where->kind == WHERE_FREE_METADATA || where->kind == WHERE_FREE_DATA || where->kind == WHERE_NO_CHUNK))
		ok = find_old_block(volume, device, physical, where, err);
	if (where->len > left && chunk && !is_parity)
		where->len = left;
	return ok;
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Transactions straight to the image, and what they leave behind. */
#include "tests/support/edit.h"

#include <stdlib.h>

#include "common/util/set64.h"
#include "common/volume/mirror.h"
#include "format/extent-item.h"

static bool write_block(struct volume *volume, const struct block *block, struct error *err)
{
	return volume_write(volume, block->logical, block->bytes, volume->super.node_size, err);
}

static bool write_all(struct volume *volume, struct transaction *tx, struct error *err)
{
	const size_t n = transaction_n_blocks(tx);

	if (!transaction_settle(tx, err))
		return false;
	if (transaction_n_changed(tx) + transaction_n_new(tx) > n)
		return error_set(err, ERROR_CORRUPT, "%zu blocks were announced, %zu are changed and %zu new", n,
				 transaction_n_changed(tx), transaction_n_new(tx));
	for (size_t i = 0; i < transaction_n_new(tx); i++) {
		if (!write_block(volume, transaction_new(tx, i), err))
			return false;
	}
	for (size_t i = 0; i < transaction_n_changed(tx); i++) {
		if (!write_block(volume, transaction_changed(tx, i), err))
			return false;
	}
	if (!(volume->super.compat_ro & COMPAT_RO_FREE_SPACE_TREE))
		volume->super.disk.cache_generation = to_le64(volume->super.generation - 1);
	return volume_write_supers(volume, &volume->super.disk, err);
}

bool edit_commit(struct volume *volume, struct transaction *tx, struct error *err)
{
	const bool ok = write_all(volume, tx, err);

	if (ok)
		transaction_end(tx);
	else
		transaction_drop(tx);
	return ok;
}

bool edit_image(const char *path, edit_change *change, const void *context, struct error *err)
{
	cleanup_volume struct volume *volume = NULL;
	struct allocator *allocator = NULL;
	struct transaction *tx = NULL;
	struct device *device;
	bool ok = device_open(path, DEVICE_WRITABLE, &device, err) && volume_open(device, NULL, &volume, err) && allocator_open(volume, &allocator, err) &&
		  transaction_begin(volume, allocator, &tx, err);

	if (ok) {
		ok = change(tx, volume, context, err);
		if (ok)
			ok = edit_commit(volume, tx, err);
		else
			transaction_drop(tx);
	}
	allocator_close(allocator);
	return ok;
}

/* --- what a cut leaves behind ------------------------------------------------------- */

static bool note_block(void *context, struct block *block, bool *descend, struct error *err)
{
	(void)descend;
	return set64_add(context, block->logical, NULL, err);
}

static bool is_of_tree(struct tree_iter *iter, uint64_t id, struct edit_lost *lost, bool *yes, struct error *err)
{
	struct extent_item extent;
	struct extent_ref ref;

	*yes = false;
	if (iter->key.type != KEY_METADATA_ITEM && iter->key.type != KEY_EXTENT_ITEM)
		return true;
	if (!extent_item_read(&iter->item, &iter->key, &extent, err))
		return false;
	if (!(extent.flags & EXTENT_FLAG_TREE_BLOCK) || extent.inline_refs.left == 0)
		return true;
	if (!extent_ref_next(&extent.inline_refs, &ref, err))
		return false;
	*yes = ref.type == KEY_TREE_BLOCK_REF && ref.root == id;
	*lost = (struct edit_lost){ iter->key.objectid, extent.level };
	return true;
}

bool edit_find_lost(struct volume *volume, uint64_t id, struct edit_lost **lost, size_t *n, struct error *err)
{
	const struct key first = { 0 };
	cleanup_tree_iter struct tree_iter iter = { 0 };
	cleanup_set64 struct set64 reached = { 0 };
	struct tree own, tree;
	size_t room = 0;

	*lost = NULL;
	*n = 0;
	if (!tree_open(volume, id, &own, err) || !tree_walk(&own, note_block, &reached, err) ||
	    !tree_open(volume, EXTENT_TREE_ID, &tree, err) || !tree_seek(&tree, &first, &iter, err))
		return false;
	while (iter.valid) {
		struct edit_lost one;
		bool yes;

		if (!is_of_tree(&iter, id, &one, &yes, err))
			return false;
		if (yes && !set64_has(&reached, one.logical)) {
			if (*n == room) {
				room = room ? 2 * room : 64;
				*lost = realloc(*lost, room * sizeof(**lost));
				if (!*lost)
					return error_memory(err);
			}
			(*lost)[(*n)++] = one;
		}
		if (!tree_next(&iter, err))
			return false;
	}
	return true;
}

/* --- payloads ------------------------------------------------------------------------ */

static uint64_t mix(uint64_t x)
{
	x = (x ^ x >> 31) * 0x9e3779b97f4a7c15u;
	x = (x ^ x >> 29) * 0xbf58476d1ce4e5b9u;
	return x ^ x >> 32;
}

uint32_t edit_len(uint64_t number, uint32_t node_size)
{
	const uint32_t max = node_size - sizeof(struct disk_header) - sizeof(struct disk_item);
	const uint64_t r = mix(number);

	switch (r % 8) {
	case 0:
		return max;
	case 1:
		return max / 2 - sizeof(struct disk_item) / 2 - 1;
	case 2:
		return 0;
	default:
		return r / 8 % (max / 4);
	}
}

void edit_fill(uint8_t *payload, uint32_t len, uint64_t number)
{
	for (uint32_t i = 0; i < len; i++)
		payload[i] = mix(number * 65599 + i / 8) >> (i % 8 * 8);
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Who refers to what is being copied. */
#include "common/convert/copy-refs.h"

#include <stdlib.h>

#include "common/convert/batch.h"
#include "common/util/take.h"

bool copying_begin(struct copying *k, struct error *err)
{
	k->buffer = malloc(COPY_BUFFER);
	k->plain = malloc(sizeof(*k->plain));
	if (!k->buffer || !k->plain)
		return error_memory(err);
	return transaction_begin(k->c->volume, k->c->allocator, &k->tx, err);
}

void copying_end(struct copying *k)
{
	if (k->tx)
		transaction_drop(k->tx);
	k->tx = NULL;
	if (k->buffer)
		wiped_free(k->buffer, COPY_BUFFER);
	free(k->plain);
}

bool copy_parent(struct copying *k, uint64_t logical, uint8_t level, struct block **block, bool *is_full, struct error *err)
{
	const struct copied *const copied = record_table_find(&k->plan->copied, logical);
	const struct extent_at at = { .logical = copied ? copied->copy : logical, .level = level };
	const struct block_expect expect = { .level = level };
	struct extent_item extent;

	if (!block_get(k->c->volume, at.logical, &expect, block, err))
		return false;
	if (k->looked_at != at.logical) {
		if (!extent_look(k->tx, &at, &extent, err))
			return false;
		k->looked_at = at.logical;
		k->looked_full = extent.flags & EXTENT_FLAG_FULL_BACKREF;
	}
	*is_full = k->looked_full;
	return true;
}

bool copy_file_extent(const struct copying *k, const struct node *leaf, uint32_t slot, struct copy_file_extent *file, struct error *err)
{
	const struct key key = node_key(leaf, slot);
	struct cursor item = leaf_item(leaf, slot);
	struct file_extent extent;

	*file = (struct copy_file_extent){ 0 };
	if (key.type != KEY_EXTENT_DATA)
		return true;
	if (!file_extent_read(&item, key.offset, k->c->volume->super.sector_size, &extent, err))
		return false;
	if (file_extent_has_disk(&extent))
		*file = (struct copy_file_extent){ true, key.objectid, extent.disk_bytenr, extent.disk_num_bytes, key.offset - extent.offset };
	return true;
}

struct extent_ref copy_data_ref(const struct copy_file_extent *file, uint64_t leaf, uint64_t tree)
{
	if (leaf != 0)
		return (struct extent_ref){ .type = KEY_SHARED_DATA_REF, .parent = leaf, .count = 1 };
	return (struct extent_ref){ .type = KEY_EXTENT_DATA_REF, .root = tree, .objectid = file->inode, .offset = file->ref_offset, .count = 1 };
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The stored checksums of data that changes in place. Values are replaced; none is added or removed. */
#include "common/convert/csum-update.h"

#include <inttypes.h>

#include "common/convert/commit.h"
#include "common/fs/csum-lookup.h"
#include "common/util/take.h"
#include "common/volume/csum.h"

/* For the data from logical to end: the checksums of bytes, or value if it is not NULL. */
struct new_csums {
	uint64_t logical, end;
	const uint8_t *bytes, *value;
};

/* Writes those into the leaf that one csum item has. */
static bool update_item(struct volume *volume, struct transaction *tx, struct tree_iter *iter, const struct new_csums *new, struct error *err)
{
	const struct superblock *super = &volume->super;
	const unsigned csum_size = csum_type_size(super->csum_type);
	const uint64_t first = iter->key.offset;
	const uint64_t last = first + iter->item.left / csum_size * super->sector_size;
	struct block *leaf = iter->path[0];

	if (iter->item.left % csum_size != 0)
		return error_set(err, ERROR_CORRUPT, "csum item at %#" PRIx64 ": %zu bytes, not a multiple of %u", iter->item.offset,
				 iter->item.left, csum_size);

	const uint64_t from = first > new->logical ? first : new->logical;
	const uint64_t to = last < new->end ? last : new->end;

	if (from >= to)
		return true;
	if ((from - first) % super->sector_size != 0)
		return error_set(err, ERROR_CORRUPT, "csum item at %#" PRIx64 ": offset %#" PRIx64 " is not aligned", iter->item.offset, first);
	if (!transaction_edit(tx, leaf, err))
		return false;

	uint8_t *csum = leaf->bytes + leaf_item_at(&leaf->node, iter->slot[0]) + (from - first) / super->sector_size * csum_size;

	for (uint64_t at = from; at < to; at += super->sector_size, csum += csum_size) {
		if (new->value)
			memcpy(csum, new->value, csum_size);
		else
			csum_compute(super->csum_type, new->bytes + (at - new->logical), super->sector_size, csum);
	}
	return true;
}

static bool update(struct volume *volume, struct transaction *tx, const struct new_csums *new, struct error *err)
{
	cleanup_tree_iter struct tree_iter iter = { 0 };
	const struct key key = { EXTENT_CSUM_ID, KEY_EXTENT_CSUM, new->logical };
	struct tree tree;

	if (!tree_open(volume, CSUM_TREE_ID, &tree, err) || !tree_seek_last(&tree, &key, &iter, err))
		return false;
	/* If the first item lies behind logical, there is none before it. */
	if (!iter.valid || iter.key.objectid != EXTENT_CSUM_ID || iter.key.type != KEY_EXTENT_CSUM) {
		tree_iter_close(&iter);
		if (!tree_seek(&tree, &key, &iter, err))
			return false;
	}
	while (iter.valid && iter.key.objectid == EXTENT_CSUM_ID && iter.key.type == KEY_EXTENT_CSUM &&
	       iter.key.offset < new->end) {
		if (!update_item(volume, tx, &iter, new, err) || !tree_next(&iter, err))
			return false;
	}
	return true;
}

bool csum_update(struct volume *volume, struct transaction *tx, uint64_t logical, const uint8_t *bytes, size_t len, struct error *err)
{
	return update(volume, tx, &(struct new_csums){ logical, logical + len, bytes, NULL }, err);
}

bool csum_put(struct volume *volume, struct transaction *tx, uint64_t logical, const uint8_t *value, struct error *err)
{
	return update(volume, tx, &(struct new_csums){ logical, logical + volume->super.sector_size, NULL, value }, err);
}

struct getting {
	unsigned size;
	uint8_t *value;
	bool has;
};

static bool get_csum(void *context, uint64_t logical, size_t n_sectors, const uint8_t *csums, struct error *err)
{
	struct getting *getting = context;

	(void)logical, (void)err;
	getting->has = n_sectors > 0;
	if (getting->has)
		memcpy(getting->value, csums, getting->size);
	return true;
}

bool csum_get(struct volume *volume, uint64_t logical, uint8_t *value, bool *has, struct error *err)
{
	struct getting getting = { csum_type_size(volume->super.csum_type), value, false };

	memset(value, 0, CSUM_SIZE);
	if (!csum_lookup(volume, logical, volume->super.sector_size, get_csum, &getting, err))
		return false;
	*has = getting.has;
	return true;
}

static bool gap_is_clear(const struct block *block)
{
	uint32_t at, len = node_gap(&block->node, &at);

	while (len > 0 && block->bytes[at + len - 1] == 0)
		len--;
	return len == 0;
}

struct clearing {
	struct conversion *c;
	struct transaction *tx;
};

static bool clear_gap(void *context, struct block *block, bool *descend, struct error *err)
{
	struct clearing *clearing = context;
	struct conversion *c = clearing->c;

	(void)descend;
	if (!node_is_leaf(&block->node) || gap_is_clear(block))
		return true;
	if (!conversion_has_room(c, clearing->tx, 1, 0, 0)) {
		if (!conversion_commit(c, TAKE(clearing->tx), c->phase, c->cursor, err) ||
		    !transaction_begin(c->volume, c->allocator, &clearing->tx, err))
			return false;
	}
	return transaction_edit(clearing->tx, block, err);
}

bool csum_gaps_clear(struct conversion *c, struct error *err)
{
	struct clearing clearing = { .c = c };
	struct tree tree;

	if (!tree_open(c->volume, CSUM_TREE_ID, &tree, err) || !transaction_begin(c->volume, c->allocator, &clearing.tx, err))
		return false;
	if (!tree_walk(&tree, clear_gap, &clearing, err)) {
		if (clearing.tx)
			transaction_drop(clearing.tx);
		return false;
	}
	/* Settling the transaction clears the gaps. */
	return conversion_commit(c, clearing.tx, c->phase, c->cursor, err);
}

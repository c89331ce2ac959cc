/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Puts what edits have marked into the accounts: extent items, free space, block groups, root items, superblock numbers. The room has two
 * floors. Below, transaction.c, tree-path.c, tree-edit.c and tree-cut.c change one tree and mark what became of its blocks; they know
 * nothing of accounts. Above, extent-edit.c and free-space.c keep the accounts, with edits of their own trees, which mark again; this file
 * goes on until nothing is marked. Whoever edits comes in by transaction.h.
 */
#include <stdlib.h>

#include "common/tree/extent-edit.h"
#include "common/tree/free-space.h"
#include "common/tree/tree-edit.h"
#include "common/volume/csum.h"

/* The trees that the superblock points to have no root item. */
static bool set_level_of_item(struct transaction *tx, uint64_t id, uint8_t level, struct error *err)
{
	struct known_root *root;
	uint8_t *data;

	if (id == ROOT_TREE_ID || id == CHUNK_TREE_ID)
		return true;
	if (!transaction_root(tx, id, &root, err) || !tree_edit_payload(tx, ROOT_TREE_ID, &root->item, 0, &data, err))
		return false;
	data[offsetof(struct disk_root_item, level)] = level;
	return true;
}

static bool carry_one(struct transaction *tx, const struct pending *pending, struct error *err)
{
	const uint64_t logical = pending->logical;
	const uint32_t size = tx->volume->super.node_size;
	uint64_t owner = pending->owner;

	switch (pending->kind) {
	case PENDING_NEW:
		return extent_edit_add(tx, pending->block, pending->level, owner, err) &&
		       free_space_remove(tx, logical, size, err) && extent_edit_count(tx, logical, size, owner, true, err);
	case PENDING_FREE:
		return (pending->n_refs ? extent_edit_remove_shared(tx, logical, pending->level, pending->n_refs, err) :
					  extent_edit_remove(tx, logical, pending->level, &owner, err)) &&
		       free_space_add(tx, logical, size, err) && extent_edit_count(tx, logical, size, owner, false, err);
	case PENDING_PLACE:
		return free_space_remove(tx, logical, pending->length, err) && extent_edit_count(tx, logical, pending->length, 0, true, err);
	case PENDING_LEVEL:
		return set_level_of_item(tx, owner, pending->new_level, err) &&
		       extent_edit_set_level(tx, logical, pending->level, pending->new_level, err);
	}
	return true;
}

/*
 * Each step may take and free blocks of the trees it edits, which then become pending. This ends, because a block that is split leaves room
 * for many more items.
 */
bool transaction_carry(struct transaction *tx, struct error *err)
{
	while (tx->next_pending < tx->n_pending) {
		const struct pending pending = tx->pending[tx->next_pending++];

		if (!carry_one(tx, &pending, err))
			return false;
	}
	tx->next_pending = tx->n_pending = 0;
	return true;
}

/* --- edits with their accounts --------------------------------------------------------------------- */

bool tree_insert(struct transaction *tx, uint64_t tree_id, const struct key *key, const void *data, uint32_t len,
		 struct error *err)
{
	return transaction_check_tree(tree_id, err) && tree_edit_insert(tx, tree_id, key, data, len, err) &&
	       transaction_carry(tx, err);
}

bool tree_remove(struct transaction *tx, uint64_t tree_id, const struct key *key, struct error *err)
{
	return transaction_check_tree(tree_id, err) && tree_edit_remove(tx, tree_id, key, err) && transaction_carry(tx, err);
}

bool tree_cut(struct transaction *tx, uint64_t tree_id, const struct key *first, const struct key *last, struct error *err)
{
	if (key_compare(first, last) > 0)
		return true;
	return transaction_check_tree(tree_id, err) && tree_edit_cut(tx, tree_id, first, last, err) && transaction_carry(tx, err);
}

bool transaction_free_block(struct transaction *tx, uint64_t logical, uint8_t level, struct error *err)
{
	return transaction_lose(tx, logical, level, 0, 0, err) && transaction_carry(tx, err);
}

bool transaction_free_shared(struct transaction *tx, uint64_t logical, uint8_t level, uint32_t n_refs, struct error *err)
{
	return transaction_lose(tx, logical, level, 0, n_refs, err) && transaction_carry(tx, err);
}

/* --- what several trees share ------------------------------------------------------------------------- */

bool transaction_copy_block(struct transaction *tx, const struct block *source, uint64_t owner, struct block **copy, struct error *err)
{
	struct disk_header *header;

	if (!transaction_place_block(tx, source, source->node.level, copy, err))
		return false;
	memcpy((*copy)->bytes, source->bytes, source->node.size);
	header = (struct disk_header *)(*copy)->bytes;
	header->bytenr = to_le64((*copy)->logical);
	header->owner = to_le64(owner);
	header->flags = to_le64(le64(header->flags) & ~HEADER_FLAG_RELOC);
	return block_refresh(*copy, err) && transaction_use_data(tx, (*copy)->logical, source->node.size, err);
}

bool transaction_use_data(struct transaction *tx, uint64_t logical, uint64_t length, struct error *err)
{
	return transaction_place(tx, logical, length, err) && transaction_carry(tx, err);
}

/* --- the end --------------------------------------------------------------------------------------------- */

static int by_address(const void *a, const void *b)
{
	const struct block *const *x = a, *const *y = b;

	return (*x)->logical < (*y)->logical ? -1 : (*x)->logical > (*y)->logical;
}

/* What is about to be written must be readable as a node. */
static bool seal_blocks(struct transaction *tx, struct block_list *list, struct error *err)
{
	for (size_t i = 0; i < list->n; i++) {
		struct block *block = list->block[i];
		uint32_t gap_at;

		if (!block_refresh(block, err))
			return false;

		const uint32_t gap = node_gap(&block->node, &gap_at);

		memset(block->bytes + gap_at, 0, gap);
		csum_block_update(tx->volume->super.csum_type, block->bytes, block->node.size);
	}
	if (list->n > 0)
		qsort(list->block, list->n, sizeof(*list->block), by_address);
	return true;
}

bool transaction_settle(struct transaction *tx, struct error *err)
{
	if (!transaction_carry(tx, err))
		return false;
	for (size_t i = 0; i < tx->n_freed; i++) {
		if (!allocator_expect_freed(tx->allocator, tx->freed[i], tx->n_freed, err))
			return false;
	}
	if (!seal_blocks(tx, &tx->changed, err) || !seal_blocks(tx, &tx->fresh, err))
		return false;
	tx->settled = true;
	return true;
}

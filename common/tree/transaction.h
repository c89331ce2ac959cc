/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A set of changed, new and freed tree blocks that reach the disk together. Nothing is written here: the journal (journal.h) makes a
 * transaction durable and then writes it in place.
 *
 * Root nodes never move. A tree grows by moving the content of its root to a new block, and shrinks by taking it back, so that no pointer
 * outside the tree changes, only the level.
 */
#ifndef COMMON_TREE_TRANSACTION_H
#define COMMON_TREE_TRANSACTION_H

#include "common/tree/allocator.h"
#include "common/tree/tree.h"

struct transaction;

/* Only one may be open per volume. The allocator outlives the transactions. */
bool transaction_begin(struct volume *volume, struct allocator *allocator, struct transaction **tx, struct error *err) must_use;
/*
 * Forgets everything: drops changed blocks from the cache (nobody else may hold one), and restores the allocations and the superblock's
 * numbers.
 */
void transaction_drop(struct transaction *tx);

/*
 * Announces that block->bytes is about to be edited; the transaction holds the block. May be called repeatedly. After a failure of this or
 * any call below, the transaction can only be dropped.
 */
bool transaction_edit(struct transaction *tx, struct block *block, struct error *err) must_use;

/*
 * Puts all allocations and frees of this transaction into the extent tree, block group items, free space tree, root items and superblock
 * numbers (volume->super.bytes_used and .disk). Reads every changed block once more as a node, zeroes its gap and computes its checksum. No
 * edits are allowed afterwards.
 */
bool transaction_settle(struct transaction *tx, struct error *err) must_use;

/*
 * The number of blocks changed and new so far. Every call below includes its own allocations and frees at once, so that settling adds none:
 * the number after the last edit is final.
 */
size_t transaction_n_blocks(const struct transaction *tx);

/* After settling: block i < n of the changed and of the new ones, by ascending address. */
size_t transaction_n_changed(const struct transaction *tx);
struct block *transaction_changed(const struct transaction *tx, size_t i);
size_t transaction_n_new(const struct transaction *tx);
struct block *transaction_new(const struct transaction *tx, size_t i);

/* Everything is on disk: marks blocks clean and ends the transaction. tx is freed. */
void transaction_end(struct transaction *tx);

/* --- editing trees (settle.c) ---------------------------------------------------------------------------- */

/* Adds an item. ERROR_CORRUPT if the key exists. data NULL: zeros. Ascending inserts fill leaves, others split them evenly. */
bool tree_insert(struct transaction *tx, uint64_t tree_id, const struct key *key, const void *data, uint32_t len,
		 struct error *err) must_use;

/* The payload of an item, for editing in place (same length). Valid until the next call on this transaction. */
bool tree_edit_item(struct transaction *tx, uint64_t tree_id, const struct key *key, uint8_t **data, uint32_t *len,
		    struct error *err) must_use;

/* Removes one item. Empty blocks are freed, and a root with one child takes over its content. */
bool tree_remove(struct transaction *tx, uint64_t tree_id, const struct key *key, struct error *err) must_use;

/*
 * Removes every item with first <= key <= last, touching only the two edges: the blocks between them are cut off but NOT freed. They must
 * be freed later, with transaction_free_block().
 */
bool tree_cut(struct transaction *tx, uint64_t tree_id, const struct key *first, const struct key *last,
	      struct error *err) must_use;

/*
 * Frees a tree block to which n_refs pointers led, of trees that may share it; nothing refers to it any more. With all of its references. The
 * root items of these trees and the quota numbers are up to the caller. ERROR_CORRUPT if the extent tree knows another number of references.
 */
bool transaction_free_shared(struct transaction *tx, uint64_t logical, uint8_t level, uint32_t n_refs, struct error *err) must_use;

/*
 * A copy of a tree block that trees may share, at a new place. Its extent item and the references of its children are up to the caller
 * (extent-refs.h); root items and quota numbers do not change.
 */
bool transaction_copy_block(struct transaction *tx, const struct block *source, uint64_t owner, struct block **copy, struct error *err) must_use;
/* Counts a new data extent, from allocator_take_data(), which dropping the transaction does not give back. Likewise. */
bool transaction_use_data(struct transaction *tx, uint64_t logical, uint64_t length, struct error *err) must_use;

/* Frees a tree block that nothing refers to any more (extent item, free space, block group). The allocator will not hand it out again. */
bool transaction_free_block(struct transaction *tx, uint64_t logical, uint8_t level, struct error *err) must_use;

#endif /* COMMON_TREE_TRANSACTION_H */

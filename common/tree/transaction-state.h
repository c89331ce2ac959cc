/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The inside of a transaction, for the files that implement it. Everyone else includes transaction.h. */
#ifndef COMMON_TREE_TRANSACTION_STATE_H
#define COMMON_TREE_TRANSACTION_STATE_H

#include "common/tree/leaf.h"
#include "common/tree/transaction.h"

/* A change to a tree block that is not in the extent tree yet. */
struct pending {
	enum { PENDING_NEW, PENDING_FREE, PENDING_LEVEL, PENDING_PLACE } kind;
	uint64_t logical;
	uint64_t owner;			/* tree id; 0: PENDING_FREE, when only the extent item knows */
	const struct block *block;	/* PENDING_NEW: held by the transaction */
	uint8_t level;			/* in the extent item, now or later */
	uint8_t new_level;		/* PENDING_LEVEL */
	uint32_t n_refs;		/* PENDING_FREE, of a block that trees may share: how many led to it; otherwise 0 */
	uint64_t length;		/* PENDING_PLACE: of the tree block or the data, whose extent item is up to the caller */
};

struct block_list {
	struct block **block;
	size_t n, room;
};

/* A tree in use: the address of its root node, which never changes, and its root item (not for trees of the superblock). */
struct known_root {
	uint64_t id;
	uint64_t logical;
	struct key item;
	struct key last;	/* where the last item was inserted: detects ascending inserts */
};

#define KNOWN_ROOTS_MAX 16u

struct transaction {
	struct volume *volume;
	struct allocator *allocator;
	struct block_list changed, fresh, dead;	/* dead: freed in this transaction, and in none of the other lists */
	uint64_t *taken;		/* every block taken, in order */
	size_t n_taken, taken_room;
	uint64_t *freed;		/* every block freed */
	size_t n_freed, freed_room;
	struct pending *pending;	/* a queue: next .. n-1 */
	size_t n_pending, next_pending, pending_room;
	struct known_root root[KNOWN_ROOTS_MAX];
	size_t n_roots;
	bool settled;
	/* as they were at the beginning */
	uint64_t bytes_used, chunk_root;
	struct le64 *dev_bytes_used;	/* of each of volume->devices */
	uint8_t root_level, chunk_root_level;
	size_t n_chunks, n_groups;
};

static inline struct leaf_bytes bytes_of(const struct block *block)
{
	return (struct leaf_bytes){ block->bytes, block->node.size };
}

/* Finds the tree's root and remembers it. *root stays where it is. */
bool transaction_root(struct transaction *tx, uint64_t id, struct known_root **root, struct error *err) must_use;

/* Makes a new empty block of this level with the header of source (owner, generation, flags, ids). Hold it to keep it. */
bool transaction_new_block(struct transaction *tx, const struct block *source, uint8_t level, struct block **block,
			   struct error *err) must_use;

/* The same, not pending yet; and pending, as what is up to the caller but for its room. */
bool transaction_place_block(struct transaction *tx, const struct block *source, uint8_t level, struct block **block, struct error *err) must_use;
bool transaction_place(struct transaction *tx, uint64_t logical, uint64_t length, struct error *err) must_use;

/* Marks a block as freed that belonged to the tree `owner`; 0: whose it was, its extent item says. n_refs: see struct pending. */
bool transaction_lose(struct transaction *tx, uint64_t logical, uint8_t level, uint64_t owner, uint32_t n_refs, struct error *err) must_use;

/* Removes the block from the tree `owner`. */
bool transaction_lose_block(struct transaction *tx, struct block *block, uint64_t owner, struct error *err) must_use;

/* Changes the level of a tree's root node: in the superblock now, in root item and extent tree later. */
bool transaction_set_root_level(struct transaction *tx, uint64_t id, uint8_t old_level, uint8_t level,
				struct error *err) must_use;

/* --- settle.c: applies everything pending to the extent tree and to everything that counts blocks, until nothing is pending --- */
bool transaction_carry(struct transaction *tx, struct error *err) must_use;

/* Accepts only trees in which every block has exactly one parent: only their shape may change. */
bool transaction_check_tree(uint64_t id, struct error *err) must_use;

#endif /* COMMON_TREE_TRANSACTION_STATE_H */

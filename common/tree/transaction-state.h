/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The inside of a transaction, for the files that make it up; everyone else includes transaction.h. */
#ifndef COMMON_TREE_TRANSACTION_STATE_H
#define COMMON_TREE_TRANSACTION_STATE_H

#include "common/tree/leaf.h"
#include "common/tree/transaction.h"

/* Something about a tree block that the extent tree does not say yet. */
struct pending {
	enum { PENDING_NEW, PENDING_FREE, PENDING_LEVEL } kind;
	uint64_t logical;
	uint64_t owner;			/* tree id; 0: PENDING_FREE where only the extent item knows */
	const struct block *block;	/* PENDING_NEW: held by the transaction */
	uint8_t level;			/* as the extent item says or shall say */
	uint8_t new_level;		/* PENDING_LEVEL */
};

struct block_list {
	struct block **block;
	size_t n, room;
};

/* A tree in use: where its root node is, for ever, and its root item (not for trees of the superblock). */
struct known_root {
	uint64_t id;
	uint64_t logical;
	struct key item;
	struct key last;	/* where the last item was put: ascending inserts are told by it */
};

#define KNOWN_ROOTS_MAX 16u

struct transaction {
	struct volume *volume;
	struct allocator *allocator;
	struct block_list changed, fresh, dead;	/* dead: freed in this transaction, in none of the others */
	uint64_t *taken;		/* every place taken, in order */
	size_t n_taken, taken_room;
	uint64_t *freed;		/* every place freed */
	size_t n_freed, freed_room;
	struct pending *pending;	/* a queue: next .. n-1 */
	size_t n_pending, next_pending, pending_room;
	struct known_root root[KNOWN_ROOTS_MAX];
	size_t n_roots;
	bool settled;
	/* as at the beginning */
	uint64_t bytes_used, chunk_root;
	struct le64 dev_bytes_used;
	uint8_t root_level, chunk_root_level;
	size_t n_chunks, n_groups;
};

static inline struct leaf_bytes bytes_of(const struct block *block)
{
	return (struct leaf_bytes){ block->bytes, block->node.size };
}

/* The tree's root; the transaction remembers it, and *root stays where it is. */
bool transaction_root(struct transaction *tx, uint64_t id, struct known_root **root, struct error *err) must_use;

/* A new block with the header of source (owner, generation, flags, ids), of this level and empty; hold it to keep it. */
bool transaction_new_block(struct transaction *tx, const struct block *source, uint8_t level, struct block **block,
			   struct error *err) must_use;

/* The block is no longer part of the tree `owner`. */
bool transaction_lose_block(struct transaction *tx, struct block *block, uint64_t owner, struct error *err) must_use;

/* The root node of a tree changed its level: in the superblock or root item now, in the extent tree later. */
bool transaction_set_root_level(struct transaction *tx, uint64_t id, uint8_t old_level, uint8_t level,
				struct error *err) must_use;

/* Tells the extent tree and everything that counts about what is pending, until nothing is. */
bool transaction_carry(struct transaction *tx, struct error *err) must_use;

/* Trees of which every block has exactly one parent: only their shape may change. */
bool transaction_check_tree(uint64_t id, struct error *err) must_use;

#endif /* COMMON_TREE_TRANSACTION_STATE_H */

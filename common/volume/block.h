/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Tree blocks: read once, checked, and cached. The cache is bounded; blocks that are held or changed stay. Everyone sees a changed block
 * from then on.
 */
#ifndef COMMON_VOLUME_BLOCK_H
#define COMMON_VOLUME_BLOCK_H

#include "common/volume/volume.h"
#include "format/node.h"

struct block {
	uint64_t logical;
	uint8_t *bytes;		/* the node size; edit only inside a transaction */
	struct node node;	/* describes bytes; call block_refresh() after an edit */
	/* private to the cache: */
	unsigned n_refs;
	bool changed;		/* in a transaction: not yet on disk */
	bool is_new;		/* allocated in the running transaction */
	bool is_salvaged;	/* it is invalid, and node describes its usable part; never cached, because that part depends on the caller */
	struct block *hash_next, *older, *newer;
	struct volume *volume;
};

struct block_expect {
	int level;		/* -1: any */
	uint64_t generation;	/* 0: any; from the parent pointer */
	const struct key *first;	/* NULL: any; from the parent pointer */
	const struct key *below;	/* NULL: any; from the next pointer; checked by block_child() only */
};

/*
 * Gets the block at logical and checks its checksum, fsid, address, level, generation, and everything that node_read() checks. Tries every
 * mirror; a bad one beside a good one is a warning. ERROR_CORRUPT names the block. expect may be NULL. Release it with block_put(). If the
 * volume is read tolerantly, a block without a right mirror is reported, and returned as far as its items are usable.
 */
bool block_get(struct volume *volume, uint64_t logical, const struct block_expect *expect, struct block **block,
	       struct error *err) must_use;

/*
 * Gets the child at slot of parent, an inner node. Expects everything the pointer says, and a last key below the pointer after slot or, for
 * the last slot, below `below` (NULL: any). With these checks no block can appear twice in a tree.
 */
bool block_child(const struct block *parent, uint32_t slot, const struct key *below, struct block **child,
		 struct error *err) must_use;

/* Sets and returns *bound, the upper bound for keys under slot of node. For the last slot that is below itself (NULL: none). */
const struct key *node_bound(const struct node *node, uint32_t slot, const struct key *below, struct key *bound);

/*
 * For block.c: finds the usable part of a block. err says what is wrong with it. False: nothing is usable, or the volume is not tolerant.
 */
bool block_salvage(struct block *block, const struct block_expect *expect, struct error *err) must_use;

void block_put(struct block *block);	/* NULL is fine */
struct block *block_hold(struct block *block);	/* one more reference */

/* Reads one mirror of a block from the medium, bypassing all caches. bytes: node_size of them. ERROR_CORRUPT if it is not valid. */
bool block_mirror_read(struct volume *volume, uint64_t logical, unsigned mirror, uint8_t *bytes, struct node *node, struct error *err) must_use;

/* Are all mirrors of the block on the medium right and equal? For checking what was written. Mirrors on missing devices do not count. */
bool block_verify_mirrors(struct volume *volume, uint64_t logical, struct error *err) must_use;

/* Updates block->node from block->bytes. */
bool block_refresh(struct block *block, struct error *err) must_use;

/* For the allocator: a zeroed block that is not on disk yet, in the cache as changed and new. */
bool block_new(struct volume *volume, uint64_t logical, struct block **block, struct error *err) must_use;

/* Marks a block as changed or clean. A changed block is never evicted. */
void block_set_changed(struct block *block, bool changed);

void block_cache_drop_idle(struct volume *volume);	/* drops clean blocks that nobody holds */
void block_cache_drop_all(struct volume *volume);	/* also changed ones, when a transaction is discarded */
void block_cache_forget(struct volume *volume, uint64_t logical);	/* drops one block, whatever its state, unless it is held */

/* For volume.c: created with the volume, freed with its contents. */
bool block_cache_new(struct block_cache **cache, struct error *err) must_use;
void block_cache_free(struct block_cache *cache);

static inline void block_cleanup(struct block **p) { block_put(*p); }
#define cleanup_block __attribute__((cleanup(block_cleanup)))

#endif /* COMMON_VOLUME_BLOCK_H */

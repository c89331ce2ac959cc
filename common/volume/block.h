/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Tree blocks, read once, checked, and cached.  The cache is bounded; blocks that someone
 * holds or that are changed stay.  Changed blocks are what everyone sees from then on.
 */
#ifndef COMMON_VOLUME_BLOCK_H
#define COMMON_VOLUME_BLOCK_H

#include "common/volume/volume.h"
#include "format/node.h"

struct block {
	uint64_t logical;
	uint8_t *bytes;		/* the node size; edit only inside a transaction */
	struct node node;	/* describes bytes; block_refresh() after an edit */
	/* the cache's own: */
	unsigned n_refs;
	bool changed;		/* in a transaction: not yet on disk */
	bool is_new;		/* allocated in the running transaction */
	bool is_salvaged;	/* it is invalid, and node what can be used of it; in no cache, as what that is depends on who asks */
	struct block *hash_next, *older, *newer;
	struct volume *volume;
};

struct block_expect {
	int level;		/* -1: any */
	uint64_t generation;	/* 0: any; what the parent pointer says */
	const struct key *first;	/* NULL: any; what the parent pointer says */
	const struct key *below;	/* NULL: any; what the pointer after that says.  Checked by block_child() only */
};

/*
 * The block at logical, checked: checksum, fsid, address, level, generation, everything node_read() checks.  Tries every mirror;
 * a bad one beside a good one is a warning.  ERROR_CORRUPT names the block.  expect may be NULL.  block_put() it.
 * Where the volume is read tolerantly, a block of which no mirror is right is told, and given as far as its items can be used.
 */
bool block_get(struct volume *volume, uint64_t logical, const struct block_expect *expect, struct block **block,
	       struct error *err) must_use;

/*
 * The child that slot of parent, an inner node, points to, with everything the pointer says expected, and its last key
 * below the pointer after slot, or below `below` (NULL: any) where slot is the last.  With these no block can be met twice in a tree.
 */
bool block_child(const struct block *parent, uint32_t slot, const struct key *below, struct block **child,
		 struct error *err) must_use;

/* Sets *bound and returns it: what keys under slot of node are below; below itself (NULL: any) for the last slot. */
const struct key *node_bound(const struct node *node, uint32_t slot, const struct key *below, struct key *bound);

/* For block.c: what can be used of a block of which err says what is wrong.  False: nothing, or it is not for the volume to be tolerant. */
bool block_salvage(struct block *block, const struct block_expect *expect, struct error *err) must_use;

void block_put(struct block *block);	/* NULL is fine */
struct block *block_hold(struct block *block);	/* one more reference */

/* One mirror of a block as the medium has it, past every cache; bytes: node_size of them.  ERROR_CORRUPT where it is not valid. */
bool block_mirror_read(struct volume *volume, uint64_t logical, unsigned mirror, uint8_t *bytes, struct node *node, struct error *err) must_use;

/* Every mirror of the block on the medium is right and equal?  For checking what was written.  Those on missing devices do not count. */
bool block_verify_mirrors(struct volume *volume, uint64_t logical, struct error *err) must_use;

/* Reads block->node from block->bytes again. */
bool block_refresh(struct block *block, struct error *err) must_use;

/* A zeroed block that is not on disk yet, in the cache as changed and new.  For the allocator. */
bool block_new(struct volume *volume, uint64_t logical, struct block **block, struct error *err) must_use;

/* Marks changed / clean again; a changed block is never evicted. */
void block_set_changed(struct block *block, bool changed);

/* Drops clean, unheld blocks (all: also changed ones, when a transaction is thrown away). */
void block_cache_drop(struct volume *volume, bool all);
void block_cache_forget(struct volume *volume, uint64_t logical);	/* one block, whatever its state, if not held */

/* For volume.c: made with the volume, freed with everything that is in it. */
bool block_cache_new(struct block_cache **cache, struct error *err) must_use;
void block_cache_free(struct block_cache *cache);

static inline void block_cleanup(struct block **p) { block_put(*p); }
#define cleanup_block __attribute__((cleanup(block_cleanup)))

#endif /* COMMON_VOLUME_BLOCK_H */

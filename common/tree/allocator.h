/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Where there is room: free ranges of block groups, as the extent tree says (the truth; free space trees and caches
 * are checked against it at need, not trusted).
 */
#ifndef COMMON_TREE_ALLOCATOR_H
#define COMMON_TREE_ALLOCATOR_H

#include "common/tree/ranges.h"
#include "common/tree/tree.h"

struct group {			/* one block group */
	uint64_t logical, length, used, flags;
	/* Ascending, what the extent tree leaves free now: superblock stripes, reserved ranges and freed blocks are among it. */
	const struct free_range *free;
	size_t n_free;
};

struct allocator;

/*
 * Reads the block group items and walks the extent tree once.  Free ranges are kept for metadata and mixed groups;
 * for data groups only the largest ones (enough for journals).  Overlapping or unaligned extent items, and groups whose
 * used bytes are not what their extents take: ERROR_CORRUPT.
 */
bool allocator_open(struct volume *volume, struct allocator **allocator, struct error *err) must_use;
void allocator_close(struct allocator *allocator);

size_t allocator_n_groups(const struct allocator *allocator);
const struct group *allocator_group(const struct allocator *allocator, size_t i);
const struct group *allocator_group_of(const struct allocator *allocator, uint64_t logical);	/* NULL: none */

/* Takes a range out for as long as the allocator lives (journal slots): no tree block will be put there. */
bool allocator_reserve(struct allocator *allocator, uint64_t logical, uint64_t length, struct error *err) must_use;

/*
 * The n best free ranges for a journal of want bytes each (halved down to least where there are no such): in data or mixed groups first, then
 * metadata; 64 KiB aligned, inside one block group, never on superblock stripes; not one reserved before.  ERROR_NO_SPACE with the numbers.
 * All have one length: the shortest decides how much a record holds, so that a longer one beside it would only be in the way.
 */
bool allocator_find_journals(struct allocator *allocator, unsigned n, uint64_t want, uint64_t least, struct free_range *range,
			     struct error *err) must_use;

/* A free tree block in a metadata or mixed group (never system, never on a superblock stripe, never a block freed before). */
bool allocator_take_block(struct allocator *allocator, uint64_t *logical, struct error *err) must_use;
/* Undoes the last take that is not undone yet: in reverse order it cannot fail. */
void allocator_give_back(struct allocator *allocator, uint64_t logical);

/* The same in a system group, for blocks of the chunk tree. */
bool allocator_take_system_block(struct allocator *allocator, uint64_t *logical, struct error *err) must_use;

/* A new group, with nothing in it, of a chunk behind all others; and forgetting all groups but the first n, of which nothing is taken. */
bool allocator_add_group(struct allocator *allocator, const struct chunk *chunk, struct error *err) must_use;
void allocator_truncate_groups(struct allocator *allocator, size_t n);

/* A tree block is free from now on: for wiping, not for taking.  allocator_expect_freed() before makes room for n of them. */
bool allocator_expect_freed(struct allocator *allocator, uint64_t logical, size_t n, struct error *err) must_use;
void allocator_note_freed(struct allocator *allocator, uint64_t logical);

/* Tree blocks that can still be taken. */
uint64_t allocator_n_free_blocks(const struct allocator *allocator);
uint64_t allocator_n_free_system_blocks(const struct allocator *allocator);

/*
 * Is [logical, +length) allocated as exactly one extent / tree block, per the extent tree as it is now?  For checking
 * journal targets.  *found false where not.
 */
bool extent_is_allocated(struct volume *volume, uint64_t logical, uint64_t length, bool tree_block, bool *found,
			 struct error *err) must_use;

/* Bytes the kernel keeps as its global reserve: used bytes of extent, csum, root and free space trees, 1 to 512 MiB. */
bool allocator_global_reserve(struct volume *volume, uint64_t *bytes, struct error *err) must_use;

#endif /* COMMON_TREE_ALLOCATOR_H */

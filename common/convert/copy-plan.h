/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a set of subvolumes shares with others, and so must copy before it can change in place: tree blocks that a reference from outside
 * leads to, all that is below them, and the data extents of both.
 */
#ifndef COMMON_CONVERT_COPY_PLAN_H
#define COMMON_CONVERT_COPY_PLAN_H

#include "common/convert/sharing.h"
#include "common/tree/allocator.h"
#include "common/util/record-table.h"

/* One subvolume outside, which keeps what it shares as it is. */
struct copy_keeper {
	uint64_t id;
	uint64_t bytes;		/* of data that the set has too */
};

/* A shared block or extent, and which blocks of the set refer to it, as addresses before anything is copied. */
struct copy_item {
	uint64_t logical;
	uint64_t length;	/* of an extent */
	uint32_t first_edge, n_edges;
	uint32_t n_refs;	/* of a block: its children or extents; of an extent: file extent items of the set */
	uint8_t level;		/* of a block */
};

struct copied {			/* the first member is the number in the table */
	uint64_t logical;
	uint64_t copy;
};

struct copy_plan {
	struct copy_item *block;	/* by descending level, then by address */
	struct copy_item *extent;	/* by address */
	size_t n_blocks, n_extents;
	uint64_t *block_edge, *extent_edge;	/* addresses of parents and leaves */
	uint64_t data_bytes;
	struct copy_keeper *keeper;	/* by id; the bytes: copy_plan_keepers() */
	size_t n_keepers;
	uint64_t n_extent_tree_blocks;
	uint64_t n_new_blocks;		/* the most tree blocks that the copies take, with what counts them */
	uint64_t data_missing;		/* bytes of extents that fit into no free range; copy_plan_place() */
	uint64_t n_free_blocks;		/* for tree blocks, once the data have their places; likewise */
	struct record_table copied;	/* while copying: struct copied */
};

/* *plan NULL if nothing is shared. ERROR_REFUSED if a root node is: only a relocation leaves that. */
bool copy_plan_make(const struct scan *scan, struct copy_plan **plan, struct error *err) must_use;
void copy_plan_free(struct copy_plan *plan);

/* Counts the data of the set that each keeper has, by walking its tree. */
bool copy_plan_keepers(struct copy_plan *plan, const struct scan *scan, struct error *err) must_use;

/* Where would the data go? allocator: with everything reserved; it is used up. */
bool copy_plan_place(struct copy_plan *plan, struct allocator *allocator, struct error *err) must_use;

/* The most tree blocks that a record changes to copy this block, or extent. */
size_t copy_block_room(const struct copy_plan *plan, const struct volume *volume, const struct copy_item *block);
size_t copy_extent_room(const struct copy_plan *plan, const struct volume *volume, const struct copy_item *extent);
/* Of all of them. */
size_t copy_plan_room(const struct copy_plan *plan, const struct volume *volume);

#endif /* COMMON_CONVERT_COPY_PLAN_H */

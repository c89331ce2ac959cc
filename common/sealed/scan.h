/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Everything that a set of subvolumes consists of: each tree block and each data extent once, however often it is shared. At most 48 bytes
 * each.
 */
#ifndef COMMON_SEALED_SCAN_H
#define COMMON_SEALED_SCAN_H

#include "common/fs/subvolume.h"
#include "format/file-extent.h"

struct scan_block {
	uint64_t logical;
	uint64_t pointer;	/* hash of the last pointer to it that was found right */
	uint32_t member;	/* index of the lowest member whose tree holds the block */
	uint8_t level;
	bool is_lost;		/* while scanning: it cannot be read */
};

/* Packed, because there may be millions: 48 bytes each, with the join of unit-map.h. */
struct scan_extent {		/* one data extent on disk, with one of its references */
	uint64_t logical;
	uint64_t inode;
	uint64_t file_offset;	/* of the item's key */
	uint64_t length : 40;	/* disk_num_bytes */
	uint64_t member : 21;	/* index */
	uint64_t marked : 1;	/* a REG item with SEAL_MARK refers to it */
	uint64_t unmarked : 1;	/* a REG item without the mark refers to it */
	uint64_t foreign_mark : 1;	/* other_encoding that is neither 0 nor SEAL_MARK */
};
/* Kernels never make extents larger than 256 MiB. */
#define SCAN_LENGTH_MAX ((UINT64_C(1) << 40) - 1)
#define SCAN_MEMBERS_MAX (UINT64_C(1) << 21)

/* An item that cannot be followed, or a tree block that cannot be read. What they stand for is not in the scan. */
struct scan_bad {
	uint64_t inode;		/* 0: a tree block */
	uint32_t member;	/* index */
	bool marked;		/* it has SEAL_MARK, as far as can be told */
	char *what;
};

struct scan {
	struct volume *volume;
	uint64_t *member;		/* ids, ascending */
	struct tree *tree;		/* of each member */
	size_t n_members;
	struct scan_block *block;	/* by ascending address */
	size_t n_blocks, n_leaves;
	struct scan_extent *extent;	/* by ascending address */
	size_t n_extents;
	uint64_t data_bytes;		/* total length of the extents */
	uint64_t n_regular_files;	/* INODE_ITEMs of regular files, counting each leaf once */
	struct scan_bad *bad;		/* scan_run_over(): sorted by inode, then member */
	size_t n_bad, bad_room;
};

/*
 * Walks the trees of the subvolumes ids (any order, no duplicates) in ascending order, each block once. Checks that every pointer to a
 * block describes it correctly, that items referring to the same extent agree on its length, and that extents do not overlap and lie in
 * data or mixed block groups, inside one chunk: ERROR_CORRUPT.
 * ERROR_REFUSED: more than SCAN_MEMBERS_MAX.
 */
bool scan_run(struct volume *volume, const uint64_t *ids, size_t n, struct scan **scan, struct error *err) must_use;
/* The same, but a bad item, or a bad block below a root, is listed and costs only itself. For callers that read and change nothing. */
bool scan_run_over(struct volume *volume, const uint64_t *ids, size_t n, struct scan **scan, struct error *err) must_use;
void scan_free(struct scan *scan);
static inline void scan_cleanup(struct scan **p) { scan_free(*p); }
#define cleanup_scan __attribute__((cleanup(scan_cleanup)))

/* NULL if there is none. */
const struct scan_block *scan_block_at(const struct scan *scan, uint64_t logical);
const struct scan_extent *scan_extent_at(const struct scan *scan, uint64_t logical);

/* Reads a block of the scan. An error names its subvolume. Release it with block_put(). */
bool scan_block_get(const struct scan *scan, const struct scan_block *at, struct block **block, struct error *err) must_use;

#endif /* COMMON_SEALED_SCAN_H */

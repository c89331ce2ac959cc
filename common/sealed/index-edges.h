/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One pass of index-scan.c over a range of inode numbers. If all items of an inode are in one block, that block is enough. At a block's
 * edges an inode may continue in the neighbouring block, which differs from member to member. So a block keeps its partial inodes, and its
 * parents put the parts together.
 */
#ifndef COMMON_SEALED_INDEX_EDGES_H
#define COMMON_SEALED_INDEX_EDGES_H

#include "common/sealed/index-scan.h"

struct index_block;
struct index_pass {
	const struct scan *scan;	/* borrowed, like the next two */
	struct canonical *canonical;
	const uint64_t *apart;		/* inodes handled separately, sorted */
	size_t n_apart;
	uint64_t low, last;		/* the range, both included */
	struct index_found *found;	/* of this range; the caller empties it */
	size_t n_found, found_room;

	struct index_block *block;	/* the blocks whose keys meet the range */
	size_t n_blocks, block_room;
	uint32_t *number;		/* for each block of the scan: its number in it, from 1; 0: none */
};

#define INDEX_BLOCK_BYTES (2 * sizeof(struct inode_version) + 32)	/* the most that one of them takes */

bool index_pass_open(struct index_pass *pass, struct error *err) must_use;
void index_pass_close(struct index_pass *pass);
/* Adds what the blocks have of the range to pass->found. */
bool index_pass_run(struct index_pass *pass, struct error *err) must_use;
/* Adds the entries of a version to pass->found. */
bool index_emit(struct index_pass *pass, const struct inode_version *version, uint32_t member, struct error *err) must_use;

#endif /* COMMON_SEALED_INDEX_EDGES_H */

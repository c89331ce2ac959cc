/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One pass of index-scan.c over a range of inode numbers.  An inode whose items lie in one block is known from that block alone.  Those at a block's
 * edges may go on in its neighbour, which is another one in another member: a block keeps what it has of them, and its
 * parents put the parts together.
 */
#ifndef COMMON_FS_INDEX_EDGES_H
#define COMMON_FS_INDEX_EDGES_H

#include "common/fs/index-scan.h"

struct index_block;
struct index_pass {
	const struct scan *scan;	/* borrowed, as the next two */
	struct canonical *canonical;
	const uint64_t *apart;		/* inodes looked at by themselves, sorted */
	size_t n_apart;
	uint64_t low, last;		/* the range, both included */
	struct index_found *found;	/* of the range: the caller empties it */
	size_t n_found, found_room;

	struct index_block *block;	/* those whose keys meet the range */
	size_t n_blocks, block_room;
	uint32_t *number;		/* of each block of the scan in it, from 1; 0: not in it */
};

#define INDEX_BLOCK_BYTES (2 * sizeof(struct inode_version) + 32)	/* that one of them takes at most */

bool index_pass_open(struct index_pass *pass, struct error *err) must_use;
void index_pass_close(struct index_pass *pass);
/* Adds what the blocks have of the range to pass->found. */
bool index_pass_run(struct index_pass *pass, struct error *err) must_use;
/* The entries of a version, to pass->found. */
bool index_emit(struct index_pass *pass, const struct inode_version *version, uint32_t member, struct error *err) must_use;

int index_compare_inodes(const void *a, const void *b);

#endif /* COMMON_FS_INDEX_EDGES_H */

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What was found out of inodes already, as many as there is room for: names of the same few inodes that take turns in a directory cost one proof of each,
 * not one for each name.  Of PROOF_MEMORY_WAYS in one row the one that was asked for longest ago makes room.
 */
#ifndef COMMON_FS_PROOF_MEMORY_H
#define COMMON_FS_PROOF_MEMORY_H

#include "common/fs/inode-index.h"

#define PROOF_MEMORY_ROWS 8192u
#define PROOF_MEMORY_WAYS 8u	/* in a row, so that a few that fall together do not push each other out */

struct proof_memo {
	uint64_t tree, inode;
	uint32_t kind;		/* 0: none */
	uint32_t used;
	bool proven;
	struct error *gap;	/* the damage for which it is not; NULL: none */
};

/* Initialise with { 0 }. */
struct proof_memory {
	struct proof_memo *row;
	uint64_t seed;
	uint32_t now;
};

/* NULL: it is not known, or not any more.  Stands until the next one is added. */
const struct proof_memo *proof_memory_find(struct proof_memory *memory, uint64_t tree, uint64_t inode, enum inode_entry_kind kind);
/* gap may be NULL, and is copied.  Without memory nothing is remembered. */
void proof_memory_add(struct proof_memory *memory, uint64_t tree, uint64_t inode, enum inode_entry_kind kind, bool proven, const struct error *gap);
void proof_memory_free(struct proof_memory *memory);

#endif /* COMMON_FS_PROOF_MEMORY_H */

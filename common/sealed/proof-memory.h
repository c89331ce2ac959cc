/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Remembers what was found out about inodes, as many as there is room for. So names of the same few inodes that alternate in a directory
 * cost one proof per inode, not one per name. In a row of PROOF_MEMORY_WAYS the least recently used one makes room.
 */
#ifndef COMMON_SEALED_PROOF_MEMORY_H
#define COMMON_SEALED_PROOF_MEMORY_H

#include "common/sealed/inode-index.h"

#define PROOF_MEMORY_ROWS 8192u
#define PROOF_MEMORY_WAYS 8u	/* per row, so that a few collisions do not evict each other */

struct proof_memo {
	uint64_t tree, inode;
	uint32_t kind;		/* 0: none */
	uint32_t used;
	bool proven;
	struct error *gap;	/* the damage that prevents the proof; NULL: none */
};

/* Initialise with { 0 }. */
struct proof_memory {
	struct proof_memo *row;
	uint64_t seed;
	uint32_t now;
};

/* NULL: not known (any more). Valid until the next one is added. */
const struct proof_memo *proof_memory_find(struct proof_memory *memory, uint64_t tree, uint64_t inode, enum inode_entry_kind kind);
/* gap may be NULL and is copied. If memory is short, nothing is remembered. */
void proof_memory_add(struct proof_memory *memory, uint64_t tree, uint64_t inode, enum inode_entry_kind kind, bool proven, const struct error *gap);
void proof_memory_free(struct proof_memory *memory);

#endif /* COMMON_SEALED_PROOF_MEMORY_H */

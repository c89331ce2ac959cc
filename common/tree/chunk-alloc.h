/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * New chunks. The chunk tree must be readable before a journal can be found, so it is not changed in place. Its changed paths are
 * written to new blocks, and the superblock, written once the record is durable, switches to them. Everything else that counts chunks
 * changes in place, like any tree.
 */
#ifndef COMMON_TREE_CHUNK_ALLOC_H
#define COMMON_TREE_CHUNK_ALLOC_H

#include "common/tree/chunk-plan.h"
#include "common/tree/transaction.h"

/* Does the chunk tree have room for the chunks of the plan? ERROR_NO_SPACE if the system block groups are too full. */
bool chunk_alloc_check(struct volume *volume, const struct allocator *allocator, const struct chunk_plan *plan, struct error *err) must_use;

/*
 * Adds chunks that give tree blocks and data this many more bytes, at once: the next tree block may already be in one. Changes the superblock in
 * memory (chunk root, bytes used of the devices), so this is only for a transaction whose record is followed by writing the superblocks
 * before anything is written in place. ERROR_NO_SPACE if there is not enough room.
 */
bool chunk_alloc_for(struct transaction *tx, const struct chunk_want *want, struct error *err) must_use;
static inline must_use bool chunk_alloc(struct transaction *tx, uint64_t bytes, struct error *err)
{
	return chunk_alloc_for(tx, &(struct chunk_want){ .metadata = bytes }, err);
}

#endif /* COMMON_TREE_CHUNK_ALLOC_H */

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * New metadata chunks.  The chunk tree has to be readable before a journal can be found, so it is not changed in place: its changed
 * paths are written to new blocks, and the superblock, written once the record is durable, switches to them with all
 * they say.  Everything else that counts chunks changes in place, as any tree.
 */
#ifndef COMMON_TREE_CHUNK_ALLOC_H
#define COMMON_TREE_CHUNK_ALLOC_H

#include "common/tree/chunk-room.h"
#include "common/tree/transaction.h"

/* Has the chunk tree room for the chunks of the plan?  ERROR_NO_SPACE where the system block groups have not. */
bool chunk_alloc_check(struct volume *volume, const struct allocator *allocator, const struct chunk_plan *plan, struct error *err) must_use;

/*
 * Chunks, so that tree blocks get `bytes` more, at once: the next tree block may be in one.  Changes the superblock in memory
 * (chunk root, bytes used of the device): only for a transaction whose record is followed by writing the superblocks before anything is
 * written in place.  ERROR_NO_SPACE where there is not so much room.
 */
bool chunk_alloc(struct transaction *tx, uint64_t bytes, struct error *err) must_use;

#endif /* COMMON_TREE_CHUNK_ALLOC_H */

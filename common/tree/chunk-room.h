/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Where a device has room for new chunks: what no device extent takes, and how chunks are laid into it. */
#ifndef COMMON_TREE_CHUNK_ROOM_H
#define COMMON_TREE_CHUNK_ROOM_H

#include "common/tree/allocator.h"

#define CHUNKS_NEW_MAX 64u	/* 64 GiB of metadata, which seal 15 TiB of data */

struct chunk_plan {
	struct chunk *chunk;	/* by address, behind all that there are */
	struct chunk_stripe (*stripe)[2];	/* of each */
	size_t n;
	uint64_t length;	/* bytes of all */
	uint64_t usable;	/* of them for tree blocks, at least */
};

/*
 * Chunks of the type and profile of the metadata chunks, so that tree blocks get `bytes` more; as long as there is room, less where
 * there is not: plan->usable says how much.  Device extents and chunks that do not fit each other: ERROR_CORRUPT.
 * chunk_plan_free() it, also after a failure.
 */
bool chunk_plan_make(struct volume *volume, const struct allocator *allocator, uint64_t bytes, struct chunk_plan *plan,
		     struct error *err) must_use;
void chunk_plan_free(struct chunk_plan *plan);
#define cleanup_chunk_plan __attribute__((cleanup(chunk_plan_free)))	/* initialise with { 0 } */

#endif /* COMMON_TREE_CHUNK_ROOM_H */

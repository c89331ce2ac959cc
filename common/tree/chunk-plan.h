/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Plans new chunks for metadata, and for data, as a kernel would lay them out: of the existing profile, on the devices with the most room, on as many as the
 * profile takes. One difference: a device whose room is short does not make the chunk shorter if the profile can do without it.
 */
#ifndef COMMON_TREE_CHUNK_PLAN_H
#define COMMON_TREE_CHUNK_PLAN_H

#include "common/tree/allocator.h"

#define CHUNKS_NEW_MAX 64u	/* 64 GiB of metadata, enough to seal 15 TiB of data */

struct chunk_plan {
	struct chunk *chunk;	/* by address, behind all existing chunks; the stripes of each are the plan's */
	size_t n;
	uint64_t length;	/* bytes of all chunks */
	uint64_t usable;	/* of these, at least this much for tree blocks, */
	uint64_t usable_data;	/* and this much for data, not counting what extents leave at the ends */
};

struct chunk_want {
	uint64_t metadata, data;	/* bytes */
};

/*
 * Plans chunks of the type and profile of the metadata and data chunks, so that tree blocks and data get as much more as is wanted, or less
 * if there is not enough room: plan->usable and usable_data say how much. ERROR_CORRUPT if device extents and chunks do not match. Call
 * chunk_plan_free() also after a failure.
 */
bool chunk_plan_make_for(struct volume *volume, const struct allocator *allocator, const struct chunk_want *want, struct chunk_plan *plan,
			 struct error *err) must_use;
static inline must_use bool chunk_plan_make(struct volume *volume, const struct allocator *allocator, uint64_t bytes, struct chunk_plan *plan,
					    struct error *err)
{
	return chunk_plan_make_for(volume, allocator, &(struct chunk_want){ .metadata = bytes }, plan, err);
}
void chunk_plan_free(struct chunk_plan *plan);
#define cleanup_chunk_plan __attribute__((cleanup(chunk_plan_free)))	/* initialise with { 0 } */

#endif /* COMMON_TREE_CHUNK_PLAN_H */

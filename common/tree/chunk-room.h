/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Finds where the devices have room for new chunks: what no device extent takes. */
#ifndef COMMON_TREE_CHUNK_ROOM_H
#define COMMON_TREE_CHUNK_ROOM_H

#include "common/tree/ranges.h"
#include "common/volume/volume.h"

#define CHUNK_STEP	(1ull << 20)	/* the stripes of new chunks have a multiple of this on each device */

/* What one device has. */
struct device_room {
	const struct volume_device *device;
	struct ranges gaps;		/* by address on the device, in whole stripes of 64 KiB */
	uint64_t total;			/* bytes in them */
	uint64_t longest;		/* for whoever compares devices */
};

struct chunk_room {
	struct device_room *device;
	size_t n;
};

/*
 * Looks at every device that can be written to. ERROR_CORRUPT if device extents and chunks do not match: then nothing is known to be free.
 * Call chunk_room_free() also after a failure.
 */
bool chunk_room_find(struct volume *volume, struct chunk_room *room, struct error *err) must_use;
void chunk_room_free(struct chunk_room *room);
#define cleanup_chunk_room __attribute__((cleanup(chunk_room_free)))	/* initialise with { 0 } */

/* How long each of this many stripes, one or two, can be: a multiple of CHUNK_STEP. */
uint64_t device_room_longest(const struct device_room *room, unsigned n_stripes);
/* Takes the first gap in which a stripe fits. */
bool device_room_take(struct device_room *room, uint64_t length, uint64_t *physical, struct error *err) must_use;

#endif /* COMMON_TREE_CHUNK_ROOM_H */

/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The sorted chunks of a volume while they are being read. */
#ifndef COMMON_VOLUME_CHUNK_MAP_H
#define COMMON_VOLUME_CHUNK_MAP_H

#include "common/volume/volume.h"

/* 256 TiB in chunks of 1 GiB, of 16 stripes each on average: together about 140 MB of memory. */
#define CHUNKS_MAX (1u << 18)
#define CHUNK_MAP_STRIPES_MAX (1u << 22)

/*
 * Adds a chunk: profile, devices and bounds of its stripes are checked, and that it overlaps no other.  One that is there already
 * (from the superblock's array) must be the same.  Keeps its own copy of the stripes.
 */
bool chunk_map_add(struct volume *volume, const struct chunk *chunk, struct error *err) must_use;

/* Forgets all but the first n chunks by address: what was added last comes last. */
void chunk_map_truncate(struct volume *volume, size_t n);
void chunk_map_free(struct volume *volume);

/* After the last one: no byte of the device belongs to two chunks. */
bool chunk_map_check_devices(const struct volume *volume, struct error *err) must_use;

#endif /* COMMON_VOLUME_CHUNK_MAP_H */

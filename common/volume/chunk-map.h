/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The sorted chunks of a volume while they are read. */
#ifndef COMMON_VOLUME_CHUNK_MAP_H
#define COMMON_VOLUME_CHUNK_MAP_H

#include "common/volume/volume.h"

/* 256 TiB in chunks of 1 GiB, with 16 stripes each on average: about 140 MB of memory in all. */
#define CHUNKS_MAX (1u << 18)
#define CHUNK_MAP_STRIPES_MAX (1u << 22)

/*
 * Adds a chunk. Checks profile, devices and bounds of its stripes, and that it overlaps no other. A chunk that exists already (from the
 * superblock's array) must be identical. Makes its own copy of the stripes.
 */
bool chunk_map_add(struct volume *volume, const struct chunk *chunk, struct error *err) must_use;

/* Drops all but the first n chunks by address: the last ones added come last. */
void chunk_map_truncate(struct volume *volume, size_t n);
void chunk_map_free(struct volume *volume);

#endif /* COMMON_VOLUME_CHUNK_MAP_H */

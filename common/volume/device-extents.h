/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Which bytes of the devices belong to chunks, and which to none. */
#ifndef COMMON_VOLUME_DEVICE_EXTENTS_H
#define COMMON_VOLUME_DEVICE_EXTENTS_H

#include "common/volume/volume.h"

/* What nothing but superblocks ever uses, by address: the first MiB, which holds the primary, and the stripes of the other copies. */
#define DEVICE_RESERVED_RANGES 3u
struct device_reserved { uint64_t at, len; };
extern const struct device_reserved device_reserved[DEVICE_RESERVED_RANGES];

/* Called after the last chunk was read: checks that no byte of a device belongs to two chunks. */
bool device_extents_check(const struct volume *volume, struct error *err) must_use;

/*
 * Visits the bytes of each device that no chunk uses, by address, up to the size that the filesystem has there. Leaves out what is reserved,
 * devices that are missing, and seeds.
 */
typedef bool device_gap_visit(void *context, struct device *device, uint64_t at, uint64_t len, struct error *err);
bool device_gaps(const struct volume *volume, device_gap_visit *visit, void *context, struct error *err) must_use;

#endif /* COMMON_VOLUME_DEVICE_EXTENTS_H */

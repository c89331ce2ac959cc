/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The superblocks of a zoned device, which cannot be written in place: each copy is a log in two zones, written one after the other in
 * turn. An image says about its zones only what its chunks say: each stripe of a chunk is one zone, and every superblock contains the
 * system chunk.
 */
#ifndef COMMON_VOLUME_SUPER_LOG_H
#define COMMON_VOLUME_SUPER_LOG_H

#include "common/volume/supers.h"

/* Btrfs zones have 4 MiB to 8 GiB, a power of two. */
#define ZONE_SIZE_MIN (4ull << 20)
#define ZONE_SIZE_MAX (8ull << 30)

/* Is there a superblock of a log at the beginning of the device? */
bool super_log_begins(struct device *device);

/*
 * The newest valid superblock in the log of a copy; false if there is none. Counts damaged ones after it. Takes a few hundred reads at
 * most, however long the log is.
 */
bool super_log_read(struct device *device, unsigned n, struct super_copy *copy);

/* Reads and checks the superblock at where, which claims to be copy n. */
bool super_copy_read(struct device *device, unsigned n, uint64_t where, struct super_copy *copy);

#endif /* COMMON_VOLUME_SUPER_LOG_H */

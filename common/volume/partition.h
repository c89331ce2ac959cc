/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A filesystem that is only a part of an image: partitions of a disk, and windows on a device. */
#ifndef COMMON_VOLUME_PARTITION_H
#define COMMON_VOLUME_PARTITION_H

#include "common/volume/device.h"

struct partition {
	int number;
	uint64_t offset, length;	/* bytes */
};

/* Has the device the magic of btrfs where [offset, +length) would have a copy of the superblock? */
bool partition_is_btrfs(struct device *device, uint64_t offset, uint64_t length);

struct partition_table {
	unsigned sector_size;		/* that it counts in */
	uint64_t size_before_cut;	/* of the disk, as a GPT says whose end is not in the image; else 0 */
};

/* Is a partition one that is looked for? */
typedef bool partition_wanted(const char *path, struct device *device, uint64_t offset, uint64_t length);
bool partition_has_btrfs(const char *path, struct device *device, uint64_t offset, uint64_t length);

/*
 * The first n_max partitions of the disk at path, which device has open, that are wanted; *n is how many there are, which may be more.  No partition
 * table: none.  The sectors of a disk may have 512 or 4096 bytes, and an image does not say which: where none is wanted with the one, the other is tried.
 */
bool partitions_find(const char *path, struct device *device, partition_wanted *wanted, struct partition *partition, size_t n_max, size_t *n,
		     struct partition_table *table, struct error *err) must_use;

/* A part of a device that looks like a device, for reading only.  Takes the device, also when it fails. */
bool device_window(struct device *device, uint64_t offset, uint64_t length, struct device **window, struct error *err) must_use;

#endif /* COMMON_VOLUME_PARTITION_H */

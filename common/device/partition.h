/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A filesystem that is only a part of an image: partitions of a disk, and windows on a device. */
#ifndef COMMON_DEVICE_PARTITION_H
#define COMMON_DEVICE_PARTITION_H

#include "common/device/device.h"

struct partition {
	int number;
	uint64_t offset, length;	/* bytes */
	char table[8];			/* "gpt", "dos" */
	char type[37];			/* what the table says is in it: a uuid, or a number in hexadecimal */
};

/* Does the device have the magic of btrfs where [offset, +length) would have a copy of the superblock? */
bool partition_is_btrfs(struct device *device, uint64_t offset, uint64_t length);

struct partitions {
	unsigned sector_size;		/* the sector size of the numbers in the table */
	uint64_t size_before_cut;	/* of the disk, according to a GPT whose end is not in the image; otherwise 0 */
	size_t n;			/* wanted ones; the first of them are: */
	struct partition at[128];
};

/* Is the caller looking for such a partition? */
typedef bool partition_wanted(const char *path, struct device *device, uint64_t offset, uint64_t length);
bool partition_has_btrfs(const char *path, struct device *device, uint64_t offset, uint64_t length);

/*
 * Finds the wanted partitions of the disk at path, which is open as device. Without a partition table: none. The sectors of a disk may have
 * 512 or 4096 bytes, and an image does not say which: if none is wanted with one size, the other is tried.
 */
bool partitions_find(const char *path, struct device *device, partition_wanted *wanted, struct partitions *found, struct error *err) must_use;

/*
 * A part of a device that looks like a device, writable if that one is: nothing outside the part is written. Whoever uses any other part of
 * the device is in the way of still_ours and check_free as well. Takes the device, even on failure.
 */
bool device_window(struct device *device, uint64_t offset, uint64_t length, struct device **window, struct error *err) must_use;

#endif /* COMMON_DEVICE_PARTITION_H */

/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Identifies what is not btrfs: its name, and how to get at its contents. */
#ifndef COMMON_DEVICE_FOREIGN_H
#define COMMON_DEVICE_FOREIGN_H

#include "common/device/device.h"

enum foreign_way {
	FOREIGN_UNKNOWN = 0,
	FOREIGN_VIRTUAL_DISK,	/* its bytes are not where they are on the disk */
	FOREIGN_EVIDENCE,	/* the same, from an examiner's tools */
	FOREIGN_STREAM,		/* of btrfs send */
	FOREIGN_DUMP,		/* of btrfs-image */
	FOREIGN_LUKS,
	FOREIGN_LVM,
	FOREIGN_FILESYSTEM,
	FOREIGN_OTHER,		/* there are no files in it */
};

struct foreign {
	enum foreign_way way;
	char name[48];
	const char *format;	/* of a virtual disk, as QEMU calls it; NULL: nothing for QEMU */
};

/* A container, by the first bytes of a file. */
#define FOREIGN_HEAD 512u
struct foreign foreign_begins(const uint8_t head[FOREIGN_HEAD]);

/* A container at the beginning of the device, in which a btrfs superblock would mean nothing. */
struct foreign foreign_container(struct device *device);

/* What libblkid recognises in [offset, +length) of the device, which was opened at path. */
struct foreign foreign_content(const char *path, struct device *device, uint64_t offset, uint64_t length);

/* The same for callers that look through partitions. */
bool foreign_is_known(const char *path, struct device *device, uint64_t offset, uint64_t length);

#endif /* COMMON_DEVICE_FOREIGN_H */

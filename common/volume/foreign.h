/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What is not btrfs: what it is called, and in which way one gets at what is in it. */
#ifndef COMMON_VOLUME_FOREIGN_H
#define COMMON_VOLUME_FOREIGN_H

#include "common/volume/device.h"

enum foreign_way {
	FOREIGN_UNKNOWN = 0,
	FOREIGN_VIRTUAL_DISK,	/* its bytes are not where they are on the disk */
	FOREIGN_EVIDENCE,	/* likewise, of an examiner's tools */
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
};

/* A container at the beginning of the device, in which a superblock of btrfs would mean nothing. */
struct foreign foreign_container(struct device *device);

/* What libblkid knows to be in [offset, +length) of the device, which is also at path. */
struct foreign foreign_content(const char *path, uint64_t offset, uint64_t length);

/* The same for those who look through partitions. */
bool foreign_is_known(const char *path, struct device *device, uint64_t offset, uint64_t length);

#endif /* COMMON_VOLUME_FOREIGN_H */

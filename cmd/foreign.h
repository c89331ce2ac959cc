/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Says what an image is that is not btrfs, and how its contents can be read. */
#ifndef CMD_FOREIGN_H
#define CMD_FOREIGN_H

#include "common/device/device.h"
#include "common/device/partition.h"

/* An image as it was given, and the part of it to look at. */
struct image_part {
	const char *path;	/* as it was given, for people */
	const char *opened;	/* the path with its bytes; differs if it was packed */
	struct device *device;	/* the whole, opened there */
	bool in_container;	/* other programs do not find its bytes there: a virtual disk, or a server */
	uint64_t size;		/* of the whole */
	uint64_t offset, length;
	struct partition partition;	/* that the filesystem was found in; number 0: nobody looked, or there is none */
};

/* ERROR_NOT_FOUND names a container of another kind. True if there is none. */
bool foreign_check_container(const struct image_part *part, struct error *err) must_use;

/* There is no btrfs in the part: ERROR_NOT_FOUND names what is there. True if it is unknown. */
bool foreign_check_content(const struct image_part *part, struct error *err) must_use;

/* There is no btrfs at the offset that was given: the same, and what is in the partitions of the disk. */
bool foreign_check_offset(const struct image_part *part, struct error *err) must_use;

/* Adds a hint to an error about missing data: this is only one of several files. */
void foreign_hint_split(const char *path, struct error *err);

#endif /* CMD_FOREIGN_H */

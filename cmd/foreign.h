/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What is said of an image that is not btrfs, and how what is in it can be read all the same. */
#ifndef CMD_FOREIGN_H
#define CMD_FOREIGN_H

#include "common/volume/device.h"

/* An image as it was given, and the part of it that is looked at. */
struct image_part {
	const char *path;	/* as it was given, for people */
	const char *opened;	/* where its bytes are: another path, if it was packed */
	struct device *device;	/* the whole, opened there */
	uint64_t size;		/* of the whole */
	uint64_t offset, length;
};

/* A container of another kind, named by ERROR_NOT_FOUND; true where there is none. */
bool foreign_check_container(const struct image_part *part, struct error *err) must_use;

/* There is no btrfs in the part: named by ERROR_NOT_FOUND; true where nobody knows what is in there. */
bool foreign_check_content(const struct image_part *part, struct error *err) must_use;

/* Of what is lost or missing, because this is only one of several files: sets the hint. */
void foreign_hint_split(const char *path, struct error *err);

/*
 * Words of a shell that stand for the image in a command that changes it: its name, or for a part of it the device that a command makes of it.
 * Malloced; NULL: no memory.
 */
char *image_part_word(const struct image_part *part);

#endif /* CMD_FOREIGN_H */

/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Where the filesystem was found in each image: for reports. */
#ifndef CMD_IMAGE_FOUND_H
#define CMD_IMAGE_FOUND_H

#include "cmd/foreign.h"
#include "common/device/partition.h"

struct image_found {
	bool is_known;
	uint64_t offset;		/* where the filesystem begins */
	const char *unpacked;		/* the path with the unpacked image; NULL: it was not packed */
	const char *member;		/* its name in an archive; NULL: in none */
	struct partition partition;	/* number 0: in none */
};

/* Remembers what is read of device i of the command line, and which partition that is. */
void image_found_set(size_t i, const struct image_part *part);
/* NULL: it was not opened. */
const struct image_found *image_found(size_t i);

#endif /* CMD_IMAGE_FOUND_H */

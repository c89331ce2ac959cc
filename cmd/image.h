/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Opening an image as the options say (image-options.h). Warnings are printed; errors begin with the image's name. */
#ifndef CMD_IMAGE_H
#define CMD_IMAGE_H

#include <stddef.h>
#include <stdint.h>

#include "common/util/report.h"
#include "format/error.h"

struct device;
struct volume;

/* While a conversion is unfinished, its last records, laid over the trees in memory, say how the trees are. */
enum image_trees {
	TREES_REPLAYED,		/* if that cannot be done, ERROR_UNFINISHED */
	TREES_ANYHOW,		/* or as they are on disk, with a warning */
};
bool image_open(const char *path, enum image_trees trees, struct volume **volume, struct error *err) must_use;
/* For commands that show trees block by block, with what is wrong with each: --tolerant only affects what is read to get there. */
bool image_open_blocks(const char *path, struct volume **volume, struct error *err) must_use;

struct image_conversion {
	bool writable;
	bool unfinished;	/* one may be unfinished; otherwise that is ERROR_UNFINISHED */
	bool mounted_copy;	/* another filesystem with its uuid may be mounted */
	bool degraded;		/* devices may be missing, as far as the profiles allow it */
	bool keep_old;		/* what is overwritten is no secret: copies of it may stay in a virtual disk */
};
/* Refuses packed images, and what begins in the middle of a sector. */
bool image_open_to_convert(const char *path, struct image_conversion how, struct volume **volume, struct error *err) must_use;

/* What in the virtual disk that was opened to be converted keeps what is overwritten, for people; "": nothing is known. */
const char *image_old_copies(void);

/*
 * Who gets what image_open(), and later reading, reports, instead of print_report(); for callers that write a report.
 * image_hear(NULL) before context goes away.
 */
void image_hear(const struct reporter *reporter);

/* Device i of the command line (0 is path), for commands that look at devices one by one: the part of it with the filesystem, or the whole. */
bool image_device_open(const char *path, size_t i, struct device **device, struct error *err) must_use;
bool image_device_open_whole(const char *path, size_t i, struct device **device, struct error *err) must_use;

/*
 * The image as shell words for a command that converts it, with the options that say where it is. Malloced; NULL: out of memory.
 */
char *image_word(const char *path);

/* If the trees cannot be read and the image is to blame, adds a hint which options may help. */
void image_hint_damage(struct error *err);
/* If an error stopped a conversion and left the image unfinished, adds a hint how to go on. goes_on: it was unfinished before. */
void image_hint_unfinished(const char *path, bool goes_on, struct error *err);

#endif /* CMD_IMAGE_H */

/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The copies of the superblock: reads all of them and chooses one, writes all of them. */
#ifndef COMMON_VOLUME_SUPERS_H
#define COMMON_VOLUME_SUPERS_H

#include "common/device/device.h"
#include "format/superblock.h"

struct volume;

struct super_copy {
	size_t device;		/* which of volume->devices it lies on */
	unsigned number;	/* 0: the primary */
	bool exists;		/* the device is large enough */
	bool valid;		/* magic, checksum and fields are right */
	bool is_readable;	/* everything but the checksum is right */
	bool is_doubted;	/* not valid, only because it claims an unfinished conversion and is not believed */
	uint64_t where;		/* on the device */
	unsigned n_damaged;	/* in a log: number of newer ones that are not valid */
	struct superblock super;	/* if valid */
	struct error error;	/* if not valid */
};

#define CHOOSE_BY_ITSELF 0	/* in fields that choose: n + 1 chooses n */

/* Reads all copies, at their fixed places or in the logs of a zoned device. */
void super_copies_find(struct device *device, struct super_copy copy[SUPER_COPIES]);

/* How a copy is chosen. */
struct super_choice {
	bool to_convert;	/* by a command without --super */
	unsigned copy;		/* n + 1: this copy or none; CHOOSE_BY_ITSELF */
	bool tolerant;		/* rather use a copy with a wrong checksum than none; it is not valid */
};

/*
 * Reads all copies on a device and chooses one: like a kernel the primary or, if that is not valid, the newest valid one; but of copies
 * equally new as that one, the first that records an unfinished conversion. Copies of another filesystem than a valid primary's do not
 * count. Nor does a copy, unless it was chosen, that claims an unfinished conversion in a way no conversion does, while the primary and all
 * others record none: it is_doubted, and not valid.
 */
bool super_copies_read(struct device *device, const struct super_choice *choice, struct super_copy copy[SUPER_COPIES], unsigned *used,
		       struct error *err) must_use;

/*
 * Compares the other copies with the chosen one: those of another filesystem, and those behind the end of this one, do not count. Warns of
 * damaged, older and newer ones. label comes first in the texts; NULL: none.
 */
void super_copies_judge(const struct volume *volume, const char *label, const struct super_choice *choice,
			struct super_copy copy[SUPER_COPIES], unsigned used);

/*
 * Writes disk to every existing copy of every device, with bytenr, device item and checksum filled in for each, in this order:
 *
 *   written                                    a power cut before the next step leaves
 *   1. a damaged primary: the copy in use      all copies as they were, or that
 *   2. all copies but the primaries            all primaries as they were
 *   3. all primaries but the decisive one      the decisive one as it was
 *   4. the decisive primary
 *
 * Each step is flushed, on every device, and read back from the medium. Updates volume->copy[] and volume->super.
 */
bool volume_write_supers(struct volume *volume, const struct disk_superblock *disk, struct error *err) must_use;
/* The primary of the lowest devid: the last copy to be written, so that it tells whether all others were. An index of volume->copy[]. */
unsigned volume_decisive_copy(const struct volume *volume);
/* The first primary that should be there and is not valid; NULL: none. */
const struct super_copy *volume_damaged_primary(const struct volume *volume);
/* "copy 1 of the superblock", and of which device, if there are several. text has COPY_TEXT_SIZE bytes. */
#define COPY_TEXT_SIZE 64
const char *super_copy_text(const struct volume *volume, const struct super_copy *copy, char *text);

/* *to = *from, with pointers into the struct adjusted. */
void superblock_copy(struct superblock *to, const struct superblock *from);

#endif /* COMMON_VOLUME_SUPERS_H */

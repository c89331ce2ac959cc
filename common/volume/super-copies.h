/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The copies of the superblock on the device: all of them read, one of them chosen. */
#ifndef COMMON_VOLUME_SUPER_COPIES_H
#define COMMON_VOLUME_SUPER_COPIES_H

#include "common/volume/volume.h"

/* Reads all copies, where they are always or in the logs of a zoned device. */
void super_copies_find(struct device *device, struct super_copy copy[SUPER_COPIES]);

/* How a copy is chosen. */
struct super_choice {
	bool to_convert;	/* by a command without --super */
	unsigned copy;		/* n + 1: this one or none; CHOOSE_BY_ITSELF */
	bool tolerant;		/* one with a wrong checksum rather than none: it is not valid */
};

/*
 * Reads all copies on a device and chooses one, as a kernel the primary, and where that is not valid the newest that is; but of copies
 * that are as new as this one, the first that tells of an unfinished conversion.  Copies of another filesystem than the primary, where that is
 * valid, do not count.  Nor does one that says that a conversion is unfinished as no
 * conversion says it, where the primary and all others say nothing of one, unless it was chosen: it is_doubted, and not valid.
 */
bool super_copies_read(struct device *device, const struct super_choice *choice, struct super_copy copy[SUPER_COPIES], unsigned *used,
		       struct error *err) must_use;

/*
 * What the chosen one says of the others: those of another filesystem and those behind the end of this one do not count.  Warns of damaged, of older
 * and of newer ones.  label comes first in the texts; NULL: none.
 */
void super_copies_judge(const struct volume *volume, const char *label, const struct super_choice *choice,
			struct super_copy copy[SUPER_COPIES], unsigned used);

/* *to = *from; what is borrowed from the struct itself follows it. */
void superblock_copy(struct superblock *to, const struct superblock *from);

#endif /* COMMON_VOLUME_SUPER_COPIES_H */

/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Translates a part of an extent on disk for people: which bytes of which file. */
#ifndef COMMON_SEALED_EXTENT_PART_H
#define COMMON_SEALED_EXTENT_PART_H

#include "common/fs/source.h"
#include "common/sealed/scan.h"

struct extent_part {
	uint64_t first, last;	/* bytes of the file, both included; if unused: of the extent */
	bool unused;		/* the file known to the scan does not refer to this part */
};

/* The part [from, to) of an extent as one item shows it. A compressed extent is one piece. False: the item does not refer to any of it. */
bool extent_part_of(const struct file_extent *item, uint64_t file_offset, uint64_t from, uint64_t to, struct extent_part *part);

/* Reports [from, to) of the item's extent as doubtful, unless the item refers to none of it. */
void extent_part_doubt(const struct file_item *item, uint64_t from, uint64_t to, const char *text);
#define UNSEALED_TEXT "not sealed: written later, and not authenticated"

/*
 * Visits each part of the file of extent->inode that lies in [from, to) of the extent. If there is none, visit is called once with .unused.
 * Other files and snapshots may share the extent.
 */
typedef bool extent_part_visit(void *context, const struct extent_part *part, struct error *err);
bool extent_parts(const struct scan *scan, const struct scan_extent *extent, uint64_t from, uint64_t to, extent_part_visit *visit,
		  void *context, struct error *err) must_use;

/* "home/notes.txt": from the top level, escaped, malloced. NULL: out of memory. inode 0: the subvolume itself ("/" for the top level). */
char *file_label(const struct subvolume_list *list, const struct tree *subvolume, uint64_t inode);

#endif /* COMMON_SEALED_EXTENT_PART_H */

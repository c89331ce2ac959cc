/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Finds who refers to an address by looking through all trees, for when the extent tree cannot be read or trusted. */
#ifndef COMMON_FS_OWNER_SCAN_H
#define COMMON_FS_OWNER_SCAN_H

#include "common/fs/backref.h"

/* All are called with the same context, extent first. */
struct owner_visitor {
	bool (*extent)(void *context, const struct backref_extent *extent, struct error *err);	/* for data: without refs and generation */
	backref_visit *file;
	bool (*tree)(void *context, uint64_t root, struct error *err);	/* for a tree block: it belongs to this tree */
	/* REPORT_DAMAGED: it cannot be read, and what is below it is missing too. */
	void (*report)(void *context, const struct report *report);
};

/*
 * For the byte at logical. whole: as in backref_files(). Reads each block once, however many trees share it, and then again only the paths
 * to what was found, tree by tree. Data are looked for in trees that have files. Subvolumes that are being deleted are searched as far as
 * they still exist.
 * Memory: a number for each block. ERROR_NOT_FOUND if no tree has it.
 */
bool owner_scan(struct volume *volume, uint64_t logical, bool whole, const struct owner_visitor *visitor, void *context,
		struct error *err) must_use;

#endif /* COMMON_FS_OWNER_SCAN_H */

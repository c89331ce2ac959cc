/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Who refers to an address, by looking through all trees: for where the extent tree cannot be read or believed. */
#ifndef COMMON_FS_OWNER_SCAN_H
#define COMMON_FS_OWNER_SCAN_H

#include "common/fs/backref.h"

/* All are called, extent first, with the same context. */
struct owner_visitor {
	bool (*extent)(void *context, const struct backref_extent *extent, struct error *err);	/* of data: without refs and generation */
	backref_visit *file;
	bool (*tree)(void *context, uint64_t root, struct error *err);	/* of a tree block: it belongs to that tree */
	/* What cannot be read, and so what is below it. */
	bool (*bad)(void *context, const struct error *what, struct error *err);
};

/*
 * Of the byte at logical; whole: as in backref_files().  Reads each block once, however many trees share it, and then only the way to what was found
 * again, tree by tree.  Data are looked for in trees that have files.  Subvolumes that are being deleted are looked through as far as they are there.
 * Memory: a number for each block.  ERROR_NOT_FOUND where no tree has it.
 */
bool owner_scan(struct volume *volume, uint64_t logical, bool whole, const struct owner_visitor *visitor, void *context,
		struct error *err) must_use;

#endif /* COMMON_FS_OWNER_SCAN_H */

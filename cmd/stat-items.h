/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What an inode has besides its own item: extended attributes and file extents, one line each. */
#ifndef CMD_STAT_ITEMS_H
#define CMD_STAT_ITEMS_H

#include "cmd/stat-seal.h"

struct stat_file {
	const struct tree *tree;
	uint64_t inode;
	const char *path;	/* as it is in the image */
};

/* Name and size of each extended attribute. */
bool stat_xattrs(const struct stat_file *file, struct error *err) must_use;

/* Totals over all extents of a file. */
struct extent_totals {
	uint64_t n;		/* items */
	uint64_t n_inline, n_prealloc, n_holes, n_sealed;
	uint64_t n_compressed[256];	/* by the compression; 0 is none */
	uint64_t n_legacy;		/* encrypted in the format of 2016 */
	uint64_t n_encrypted;	/* encryption other than 0 of another format */
};

/* Counts them, and prints a line for each as well. */
enum extents_how { EXTENTS_COUNTED, EXTENTS_PRINTED };
bool stat_extents(const struct stat_file *file, const struct inode *inode, struct stat_seal *seal, enum extents_how how, struct extent_totals *totals,
		  struct error *err) must_use;

#endif /* CMD_STAT_ITEMS_H */

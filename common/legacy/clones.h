/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Extents that several files use: cloning left them encrypted with the IV of one file, so that the others do not read their own data. */
#ifndef COMMON_LEGACY_CLONES_H
#define COMMON_LEGACY_CLONES_H

#include "common/legacy/legacy-inode.h"

struct clone {
	enum {
		CLONE_NONE,	/* no file with another IV uses it, or this one reads it right */
		CLONE_WRONG,	/* the other file reads it right, so this one does not */
		CLONE_DOUBTFUL,	/* nothing tells which of them does */
	} kind;
	uint64_t tree, inode;	/* the other file */
};
/* Who else uses the extent that this file refers to? References that cannot be read do not count. */
bool clone_find(const struct tree *tree, const struct legacy *legacy, struct legacy_ciphers *ciphers, const struct legacy_inode *inode,
		uint64_t disk_bytenr, struct clone *clone, struct error *err) must_use;

#endif /* COMMON_LEGACY_CLONES_H */

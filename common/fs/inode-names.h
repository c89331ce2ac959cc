/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Lists all names of an inode (hard links). */
#ifndef COMMON_FS_INODE_NAMES_H
#define COMMON_FS_INODE_NAMES_H

#include "common/fs/path.h"

/* path: from the root directory of the subvolume, no leading slash; NULL if a directory above has no name itself. Borrowed. */
typedef bool inode_name_visit(void *context, const uint8_t *path, size_t len, struct error *err);

/* The root directory has the path "". *n_names: their number. */
bool inode_names(const struct tree *subvolume, uint64_t inode, inode_name_visit *visit, void *context, uint64_t *n_names,
		 struct error *err) must_use;

/* Does the inode itself say, with an INODE_REF or INODE_EXTREF, that it has this name in the directory? */
bool inode_has_ref(const struct tree *subvolume, uint64_t inode, uint64_t directory, const void *name, size_t len, bool *has,
		   struct error *err) must_use;

#endif /* COMMON_FS_INODE_NAMES_H */

/* SPDX-License-Identifier: GPL-2.0-or-later */
/* From an inode to its path, or to all its names (hard links). */
#ifndef COMMON_FS_INODE_NAMES_H
#define COMMON_FS_INODE_NAMES_H

#include "common/fs/path.h"

/* A path of the inode inside its subvolume (the first name found), malloced, escaped for people. "inode 300 (no name)" if there is none. */
bool inode_path(const struct tree *subvolume, uint64_t inode, char **path, struct error *err) must_use;

/*
 * The same path as raw bytes, components joined by '/', without a leading one; "" for the root directory. *path is NULL (with true) if the
 * inode, or a directory above it, has no name. A path longer than PATH_BYTES_MAX is ERROR_REFUSED, a loop of
 * directories ERROR_CORRUPT.
 */
bool inode_path_bytes(const struct tree *subvolume, uint64_t inode, uint8_t **path, size_t *len, struct error *err) must_use;

/* path: from the root directory of the subvolume, no leading slash; NULL if a directory above has no name itself. Borrowed. */
typedef bool inode_name_visit(void *context, const uint8_t *path, size_t len, struct error *err);

/* The root directory has the path "". *n_names: their number. */
bool inode_names(const struct tree *subvolume, uint64_t inode, inode_name_visit *visit, void *context, uint64_t *n_names,
		 struct error *err) must_use;

/* Does the inode itself say, with an INODE_REF or INODE_EXTREF, that it has this name in the directory? */
bool inode_has_ref(const struct tree *subvolume, uint64_t inode, uint64_t directory, const void *name, size_t len, bool *has,
		   struct error *err) must_use;

#endif /* COMMON_FS_INODE_NAMES_H */

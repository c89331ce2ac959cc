/* SPDX-License-Identifier: GPL-2.0-or-later */
/* From a path to an inode, and back. */
#ifndef COMMON_FS_PATH_H
#define COMMON_FS_PATH_H

#include "common/fs/subvolume.h"
#include "format/dir-entry.h"

/* An inode of a subvolume. */
struct file_id {
	uint64_t subvolume;
	uint64_t inode;
};

bool inode_get(const struct tree *subvolume, uint64_t number, struct inode *inode, struct error *err) must_use;

/*
 * Walks path (components by '/', '.' and empty ones ignored, no '..') from the root directory of a subvolume, through nested subvolumes,
 * not through symlinks.  ERROR_NOT_FOUND names the component.  Compares whole names (hash collisions happen).
 */
bool path_find(struct volume *volume, uint64_t subvolume, const char *path, struct file_id *found, struct error *err) must_use;

/* Entries of a directory, in DIR_INDEX order; entry is borrowed for the call. */
typedef bool dir_visit(void *context, const struct dir_entry *entry, struct error *err);
bool dir_read(const struct tree *subvolume, uint64_t inode, dir_visit *visit, void *context, struct error *err) must_use;

/* A path of inode inside its subvolume (the first name found), malloced, escaped for people.  "inode 300 (no name)" where there is none. */
bool inode_path(const struct tree *subvolume, uint64_t inode, char **path, struct error *err) must_use;

#endif /* COMMON_FS_PATH_H */

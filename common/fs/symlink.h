/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The target of a symbolic link. */
#ifndef COMMON_FS_SYMLINK_H
#define COMMON_FS_SYMLINK_H

#include "common/fs/file-parts.h"

#define SYMLINK_TARGET_MAX 65536u

/*
 * Reads the target, which contains no NUL and is followed by one, of a link of size bytes (i_size). ERROR_CORRUPT if part of it is lost, or
 * it is not a valid target.
 */
bool symlink_read(struct file_reader *reader, struct extent_source *source, const struct tree *subvolume, uint64_t inode, uint64_t size,
		  char target[SYMLINK_TARGET_MAX + 1], struct error *err) must_use;

#endif /* COMMON_FS_SYMLINK_H */

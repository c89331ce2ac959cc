/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Who else has the data of an extent of which one file was named: snapshots, reflinks, deduplicated files. */
#ifndef COMMON_FS_EXTENT_ALSO_H
#define COMMON_FS_EXTENT_ALSO_H

#include "common/fs/subvolume.h"

#define EXTENT_ALSO_SIZE 512

/*
 * "; the same data are in snap/a, home/b and 3 more files" for the extent at logical, without the inode that was named; empty where no other one refers
 * to it, or where that cannot be found out: it is said beside what is wrong, and is no error itself.
 */
void extent_also_in(const struct subvolume_list *list, uint64_t logical, uint64_t subvolume, uint64_t inode, char text[EXTENT_ALSO_SIZE]);

#endif /* COMMON_FS_EXTENT_ALSO_H */

/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Who else has the data of an extent when one file was named: snapshots, reflinks, deduplicated files. */
#ifndef COMMON_SEALED_EXTENT_ALSO_H
#define COMMON_SEALED_EXTENT_ALSO_H

#include "common/fs/subvolume.h"

#define EXTENT_ALSO_SIZE 512

/*
 * "; the same data are in snap/a, home/b and 3 more files" for the extent at logical, without the inode that was named. Empty if no other
 * file refers to it, or if that cannot be determined: this only adds to a message and is not an error itself.
 */
void extent_also_in(const struct subvolume_list *list, uint64_t logical, uint64_t subvolume, uint64_t inode, char text[EXTENT_ALSO_SIZE]);

#endif /* COMMON_SEALED_EXTENT_ALSO_H */

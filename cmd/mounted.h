/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Subvolumes of an image, or of a mounted filesystem, which is named by a directory in it. */
#ifndef CMD_MOUNTED_H
#define CMD_MOUNTED_H

#include "common/fs/subvolume.h"

/*
 * operand: an image, which is opened into *volume; or a directory: then *volume and list->volume stay NULL, and only the list is available.
 */
bool subvolumes_open(const char *operand, struct volume **volume, struct subvolume_list *list, struct error *err) must_use;

/* The subvolume that contains a directory of a mounted filesystem. */
bool mounted_subvolume(const char *directory, uint64_t *id, struct error *err) must_use;

#endif /* CMD_MOUNTED_H */

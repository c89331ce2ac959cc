/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The file that a PATH operand names. */
#ifndef CMD_SOURCE_PATH_H
#define CMD_SOURCE_PATH_H

#include "common/fs/path.h"
#include "common/fs/subvolume.h"

/*
 * What a PATH operand names: the file with that path or, if there is none, the one whose path is printed like that. *path, malloced, is the
 * path as in the image. ERROR_CORRUPT if it leads into a sealed subvolume that cannot be reached (member-places.h).
 */
bool path_operand(const struct subvolume_list *list, uint64_t subvolume, const char *operand, char **path, struct file_id *found,
		  struct error *err) must_use;

#endif /* CMD_SOURCE_PATH_H */

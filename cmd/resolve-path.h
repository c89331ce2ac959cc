/* SPDX-License-Identifier: GPL-2.0-or-later */
/* btrfs-crypt resolve, downwards: from a file to addresses. */
#ifndef CMD_RESOLVE_PATH_H
#define CMD_RESOLVE_PATH_H

#include "common/fs/subvolume.h"

/* Of operand, "PATH" or "PATH@OFFSET". */
bool resolve_path(const struct subvolume_list *list, uint64_t subvolume, const char *operand, struct error *err) must_use;

#endif /* CMD_RESOLVE_PATH_H */

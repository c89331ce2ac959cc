/* SPDX-License-Identifier: GPL-2.0-or-later */
/* btrfs-crypt resolve, upwards: from an address to files or trees. */
#ifndef CMD_RESOLVE_LOGICAL_H
#define CMD_RESOLVE_LOGICAL_H

#include "common/fs/subvolume.h"

/*
 * whole: also files that have only other bytes of the extent. scan: searches all trees. This also happens, with an error at the end, if the
 * extent tree is damaged.
 */
bool resolve_logical(const struct subvolume_list *list, uint64_t logical, bool whole, bool scan, struct error *err) must_use;

#endif /* CMD_RESOLVE_LOGICAL_H */

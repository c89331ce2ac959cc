/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Finds out which subvolumes are snapshots of each other. */
#ifndef COMMON_FS_SNAPSHOT_CHAIN_H
#define COMMON_FS_SNAPSHOT_CHAIN_H

#include "common/fs/subvolume.h"

/*
 * chain[i], malloced, is the same number for all subvolumes of the list that are snapshots of each other: directly, through others, or of a
 * source that no longer exists.
 */
bool snapshot_chains(const struct subvolume_list *list, uint32_t **chain, struct error *err) must_use;

#endif /* COMMON_FS_SNAPSHOT_CHAIN_H */

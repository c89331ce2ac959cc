/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Tolerant opening: if a tree named by the superblock cannot be read, looks for others. */
#ifndef COMMON_VOLUME_FALLBACK_H
#define COMMON_VOLUME_FALLBACK_H

#include "common/volume/volume.h"

/*
 * Like chunk_tree_read(), but also checks the root of the tree of roots: the superblock's, then those of its backup roots and of other
 * valid copies. If no chunk tree can be read, uses whatever is left of it, and leaves found in the system chunks. The choice is stored in
 * volume->super and reported. chunks_only: ignore the tree of roots.
 */
bool fallback_read(struct volume *volume, bool chunks_only, struct error *err) must_use;

#endif /* COMMON_VOLUME_FALLBACK_H */

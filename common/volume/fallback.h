/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Opening tolerantly: where a tree that the superblock names cannot be read, others are looked for. */
#ifndef COMMON_VOLUME_FALLBACK_H
#define COMMON_VOLUME_FALLBACK_H

#include "common/volume/volume.h"

/*
 * chunk_tree_read(), and a look at the root of the tree of roots: the superblock's, then those of its backup roots and of other valid copies.  Of the chunk
 * tree, where none reads, whatever is left, and leaves of it found in the system chunks.  What was chosen stands in volume->super, and is told.  chunks_only: the
 * tree of roots is not looked at.
 */
bool fallback_read(struct volume *volume, bool chunks_only, struct error *err) must_use;

#endif /* COMMON_VOLUME_FALLBACK_H */

/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Reads the chunk map. If the volume is read tolerantly, what is invalid is reported and left out. */
#ifndef COMMON_VOLUME_CHUNK_TREE_H
#define COMMON_VOLUME_CHUNK_TREE_H

#include "common/volume/block.h"

/* Reads the superblock's array and the whole tree, and checks that no byte of a device belongs to two chunks. */
bool chunk_tree_read(struct volume *volume, struct error *err) must_use;
/* Only the array, or only one leaf. */
bool chunk_array_read(struct volume *volume, struct error *err) must_use;
bool chunk_leaf_read(struct volume *volume, const struct node *leaf, struct error *err) must_use;

#endif /* COMMON_VOLUME_CHUNK_TREE_H */

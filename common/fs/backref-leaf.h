/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Finds the file extent items that have an address: in a leaf, and among those that a log tree adds or removes. */
#ifndef COMMON_FS_BACKREF_LEAF_H
#define COMMON_FS_BACKREF_LEAF_H

#include "common/fs/backref.h"
#include "format/file-extent.h"

/* Does the item refer to the extent that contains the byte? */
bool backref_item_has(const struct backref_query *query, const struct file_extent *e);

/* Visits every item of the leaf that has the byte, once for each tree. Leaves out items that a tree's overlay replaces. */
bool backref_leaf(const struct backref_query *query, const struct block *leaf, const struct root_ids *roots, struct error *err) must_use;

/* Visits the items of all overlays. */
bool backref_logged(const struct backref_query *query, struct error *err) must_use;

#endif /* COMMON_FS_BACKREF_LEAF_H */

/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Which file extent items have an address: in a leaf, and in what a log tree adds or takes away. */
#ifndef COMMON_FS_BACKREF_LEAF_H
#define COMMON_FS_BACKREF_LEAF_H

#include "common/fs/backref.h"
#include "format/file-extent.h"

struct backref_query {
	struct volume *volume;
	uint64_t logical;	/* the byte */
	bool whole;		/* also items that show only other bytes of the extent */
	bool lenient;		/* passes over items that are damaged */
	backref_visit *visit;
	void *context;
};

/* Does the item refer to the extent that the byte is in? */
bool backref_item_has(const struct backref_query *query, const struct file_extent *e);

/* Every item of the leaf that has the byte, once for each of the trees; not where the overlay of a tree has that item instead. */
bool backref_leaf(const struct backref_query *query, const struct block *leaf, const struct root_ids *roots, struct error *err) must_use;

/* Those of all overlays. */
bool backref_logged(const struct backref_query *query, struct error *err) must_use;

#endif /* COMMON_FS_BACKREF_LEAF_H */

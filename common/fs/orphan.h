/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the next mount of a subvolume deletes by itself: orphan items and what they stand for. No MAC covers it, so that a mount does not
 * break any. format/README.md, "The tree digest", has the rule.
 */
#ifndef COMMON_FS_ORPHAN_H
#define COMMON_FS_ORPHAN_H

#include "common/tree/tree.h"

enum orphan_part {
	ORPHAN_NOTHING,
	ORPHAN_VERITY,		/* it still has a name: items of types 36 and 37 */
	ORPHAN_WHOLE,		/* link count 0: every item */
};

bool key_is_orphan_item(const struct key *key);

/* Remembers the answers for one inode of one subvolume. Begin with { 0 }; reset it when the tree is edited. */
struct orphan_memory {
	uint64_t tree_id, inode;
	enum orphan_part part;
	bool tree_has_none, known;
	bool over_damage;	/* what cannot be read means no orphan, and is not an error */
};
/* Does mounting this subvolume (not another one) delete the item? */
bool orphan_leaves_out(struct orphan_memory *memory, const struct tree *subvolume, const struct key *key, bool *out,
		       struct error *err) must_use;

/* Visits every item that an inode of the subvolume loses, except orphan items. */
typedef bool orphan_visit(void *context, const struct tree *subvolume, const struct key *key, struct cursor item, struct error *err);
bool orphan_visit_items(const struct tree *subvolume, orphan_visit *visit, void *context, struct error *err) must_use;

#endif /* COMMON_FS_ORPHAN_H */

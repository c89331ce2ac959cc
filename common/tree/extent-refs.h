/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The references of one extent, of data or of a tree block that several trees may share: in its item while they fit, otherwise in items of
 * their own, in the order that kernels check. Each call changes the count in the extent item too. At the end of a transaction every
 * reference must again stand for a pointer or file extent item; between calls it need not.
 */
#ifndef COMMON_TREE_EXTENT_REFS_H
#define COMMON_TREE_EXTENT_REFS_H

#include "common/tree/transaction.h"
#include "format/extent-item.h"

struct extent_at {
	uint64_t logical;
	uint64_t length;	/* of data; 0: a tree block */
	uint8_t level;		/* of a tree block */
};

/* What the item says now. inline_refs is not set. ERROR_CORRUPT if there is no such extent. */
bool extent_look(struct transaction *tx, const struct extent_at *at, struct extent_item *extent, struct error *err) must_use;

/*
 * A new item without references: the first extent_ref_add() must follow. block: of a tree block, otherwise NULL. owner: the subvolume that
 * counts for simple quotas; 0: none (data only).
 */
bool extent_add(struct transaction *tx, const struct extent_at *at, uint64_t generation, uint64_t flags, const struct block *block,
		uint64_t owner, struct error *err) must_use;

/* ref->count more of this reference, or fewer. ERROR_CORRUPT if there are not that many, or if the tree block has it already. */
bool extent_ref_add(struct transaction *tx, const struct extent_at *at, const struct extent_ref *ref, struct error *err) must_use;
bool extent_ref_remove(struct transaction *tx, const struct extent_at *at, const struct extent_ref *ref, struct error *err) must_use;

/* From now on the children of this tree block are referred to by its address, no longer by its tree. They are up to the caller. */
bool extent_set_full_backref(struct transaction *tx, const struct extent_at *at, struct error *err) must_use;

#endif /* COMMON_TREE_EXTENT_REFS_H */

/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the extent tree says about one tree block, and the sums over them. */
#ifndef COMMON_TREE_EXTENT_EDIT_H
#define COMMON_TREE_EXTENT_EDIT_H

#include "common/tree/transaction-state.h"

/* The item of a new tree block that belongs to the tree `owner`. */
bool extent_edit_add(struct transaction *tx, const struct block *block, uint8_t level, uint64_t owner,
		     struct error *err) must_use;

/*
 * Removes the item of a tree block that nothing refers to any more.  ERROR_CORRUPT unless it has exactly one reference, that of a tree:
 * of *owner, or, where that is 0, the one which is then put there.
 */
bool extent_edit_remove(struct transaction *tx, uint64_t logical, uint8_t level, uint64_t *owner, struct error *err) must_use;

/* A root node changed its level. */
bool extent_edit_set_level(struct transaction *tx, uint64_t logical, uint8_t old_level, uint8_t level,
			   struct error *err) must_use;

/* Used bytes of the block group, the superblock and the owner's root item: one tree block more (or less). */
bool extent_edit_count(struct transaction *tx, uint64_t logical, uint64_t owner, bool more, struct error *err) must_use;

#endif /* COMMON_TREE_EXTENT_EDIT_H */

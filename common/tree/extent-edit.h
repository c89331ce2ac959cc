/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The extent tree's data about one tree block, and the totals over them. */
#ifndef COMMON_TREE_EXTENT_EDIT_H
#define COMMON_TREE_EXTENT_EDIT_H

#include "common/tree/transaction-state.h"

/* Adds the item of a new tree block that belongs to the tree `owner`. */
bool extent_edit_add(struct transaction *tx, const struct block *block, uint8_t level, uint64_t owner,
		     struct error *err) must_use;

/*
 * Removes the item of a tree block that nothing refers to any more. ERROR_CORRUPT unless it has exactly one reference, from a tree: from
 * *owner, or if that is 0, from any tree, which is then stored there.
 */
bool extent_edit_remove(struct transaction *tx, uint64_t logical, uint8_t level, uint64_t *owner, struct error *err) must_use;

/* Removes it with all its references, inside of the item and behind it. ERROR_CORRUPT unless it has n_refs of them. */
bool extent_edit_remove_shared(struct transaction *tx, uint64_t logical, uint8_t level, uint32_t n_refs, struct error *err) must_use;

/* Changes the level of a root node. */
bool extent_edit_set_level(struct transaction *tx, uint64_t logical, uint8_t old_level, uint8_t level,
			   struct error *err) must_use;

/* Adds these bytes to (or subtracts them from) the used bytes of the block group, the superblock and the owner's root item; owner 0: of none. */
bool extent_edit_count(struct transaction *tx, uint64_t logical, uint64_t bytes, uint64_t owner, bool more, struct error *err) must_use;

#endif /* COMMON_TREE_EXTENT_EDIT_H */

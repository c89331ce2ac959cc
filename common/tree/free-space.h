/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The free space tree, kept exact: for each block group a count of its free runs, and either one item for each run or
 * bitmaps with one bit for each sector.  The form is the kernel's choice and stays as it is.
 */
#ifndef COMMON_TREE_FREE_SPACE_H
#define COMMON_TREE_FREE_SPACE_H

#include "common/tree/transaction-state.h"

/*
 * [logical, +length), inside one block group, is not free any more / is free from now on.  ERROR_CORRUPT where the tree says
 * otherwise.  Nothing happens on a filesystem without a free space tree.
 */
bool free_space_remove(struct transaction *tx, uint64_t logical, uint64_t length, struct error *err) must_use;
bool free_space_add(struct transaction *tx, uint64_t logical, uint64_t length, struct error *err) must_use;

#endif /* COMMON_TREE_FREE_SPACE_H */

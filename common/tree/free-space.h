/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Keeps the free space tree exact. For each block group it has a count of the free runs, and either one item per run or bitmaps with one
 * bit per sector. The kernel chose the form, and it stays as it is.
 */
#ifndef COMMON_TREE_FREE_SPACE_H
#define COMMON_TREE_FREE_SPACE_H

#include "common/tree/transaction-state.h"

/*
 * Marks [logical, +length), inside one block group, as used / as free. ERROR_CORRUPT if the tree contradicts that. Does nothing on a
 * filesystem without a free space tree.
 */
bool free_space_remove(struct transaction *tx, uint64_t logical, uint64_t length, struct error *err) must_use;
bool free_space_add(struct transaction *tx, uint64_t logical, uint64_t length, struct error *err) must_use;

#endif /* COMMON_TREE_FREE_SPACE_H */

/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Compares the inodes of two subvolumes: a snapshot keeps the numbers of its source. */
#ifndef COMMON_FS_INODE_COMPARE_H
#define COMMON_FS_INODE_COMPARE_H

#include "common/fs/path.h"

/*
 * Called in the order of numbers. a or b NULL: only the other one has it. Inodes with the same number but different generations give two
 * calls, a's first.
 */
typedef bool inode_pair_visit(void *context, uint64_t number, const struct inode *a, const struct inode *b, struct error *err);
bool inode_compare(const struct tree *a, const struct tree *b, inode_pair_visit *visit, void *context, struct error *err) must_use;

#endif /* COMMON_FS_INODE_COMPARE_H */

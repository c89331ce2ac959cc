/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Do the trees of a filesystem agree, as they are in memory now?  Every tree block has exactly its extent item and the other way
 * round, block groups and superblock count what is there, root items know their level, the free space tree calls
 * free what no extent takes.  A second opinion beside btrfs check, without leaving the process.
 */
#ifndef TESTS_SUPPORT_TREE_CHECK_H
#define TESTS_SUPPORT_TREE_CHECK_H

#include "common/tree/tree.h"

bool tree_check(struct volume *volume, struct error *err) must_use;

/* The same for what a kernel has written: it may count the last blocks of a root item one commit later. */
bool tree_check_used(struct volume *volume, struct error *err) must_use;

/* A number that changes with any item of the trees that structure edits change, and with the superblock's numbers. */
bool tree_fingerprint(struct volume *volume, uint64_t *sum, struct error *err) must_use;

#endif /* TESTS_SUPPORT_TREE_CHECK_H */

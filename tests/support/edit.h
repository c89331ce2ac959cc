/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What tests of tree edits share: transactions straight to the image, and forms that mkfs.btrfs does not make. */
#ifndef TESTS_SUPPORT_EDIT_H
#define TESTS_SUPPORT_EDIT_H

#include "common/tree/transaction.h"

/* Settles, writes all blocks and the superblocks, ends the transaction; drops it where that fails. */
bool edit_commit(struct volume *volume, struct transaction *tx, struct error *err) must_use;

/* Opens the image and writes what change() does to it in one transaction. */
typedef bool edit_change(struct transaction *tx, struct volume *volume, const void *context, struct error *err);
bool edit_image(const char *path, edit_change *change, const void *context, struct error *err) must_use;

/* Blocks of a tree, per the extent tree, that are not in it any more: what cutting left behind. */
struct edit_lost {
	uint64_t logical;
	uint8_t level;
};
bool edit_find_lost(struct volume *volume, uint64_t id, struct edit_lost **lost, size_t *n, struct error *err) must_use;

/* Turns the free space tree into bitmaps, as a kernel may. */
bool edit_to_bitmaps(struct transaction *tx, struct error *err) must_use;

/* Moves the block group items to a tree of their own, as newer filesystems have it. */
bool edit_to_group_tree(struct transaction *tx, struct error *err) must_use;

/* Payloads that follow from a number: of some length up to the largest a leaf takes. */
uint32_t edit_len(uint64_t number, uint32_t node_size);
void edit_fill(uint8_t *payload, uint32_t len, uint64_t number);

#endif /* TESTS_SUPPORT_EDIT_H */

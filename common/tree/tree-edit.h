/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Edits one tree, and leaves the changes to its own blocks pending. The accounts of the extent and free space trees are kept with this
 * (extent-edit.h, free-space.h), and settle.c stands upon both.
 */
#ifndef COMMON_TREE_TREE_EDIT_H
#define COMMON_TREE_TREE_EDIT_H

#include "common/tree/transaction-state.h"

/* ERROR_CORRUPT if the key exists. data NULL: zeros. */
bool tree_edit_insert(struct transaction *tx, uint64_t id, const struct key *key, const void *data, uint32_t len,
		      struct error *err) must_use;

/* Gets the payload for reading, until the next call. *data NULL: there is no such item. */
bool tree_edit_find(struct transaction *tx, uint64_t id, const struct key *key, uint8_t **data, uint32_t *len,
		    struct error *err) must_use;

/* Like tree_edit_find(), but the payload will be edited. ERROR_CORRUPT if it is missing or does not have len bytes (0: any). */
bool tree_edit_payload(struct transaction *tx, uint64_t id, const struct key *key, uint32_t len, uint8_t **data,
		       struct error *err) must_use;

/* ERROR_CORRUPT if the key does not exist. */
bool tree_edit_remove(struct transaction *tx, uint64_t id, const struct key *key, struct error *err) must_use;

/* Gives an item another key that sorts at the same position. */
bool tree_edit_rename(struct transaction *tx, uint64_t id, const struct key *from, const struct key *to,
		      struct error *err) must_use;

/* The last key <= limit. */
bool tree_edit_last(struct transaction *tx, uint64_t id, const struct key *limit, bool *found, struct key *key,
		    struct error *err) must_use;

/* Removes the items first to last; blocks between the edges are cut off, not freed (tree-cut.c). */
bool tree_edit_cut(struct transaction *tx, uint64_t id, const struct key *first, const struct key *last, struct error *err) must_use;

#endif /* COMMON_TREE_TREE_EDIT_H */

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The way from the root of a tree to a leaf, for editing: every function leaves the tree whole or fails, and after
 * a failure only transaction_drop() is left.
 */
#ifndef COMMON_TREE_TREE_PATH_H
#define COMMON_TREE_TREE_PATH_H

#include "common/tree/transaction-state.h"

/* Initialise with { 0 }. */
struct tree_path {
	struct transaction *tx;
	uint64_t id;
	struct known_root *root;
	uint8_t top;			/* level of the root */
	struct block *block[LEVEL_MAX];	/* held */
	uint32_t slot[LEVEL_MAX];
};

void tree_path_release(struct tree_path *path);
#define cleanup_tree_path __attribute__((cleanup(tree_path_release)))

/* To the leaf where key is or would be: slot[0] is the first slot whose key is not below it. */
bool tree_path_search(struct transaction *tx, uint64_t id, const struct key *key, struct tree_path *path, bool *found,
		      struct error *err) must_use;

/* transaction_edit() of the block at level; then its bytes. */
bool tree_path_edit(struct tree_path *path, unsigned level, struct leaf_bytes *bytes, struct error *err) must_use;

/* The first key of the block at level changed: so does the key of the pointer to it, and so on upwards. */
bool tree_path_fix_first(struct tree_path *path, unsigned level, struct error *err) must_use;

/* Puts a pointer behind the one the path follows at level, splitting inner nodes at need; the path stays where it was. */
bool tree_path_add_pointer(struct tree_path *path, unsigned level, const struct key *key, const struct block *child,
			   struct error *err) must_use;

/* Gives the content of the root to a new block below it. */
bool tree_path_grow(struct tree_path *path, struct error *err) must_use;

/* The block at level is empty: takes it out, and what becomes empty above it.  The path is not to be used below then. */
bool tree_path_prune(struct tree_path *path, unsigned level, struct error *err) must_use;

/* While the root has one child, it takes over the content of the child. */
bool tree_path_shrink(struct tree_path *path, struct error *err) must_use;

#endif /* COMMON_TREE_TREE_PATH_H */

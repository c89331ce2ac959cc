/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The path from the root of a tree to a leaf, for editing. Every function leaves the tree consistent or fails; after a failure only
 * transaction_drop() is possible.
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

/* Goes to the leaf where key is or would be. slot[0] is the first slot whose key is not below it. */
bool tree_path_search(struct transaction *tx, uint64_t id, const struct key *key, struct tree_path *path, bool *found,
		      struct error *err) must_use;

/* Calls transaction_edit() for the block at level and returns its bytes. */
bool tree_path_edit(struct tree_path *path, unsigned level, struct leaf_bytes *bytes, struct error *err) must_use;

/* The first key of the block at level has changed: updates the key of the pointer to it, and so on upwards. */
bool tree_path_fix_first(struct tree_path *path, unsigned level, struct error *err) must_use;

/* Adds a pointer after the one the path follows at level, splitting inner nodes if needed. The path stays where it was. */
bool tree_path_add_pointer(struct tree_path *path, unsigned level, const struct key *key, const struct block *child,
			   struct error *err) must_use;

/* Moves the content of the root to a new block below it. */
bool tree_path_grow(struct tree_path *path, struct error *err) must_use;

/* The block at level is empty: removes it, and any block above it that becomes empty. The path must not be used below that afterwards. */
bool tree_path_prune(struct tree_path *path, unsigned level, struct error *err) must_use;

/* While the root has a single child, it takes over the child's content. */
bool tree_path_shrink(struct tree_path *path, struct error *err) must_use;

#endif /* COMMON_TREE_TREE_PATH_H */

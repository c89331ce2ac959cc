/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Reads trees: open by id, seek, next. The depth is bounded and loops are impossible, because levels must decrease. */
#ifndef COMMON_TREE_TREE_H
#define COMMON_TREE_TREE_H

#include "common/tree/overlay.h"
#include "common/volume/block.h"
#include "format/root.h"

struct tree {
	struct volume *volume;
	uint64_t id;
	uint64_t logical;	/* address of the root node */
	uint64_t generation;
	uint8_t level;
	bool as_on_disk;	/* without its overlay */
};

/*
 * ROOT_TREE_ID and CHUNK_TREE_ID come from the superblock, every other id from its ROOT_ITEM (for a subvolume, the one with the highest key
 * offset). ERROR_NOT_FOUND "tree 300 not found". tree_open_root() also returns the item (root may be NULL).
 */
bool tree_open(struct volume *volume, uint64_t id, struct tree *tree, struct error *err) must_use;
bool tree_open_root(struct volume *volume, uint64_t id, struct tree *tree, struct root *root, struct key *root_key,
		    struct error *err) must_use;

/* Shows the items on disk and those of the tree's overlay, if any, as one sequence. */
struct tree_iter {
	struct tree tree;
	bool valid;		/* false: past the last item */
	struct key key;
	struct cursor item;	/* borrowed until the next call on this iterator */
	struct block *path[LEVEL_MAX];	/* path[0]: the leaf, held */
	uint32_t slot[LEVEL_MAX];
	bool on_disk;		/* path and slot are at an item: the one shown, or a later one */
	const struct overlay_item *over;	/* the same for the overlay */
};

/* Goes to the first item whose key is >= first. Call tree_iter_close() also after a failure. */
bool tree_seek(const struct tree *tree, const struct key *first, struct tree_iter *iter, struct error *err) must_use;
bool tree_next(struct tree_iter *iter, struct error *err) must_use;
/* Is there an item, of this objectid and type? */
static inline bool tree_iter_is_in(const struct tree_iter *iter, const struct key *first)
{
	return iter->valid && iter->key.objectid == first->objectid && iter->key.type == first->type;
}
/* The same, but without continuing after damage on a volume that is read tolerantly. For tree-gap.c. */
bool tree_seek_exact(const struct tree *tree, const struct key *first, struct tree_iter *iter, struct error *err) must_use;
bool tree_next_exact(struct tree_iter *iter, struct error *err) must_use;
/* Like tree_seek(). *found: the key exists. */
bool tree_find(const struct tree *tree, const struct key *key, struct tree_iter *iter, bool *found, struct error *err) must_use;
/* Goes to the last item whose key is <= last. iter->valid is false if there is none. */
bool tree_seek_last(const struct tree *tree, const struct key *last, struct tree_iter *iter, struct error *err) must_use;
void tree_iter_close(struct tree_iter *iter);
#define cleanup_tree_iter __attribute__((cleanup(tree_iter_close)))	/* initialise with { 0 } */

/*
 * Visits every block of a tree as it is on disk, parents before children, in key order. visit() gets each block once per call; *descend =
 * false skips what is below. The block is borrowed for the call.
 */
typedef bool tree_visit(void *context, struct block *block, bool *descend, struct error *err);
bool tree_walk(const struct tree *tree, tree_visit *visit, void *context, struct error *err) must_use;

#endif /* COMMON_TREE_TREE_H */

/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Reading on where a part of a tree cannot be read: from what is left of it. */
#ifndef COMMON_TREE_TREE_GAP_H
#define COMMON_TREE_TREE_GAP_H

#include "common/tree/tree.h"

/* Told of each part that cannot be read; false ends the reading. */
typedef bool tree_gap(void *context, const struct error *what, struct error *err);

/*
 * tree_seek() and tree_next(), but to the next item that can be read: blocks that cannot are told to gap, which may be NULL.  False: gap said so,
 * or memory.  (Where the volume is read tolerantly, tree_seek() and tree_next() do the same by themselves, and tell the volume.)
 */
bool tree_seek_over(const struct tree *tree, const struct key *first, struct tree_iter *iter, tree_gap *gap, void *context,
		    struct error *err) must_use;
bool tree_next_over(struct tree_iter *iter, tree_gap *gap, void *context, struct error *err) must_use;

/* tree_walk(), past blocks that cannot be read, which are told to gap. */
bool tree_walk_over(const struct tree *tree, tree_visit *visit, tree_gap *gap, void *context, struct error *err) must_use;

#endif /* COMMON_TREE_TREE_GAP_H */

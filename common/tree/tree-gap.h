/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Reads what is left of a tree of which some parts cannot be read. */
#ifndef COMMON_TREE_TREE_GAP_H
#define COMMON_TREE_TREE_GAP_H

#include "common/tree/tree.h"

/* Called for each part that cannot be read. Returning false ends the reading. */
typedef bool tree_gap(void *context, const struct error *what, struct error *err);

/*
 * Like tree_seek() and tree_next(), but goes to the next item that can be read. Unreadable blocks are reported to gap, which may be NULL.
 * False: gap returned false, or out of memory. (If the volume is read tolerantly, tree_seek() and tree_next() do this themselves and report
 * to the volume.)
 */
bool tree_seek_over(const struct tree *tree, const struct key *first, struct tree_iter *iter, tree_gap *gap, void *context,
		    struct error *err) must_use;
bool tree_next_over(struct tree_iter *iter, tree_gap *gap, void *context, struct error *err) must_use;

/* Like tree_walk(), but skips blocks that cannot be read and reports them to gap. */
bool tree_walk_over(const struct tree *tree, tree_visit *visit, tree_gap *gap, void *context, struct error *err) must_use;

#endif /* COMMON_TREE_TREE_GAP_H */

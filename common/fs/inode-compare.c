/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Walks two trees in step. */
#include "common/fs/inode-compare.h"

#include <inttypes.h>

struct compared_tree {
	const struct tree *tree;
	struct tree_iter iter;
	bool valid;
	uint64_t number;
	struct inode inode;
};

/* Advances to the first inode item at or after number. */
static bool advance(struct compared_tree *side, uint64_t number, struct error *err)
{
	for (;;) {
		const struct key first = { number, KEY_INODE_ITEM, 0 };

		if (!tree_seek(side->tree, &first, &side->iter, err))
			return false;
		side->valid = side->iter.valid && side->iter.key.objectid <= LAST_FREE_ID;
		if (!side->valid)
			return true;
		if (side->iter.key.type == KEY_INODE_ITEM)
			break;
		number = side->iter.key.objectid + 1;	/* the rest of an inode whose item is missing */
	}
	side->number = side->iter.key.objectid;
	return inode_read(&side->iter.item, &side->inode, err) ||
	       error_prefix(err, "tree %" PRIu64 " inode %" PRIu64, side->tree->id, side->number);
}

static bool step(struct compared_tree *a, struct compared_tree *b, inode_pair_visit *visit, void *context, struct error *err)
{
	const uint64_t number = !b->valid || (a->valid && a->number < b->number) ? a->number : b->number;
	const bool has_a = a->valid && a->number == number, has_b = b->valid && b->number == number;

	if (has_a && has_b && a->inode.generation == b->inode.generation) {
		if (!visit(context, number, &a->inode, &b->inode, err))
			return false;
	} else if ((has_a && !visit(context, number, &a->inode, NULL, err)) || (has_b && !visit(context, number, NULL, &b->inode, err))) {
		return false;
	}
	return (!has_a || advance(a, number + 1, err)) && (!has_b || advance(b, number + 1, err));
}

bool inode_compare(const struct tree *tree_a, const struct tree *tree_b, inode_pair_visit *visit, void *context, struct error *err)
{
	struct compared_tree a = { .tree = tree_a }, b = { .tree = tree_b };
	bool ok = advance(&a, FIRST_FREE_ID, err) && advance(&b, FIRST_FREE_ID, err);

	while (ok && (a.valid || b.valid))
		ok = step(&a, &b, visit, context, err);
	tree_iter_close(&a.iter);
	tree_iter_close(&b.iter);
	return ok;
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A tree block that node_read() refuses, as far as it can be shown: for people who look at damage.  No other reader uses it.
 */
#ifndef FORMAT_NODE_SALVAGE_H
#define FORMAT_NODE_SALVAGE_H

#include "format/node.h"

/*
 * The header as it is, but n_items is at most what fits, so that node_key(), node_child() and node_child_generation() stay inside.
 * leaf_item() and leaf_item_at() must not be used on it.  *n_items_claimed: what the header says.  size is at least that of a header.
 */
void node_salvage(const uint8_t *bytes, uint32_t size, uint64_t logical, struct node *node, uint32_t *n_items_claimed);

struct salvaged_item {
	uint32_t offset, size;	/* what the item header says */
	bool inside;		/* item is valid: all of it lies in the block, behind the item headers */
	struct cursor item;
};

/* slot < node->n_items of a leaf, good or salvaged. */
struct salvaged_item node_salvage_item(const struct node *node, uint32_t slot);

#endif /* FORMAT_NODE_SALVAGE_H */

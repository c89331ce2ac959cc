/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A tree block that node_read() refuses, as far as it can be shown to people or used. */
#ifndef FORMAT_NODE_SALVAGE_H
#define FORMAT_NODE_SALVAGE_H

#include "format/node.h"

/*
 * Reads the header as it is, but limits n_items to what fits, so that node_key(), node_child() and node_child_generation() stay inside. Do
 * not use leaf_item() and leaf_item_at() on it. *n_items_claimed: what the header says. size is at least that of a header.
 */
void node_salvage(const uint8_t *bytes, uint32_t size, uint64_t logical, struct node *node, uint32_t *n_items_claimed);

struct salvaged_item {
	uint32_t offset, size;	/* what the item header says */
	bool inside;		/* item is valid: all of it lies in the block, behind the item headers */
	struct cursor item;
};

/* slot < node->n_items of a leaf, good or salvaged. */
struct salvaged_item node_salvage_item(const struct node *node, uint32_t slot);

/* What is expected of a block to be rebuilt; NULL: anything. */
struct node_limits {
	uint8_t level;
	const struct key *first, *below;	/* keys are >= first and < below */
};

/*
 * Rebuilds the block in its own bytes from usable items or pointers: as many as possible in ascending order and inside the limits. *node is
 * as from node_read(), but item data may overlap or leave holes. False: none is left, and the bytes are unchanged.
 */
bool node_rebuild(uint8_t *bytes, uint32_t size, uint64_t logical, const struct node_limits *limits, struct node *node,
		  uint32_t *n_items_claimed, struct error *err) must_use;

#endif /* FORMAT_NODE_SALVAGE_H */

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One tree block: the header, and the item headers of a leaf or the key pointers of an inner node. node_read() checks all of it once; the
 * accessors below trust it.
 */
#ifndef FORMAT_NODE_H
#define FORMAT_NODE_H

#include "format/cursor.h"
#include "format/key.h"

struct node {
	const uint8_t *bytes;	/* borrowed */
	uint32_t size;		/* the node size */
	uint64_t logical;
	uint64_t generation;
	uint64_t owner;
	uint64_t flags;
	uint32_t n_items;
	uint8_t level;		/* 0: a leaf */
	uint8_t fsid[FSID_SIZE];
};

/* What the header says, unchecked. size is at least that of a header. */
struct node node_of_header(const uint8_t *bytes, uint32_t size, uint64_t logical);

/*
 * Reads the size bytes of the block requested at logical. Checks that the header's address is logical, level < LEVEL_MAX, the number of
 * items fits, keys ascend strictly, item data lie inside the block, do not overlap and leave no holes; inner nodes: at least one pointer,
 * addresses multiples of 4096 and not 0. Does not check the checksum, the fsid, or the level and generation that a parent expects: the
 * block layer does. ERROR_CORRUPT.
 */
bool node_read(const uint8_t *bytes, uint32_t size, uint64_t logical, struct node *node, struct error *err) must_use;

static inline bool node_is_leaf(const struct node *node)
{
	return node->level == 0;
}

/* For slot < n_items, in leaves and inner nodes. */
struct key node_key(const struct node *node, uint32_t slot);

/* The first slot whose key is >= key; n_items if there is none. */
uint32_t node_search(const struct node *node, const struct key *key);
/* Where to descend for key in an inner node: the last pointer that is not beyond it; the first if all are. */
uint32_t node_pointer_slot(const struct node *node, const struct key *key);

/* Inner nodes only. */
uint64_t node_child(const struct node *node, uint32_t slot);
uint64_t node_child_generation(const struct node *node, uint32_t slot);

/* Leaves only: the payload of an item, whose .offset is its logical address. */
struct cursor leaf_item(const struct node *node, uint32_t slot);

/* Leaves only: where the payload starts in the block, for editing it. */
uint32_t leaf_item_at(const struct node *node, uint32_t slot);

/* Bytes between the last item header (or key pointer) and the data (or the end). */
uint32_t node_gap(const struct node *node, uint32_t *gap_at);

#endif /* FORMAT_NODE_H */

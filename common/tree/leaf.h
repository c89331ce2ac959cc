/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Edits the bytes of one tree block in memory: items of a leaf, pointers of an inner node. node_read() has checked the bytes, and the
 * caller ensures that additions fit, so anything else is our own mistake.
 */
#ifndef COMMON_TREE_LEAF_H
#define COMMON_TREE_LEAF_H

#include "format/node.h"

/* A tree block of size bytes that may be edited. */
struct leaf_bytes {
	uint8_t *at;
	uint32_t size;
};

uint32_t leaf_n_items(struct leaf_bytes block);		/* for leaves and inner nodes */
void leaf_set_n_items(struct leaf_bytes block, uint32_t n);

/* The largest payload an item of an empty leaf can have. */
static inline uint32_t leaf_payload_max(uint32_t node_size)
{
	return node_size - sizeof(struct disk_header) - sizeof(struct disk_item);
}

/* The bytes that items take, including headers: all items, or slots first..first + n - 1. */
uint32_t leaf_used(struct leaf_bytes leaf, uint32_t first, uint32_t n);
uint32_t leaf_free(struct leaf_bytes leaf);

/* Inserts an item with a payload of zeros at slot <= n_items. Returns the payload. */
uint8_t *leaf_insert(struct leaf_bytes leaf, uint32_t slot, const struct key *key, uint32_t len);
void leaf_remove(struct leaf_bytes leaf, uint32_t first, uint32_t n);

/* Moves the items from slot first on to the empty leaf `to`. */
void leaf_move_tail(struct leaf_bytes from, uint32_t first, struct leaf_bytes to);

/* For inner nodes: how many pointers fit. */
static inline uint32_t inner_pointers_max(uint32_t node_size)
{
	return (node_size - sizeof(struct disk_header)) / sizeof(struct disk_key_ptr);
}

void inner_insert(struct leaf_bytes inner, uint32_t slot, const struct key *key, uint64_t child, uint64_t generation);
void inner_remove(struct leaf_bytes inner, uint32_t first, uint32_t n);
void inner_move_tail(struct leaf_bytes from, uint32_t first, struct leaf_bytes to);

/* Replaces the key of a slot, in leaves and inner nodes. The caller must keep the order. */
void leaf_set_key(struct leaf_bytes block, uint32_t slot, const struct key *key);

#endif /* COMMON_TREE_LEAF_H */

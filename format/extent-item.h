/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The extent tree: what is allocated, and who refers to it. */
#ifndef FORMAT_EXTENT_ITEM_H
#define FORMAT_EXTENT_ITEM_H

#include "format/cursor.h"
#include "format/key.h"

struct extent_item {
	uint64_t refs, generation, flags;	/* flags: EXTENT_FLAG_* */
	bool has_block_info;			/* EXTENT_ITEM of a tree block, not skinny */
	struct key first_key;
	uint8_t level;				/* of a tree block, skinny or not */
	struct cursor inline_refs;		/* rest of the item, for extent_ref_next() */
};

/* key: EXTENT_ITEM or METADATA_ITEM. The level of a METADATA_ITEM is key->offset, < LEVEL_MAX. */
bool extent_item_read(struct cursor *item, const struct key *key, struct extent_item *extent, struct error *err) must_use;

struct extent_ref {
	uint8_t type;		/* KEY_TREE_BLOCK_REF, _SHARED_BLOCK_REF, _EXTENT_DATA_REF, _SHARED_DATA_REF, _EXTENT_OWNER_REF */
	uint64_t root;		/* TREE_BLOCK_REF, EXTENT_DATA_REF, EXTENT_OWNER_REF */
	uint64_t parent;	/* SHARED_*: address of the referring block */
	uint64_t objectid;	/* EXTENT_DATA_REF: inode */
	uint64_t offset;	/* EXTENT_DATA_REF: file offset - extent offset, may wrap */
	uint32_t count;		/* data refs; 1 for blocks, 0 for owner refs */
};

/* Reads the next inline ref. Loop while refs->left > 0. */
bool extent_ref_next(struct cursor *refs, struct extent_ref *ref, struct error *err) must_use;

/* Reads a ref that is an item of its own (key types 172..184). */
bool extent_ref_read(struct cursor *item, const struct key *key, struct extent_ref *ref, struct error *err) must_use;

struct block_group {
	uint64_t used;
	uint64_t chunk_objectid;
	uint64_t flags;		/* GROUP_* */
};

/* key: BLOCK_GROUP_ITEM (logical, 192, length); used <= length. */
bool block_group_read(struct cursor *item, const struct key *key, struct block_group *group, struct error *err) must_use;

struct free_space_info {
	uint32_t extent_count;
	uint32_t flags;		/* FREE_SPACE_USING_BITMAPS */
};

bool free_space_info_read(struct cursor *item, struct free_space_info *info, struct error *err) must_use;

#endif /* FORMAT_EXTENT_ITEM_H */

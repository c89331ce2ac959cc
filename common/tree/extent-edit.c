/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Extent items of tree blocks, in both of their forms, and the totals over them. */
#include "common/tree/extent-edit.h"

#include <inttypes.h>

#include "common/tree/tree-edit.h"
#include "format/extent-item.h"

#define corrupt(format, ...) \
	error_set(err, ERROR_CORRUPT, "extent item of tree block %" PRIu64 ": " format, logical, __VA_ARGS__)

/* One inline reference, from a tree. */
struct disk_block_extent {
	struct disk_extent_item item;
	struct disk_extent_inline_ref ref;
};
static_assert(sizeof(struct disk_block_extent) == 33, "METADATA_ITEM with one reference");

struct disk_block_extent_with_info {
	struct disk_extent_item item;
	struct disk_tree_block_info info;
	struct disk_extent_inline_ref ref;
};
static_assert(sizeof(struct disk_block_extent_with_info) == 51, "EXTENT_ITEM of a tree block with one reference");

static bool is_skinny(const struct transaction *tx)
{
	return tx->volume->super.incompat & INCOMPAT_SKINNY_METADATA;
}

static struct key skinny_key(uint64_t logical, uint8_t level)
{
	return (struct key){ logical, KEY_METADATA_ITEM, level };
}

static struct key full_key(const struct transaction *tx, uint64_t logical)
{
	return (struct key){ logical, KEY_EXTENT_ITEM, tx->volume->super.node_size };
}

bool extent_edit_add(struct transaction *tx, const struct block *block, uint8_t level, uint64_t owner, struct error *err)
{
	const struct disk_extent_item item = {
		.refs = to_le64(1),
		.generation = to_le64(block->node.generation),
		.flags = to_le64(EXTENT_FLAG_TREE_BLOCK),
	};
	const struct disk_extent_inline_ref ref = { KEY_TREE_BLOCK_REF, to_le64(owner) };

	if (is_skinny(tx)) {
		const struct disk_block_extent extent = { item, ref };
		const struct key key = skinny_key(block->logical, level);

		return tree_edit_insert(tx, EXTENT_TREE_ID, &key, &extent, sizeof(extent), err);
	}

	/* It was emptied and is freed again in this transaction, so any key will do until the item is removed. */
	const struct key first = block->node.n_items > 0 ? node_key(&block->node, 0) : (struct key){ 0 };
	const struct disk_block_extent_with_info extent = { item, { key_to_disk(&first), level }, ref };
	const struct key key = full_key(tx, block->logical);

	return tree_edit_insert(tx, EXTENT_TREE_ID, &key, &extent, sizeof(extent), err);
}

/* A filesystem that switched to skinny extents later has items of both forms. */
static bool find_extent(struct transaction *tx, uint64_t logical, uint8_t level, struct key *key, struct extent_item *extent,
			struct error *err)
{
	uint8_t *data = NULL;
	uint32_t len;

	if (is_skinny(tx)) {
		*key = skinny_key(logical, level);
		if (!tree_edit_find(tx, EXTENT_TREE_ID, key, &data, &len, err))
			return false;
	}
	if (!data) {
		*key = full_key(tx, logical);
		if (!tree_edit_find(tx, EXTENT_TREE_ID, key, &data, &len, err))
			return false;
	}
	if (!data)
		return corrupt("missing at level %u", level);

	struct cursor item = { data, len, logical };

	if (!extent_item_read(&item, key, extent, err))
		return error_prefix(err, "extent item of tree block %" PRIu64, logical);
	if (!(extent->flags & EXTENT_FLAG_TREE_BLOCK))
		return corrupt("flags are %#" PRIx64 ", not those of a tree block", extent->flags);
	if (extent->level != level)
		return corrupt("level is %u, not %u", extent->level, level);
	return true;
}

static bool check_only_reference(const struct extent_item *extent, uint64_t logical, uint64_t *owner, struct error *err)
{
	struct cursor refs = extent->inline_refs;
	struct extent_ref ref;

	if (extent->refs != 1)
		return corrupt("refs is %" PRIu64 ", not 1", extent->refs);
	if (refs.left == 0)
		return corrupt("%s", "it does not contain its reference");
	if (!extent_ref_next(&refs, &ref, err))
		return error_prefix(err, "extent item of tree block %" PRIu64, logical);
	if (ref.type != KEY_TREE_BLOCK_REF || refs.left > 0)
		return corrupt("has a reference of type %u, not a single one from a tree", ref.type);
	if (*owner != 0 && ref.root != *owner)
		return corrupt("refers to tree %" PRIu64 ", not %" PRIu64, ref.root, *owner);
	*owner = ref.root;
	return true;
}

bool extent_edit_remove(struct transaction *tx, uint64_t logical, uint8_t level, uint64_t *owner, struct error *err)
{
	struct extent_item extent;
	struct key key;

	return find_extent(tx, logical, level, &key, &extent, err) &&
	       check_only_reference(&extent, logical, owner, err) && transaction_check_tree(*owner, err) &&
	       tree_edit_remove(tx, EXTENT_TREE_ID, &key, err);
}

bool extent_edit_remove_shared(struct transaction *tx, uint64_t logical, uint8_t level, uint32_t n_refs, struct error *err)
{
	const struct key limit = { logical, KEY_SHARED_BLOCK_REF, UINT64_MAX };
	struct extent_item extent;
	struct key key, last;
	uint32_t n = 0;
	bool found;

	if (!find_extent(tx, logical, level, &key, &extent, err))
		return false;
	if (extent.refs != n_refs)
		return corrupt("refs is %" PRIu64 ", but %" PRIu32 " pointers led to it", extent.refs, n_refs);
	for (struct cursor refs = extent.inline_refs; refs.left > 0; n++) {
		struct extent_ref ref;

		if (!extent_ref_next(&refs, &ref, err))
			return error_prefix(err, "extent item of tree block %" PRIu64, logical);
		if (ref.type != KEY_TREE_BLOCK_REF && ref.type != KEY_SHARED_BLOCK_REF)
			return corrupt("has a reference of type %u, which is none to a tree block", ref.type);
	}
	for (;; n++) {
		if (!tree_edit_last(tx, EXTENT_TREE_ID, &limit, &found, &last, err))
			return false;
		if (!found || last.objectid != logical || (last.type != KEY_TREE_BLOCK_REF && last.type != KEY_SHARED_BLOCK_REF))
			break;
		if (!tree_edit_remove(tx, EXTENT_TREE_ID, &last, err))
			return false;
	}
	if (n != n_refs)
		return corrupt("it has %" PRIu32 " references, but refs is %" PRIu64, n, extent.refs);
	return tree_edit_remove(tx, EXTENT_TREE_ID, &key, err);
}

bool extent_edit_set_level(struct transaction *tx, uint64_t logical, uint8_t old_level, uint8_t level, struct error *err)
{
	struct extent_item extent;
	struct key key;
	uint8_t *data;

	if (!find_extent(tx, logical, old_level, &key, &extent, err))
		return false;
	if (key.type == KEY_METADATA_ITEM) {
		const struct key renamed = skinny_key(logical, level);

		return tree_edit_rename(tx, EXTENT_TREE_ID, &key, &renamed, err);
	}
	if (!tree_edit_payload(tx, EXTENT_TREE_ID, &key, 0, &data, err))
		return false;
	data[offsetof(struct disk_block_extent_with_info, info.level)] = level;
	return true;
}

/* --- totals --------------------------------------------------------------------- */

static bool add_to(struct le64 *sum, const char *what, uint64_t where, uint64_t size, bool more, struct error *err)
{
	const uint64_t have = le64(*sum);

	if (!more && have < size)
		return error_set(err, ERROR_CORRUPT, "%s %" PRIu64 ": %" PRIu64 " bytes are used, but %" PRIu64 " of them are freed", what, where,
				 have, size);
	*sum = to_le64(more ? have + size : have - size);
	return true;
}

static bool count_in_group(struct transaction *tx, uint64_t logical, uint64_t bytes, bool more, struct error *err)
{
	const bool own_tree = tx->volume->super.compat_ro & COMPAT_RO_BLOCK_GROUP_TREE;
	const struct group *group = allocator_group_of(tx->allocator, logical);
	struct disk_block_group *disk;
	uint8_t *data;

	if (!group)
		return error_set(err, ERROR_CORRUPT, "tree block %" PRIu64 " is in no block group", logical);

	const struct key key = { group->logical, KEY_BLOCK_GROUP_ITEM, group->length };

	if (!tree_edit_payload(tx, own_tree ? BLOCK_GROUP_TREE_ID : EXTENT_TREE_ID, &key, sizeof(*disk), &data, err))
		return false;
	disk = (struct disk_block_group *)data;
	return add_to(&disk->used, "block group", group->logical, bytes, more, err);
}

static bool count_in_super(struct transaction *tx, uint64_t bytes, bool more, struct error *err)
{
	struct superblock *super = &tx->volume->super;
	struct le64 sum = to_le64(super->bytes_used);

	if (!add_to(&sum, "filesystem, superblock", super->bytenr, bytes, more, err))
		return false;
	superblock_set_bytes_used(super, le64(sum));
	return true;
}

/* The trees that the superblock points to have no root item. */
static bool count_in_root(struct transaction *tx, uint64_t owner, uint64_t bytes, bool more, struct error *err)
{
	struct known_root *root;
	uint8_t *data;

	if (owner == 0 || owner == ROOT_TREE_ID || owner == CHUNK_TREE_ID)
		return true;
	if (!transaction_root(tx, owner, &root, err) || !tree_edit_payload(tx, ROOT_TREE_ID, &root->item, 0, &data, err))
		return false;

	struct disk_root_item *disk = (struct disk_root_item *)data;	/* only the beginning, which short items also have */

	return add_to(&disk->bytes_used, "root item of tree", owner, bytes, more, err);
}

bool extent_edit_count(struct transaction *tx, uint64_t logical, uint64_t bytes, uint64_t owner, bool more, struct error *err)
{
	return count_in_group(tx, logical, bytes, more, err) && count_in_super(tx, bytes, more, err) && count_in_root(tx, owner, bytes, more, err);
}

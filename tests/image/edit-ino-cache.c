/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Leaves an inode number cache in a subvolume, as kernels before 5.11 did with the mount option inode_cache:
 *   edit-ino-cache IMAGE SUBVOLUME-ID INODE
 * The one extent of the file becomes that of the cache, and the file is empty.  The subvolume and the extent tree must have one leaf each.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/tree/leaf.h"
#include "tests/support/edit.h"

#define FREE_INO_ID	0xfffffffffffffff4ull	/* -12 */

struct what {
	uint64_t subvolume, inode;
};

/* The only leaf of the tree, and the slot of the first item of that object and type in it. */
static bool find(struct transaction *tx, struct volume *volume, uint64_t id, const struct key *key, struct tree_iter *iter, struct error *err)
{
	struct tree tree;

	if (!tree_open(volume, id, &tree, err) || !tree_seek(&tree, key, iter, err))
		return false;
	if (tree.level != 0)
		return error_set(err, ERROR_REFUSED, "tree %" PRIu64 " has more than one leaf", id);
	if (!iter->valid || iter->key.objectid != key->objectid || iter->key.type != key->type)
		return error_set(err, ERROR_NOT_FOUND, "tree %" PRIu64 " has no item %" PRIu64 " %u", id, key->objectid, key->type);
	return transaction_edit(tx, iter->path[0], err);
}

static uint8_t *payload_of(struct block *leaf, uint32_t slot)
{
	return leaf->bytes + leaf_item_at(&leaf->node, slot);
}

static bool add(struct block *leaf, const struct key *key, const void *payload, uint32_t len, struct error *err)
{
	const struct leaf_bytes bytes = { leaf->bytes, leaf->node.size };

	if (leaf_free(bytes) < len + sizeof(struct disk_item))
		return error_set(err, ERROR_NO_SPACE, "the leaf has %" PRIu32 " bytes free", leaf_free(bytes));
	memcpy(leaf_insert(bytes, node_search(&leaf->node, key), key, len), payload, len);
	return block_refresh(leaf, err);
}

static bool add_cache(struct block *leaf, struct disk_inode_item cache, const struct disk_file_extent *extent, struct error *err)
{
	const struct key inode = { FREE_INO_ID, KEY_INODE_ITEM, 0 }, data = { FREE_INO_ID, KEY_EXTENT_DATA, 0 }, header = { FREE_SPACE_ID, 0, 0 };
	const struct {
		struct disk_key location;
		struct le64 generation, n_entries, n_bitmaps;
	} disk = { { to_le64(FREE_INO_ID), KEY_INODE_ITEM, { { 0 } } }, cache.generation, to_le64(1), to_le64(0) };

	static_assert(sizeof(disk) == 41, "btrfs_free_space_header");
	cache.mode = to_le32(0100600);
	cache.flags = to_le64(1 << 3 | 1 << 4);		/* NOCOMPRESS, PREALLOC */
	return add(leaf, &inode, &cache, sizeof(cache), err) && add(leaf, &data, extent, sizeof(*extent), err) &&
	       add(leaf, &header, &disk, sizeof(disk), err);
}

/* The reference that the extent has stands in its item. */
static bool change_owner(struct transaction *tx, struct volume *volume, uint64_t logical, struct error *err)
{
	cleanup_tree_iter struct tree_iter iter = { 0 };
	const struct key key = { logical, KEY_EXTENT_ITEM, 0 };
	const struct le64 owner = to_le64(FREE_INO_ID);

	if (!find(tx, volume, EXTENT_TREE_ID, &key, &iter, err))
		return false;

	uint8_t *ref = payload_of(iter.path[0], iter.slot[0]) + sizeof(struct disk_extent_item);

	if (*ref != KEY_EXTENT_DATA_REF)
		return error_set(err, ERROR_REFUSED, "the first reference is of type %u", *ref);
	memcpy(ref + 1 + offsetof(struct disk_extent_data_ref, objectid), &owner, sizeof(owner));
	return true;
}

static bool change(struct transaction *tx, struct volume *volume, const void *context, struct error *err)
{
	const struct what *const what = context;
	cleanup_tree_iter struct tree_iter iter = { 0 };
	const struct key inode_key = { what->inode, KEY_INODE_ITEM, 0 }, data_key = { what->inode, KEY_EXTENT_DATA, 0 };
	struct disk_inode_item inode;
	struct disk_file_extent extent;

	if (!find(tx, volume, what->subvolume, &data_key, &iter, err))
		return false;

	struct block *leaf = iter.path[0];
	const uint32_t slot = node_search(&leaf->node, &inode_key);

	memcpy(&extent, payload_of(leaf, iter.slot[0]), sizeof(extent));
	memcpy(&inode, payload_of(leaf, slot), sizeof(inode));

	struct disk_inode_item empty = inode;

	empty.size = empty.nbytes = to_le64(0);
	memcpy(payload_of(leaf, slot), &empty, sizeof(empty));
	leaf_remove((struct leaf_bytes){ leaf->bytes, leaf->node.size }, iter.slot[0], 1);
	return block_refresh(leaf, err) && add_cache(leaf, inode, &extent, err) &&
	       change_owner(tx, volume, le64(extent.disk_bytenr), err);
}

int main(int argc, char **argv)
{
	struct error err = { 0 };

	if (argc != 4) {
		fprintf(stderr, "usage: edit-ino-cache IMAGE SUBVOLUME-ID INODE\n");
		return ERROR_USAGE;
	}

	const struct what what = { strtoull(argv[2], NULL, 0), strtoull(argv[3], NULL, 0) };

	if (edit_image(argv[1], change, &what, &err))
		return 0;
	fprintf(stderr, "edit-ino-cache: %s\n", err.text);
	return err.kind;
}

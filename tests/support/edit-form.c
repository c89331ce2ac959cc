/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Gives a filesystem forms that mkfs.btrfs does not make: free space bitmaps, a block group tree. */
#include <stdlib.h>

#include "common/tree/tree-edit.h"
#include "tests/support/edit.h"

/* --- free space as bitmaps ------------------------------------------------------------- */

static bool next_run(struct transaction *tx, const struct group *group, struct key *key, bool *found, struct error *err)
{
	const struct key limit = { group->logical + group->length - 1, KEY_FREE_SPACE_EXTENT, UINT64_MAX };

	if (!tree_edit_last(tx, FREE_SPACE_TREE_ID, &limit, found, key, err))
		return false;
	*found = *found && key->type == KEY_FREE_SPACE_EXTENT && key->objectid >= group->logical;
	return true;
}

/* Nothing pending is carried before all of the group has its new form. */
static bool to_bitmaps(struct transaction *tx, const struct group *group, struct error *err)
{
	const uint32_t sector = tx->volume->super.sector_size;
	const uint64_t n_bits = group->length / sector, per_item = FREE_SPACE_BITMAP_SIZE * 8;
	const struct key info_key = { group->logical, KEY_FREE_SPACE_INFO, group->length };
	uint8_t *bits = calloc(1, n_bits / 8 + 1), *data;
	struct key key;
	bool found = true, ok = bits != NULL;

	while (ok && (ok = next_run(tx, group, &key, &found, err)) && found) {
		for (uint64_t i = 0; i < key.offset / sector; i++) {
			const uint64_t bit = (key.objectid - group->logical) / sector + i;

			bits[bit / 8] |= 1u << (bit % 8);
		}
		ok = tree_edit_remove(tx, FREE_SPACE_TREE_ID, &key, err);
	}
	for (uint64_t bit = 0; ok && bit < n_bits; bit += per_item) {
		const uint64_t n = n_bits - bit < per_item ? n_bits - bit : per_item;

		key = (struct key){ group->logical + bit * sector, KEY_FREE_SPACE_BITMAP, n * sector };
		ok = tree_edit_insert(tx, FREE_SPACE_TREE_ID, &key, bits + bit / 8, (n + 7) / 8, err);
	}
	if (ok && tree_edit_payload(tx, FREE_SPACE_TREE_ID, &info_key, 8, &data, err))
		((struct disk_free_space_info *)data)->flags = to_le32(FREE_SPACE_USING_BITMAPS);
	else
		ok = false;
	free(bits);
	return ok;
}

bool edit_to_bitmaps(struct transaction *tx, struct error *err)
{
	for (size_t i = 0; i < allocator_n_groups(tx->allocator); i++) {
		if (!to_bitmaps(tx, allocator_group(tx->allocator, i), err))
			return false;
	}
	return transaction_carry(tx, err);
}

/* --- a block group tree ------------------------------------------------------------------ */

/* Its root: a leaf like that of the extent tree, with a root item like that one's. */
static bool make_group_tree(struct transaction *tx, struct error *err)
{
	const struct key from = { EXTENT_TREE_ID, KEY_ROOT_ITEM, 0 }, to = { BLOCK_GROUP_TREE_ID, KEY_ROOT_ITEM, 0 };
	const struct le64 owner = to_le64(BLOCK_GROUP_TREE_ID);
	struct disk_root_item item;
	struct block *source, *root;
	struct tree tree;
	uint8_t *data;
	uint32_t len;

	if (!tree_edit_find(tx, ROOT_TREE_ID, &from, &data, &len, err))
		return false;
	if (!data || len != sizeof(item))
		return error_set(err, ERROR_CORRUPT, "no root item of the extent tree");
	memcpy(&item, data, sizeof(item));
	if (!tree_open(tx->volume, EXTENT_TREE_ID, &tree, err) || !block_get(tx->volume, tree.logical, NULL, &source, err))
		return false;

	const bool ok = transaction_new_block(tx, source, 0, &root, err);

	block_put(source);
	if (!ok)
		return false;
	memcpy(root->bytes + offsetof(struct disk_header, owner), &owner, sizeof(owner));
	tx->pending[tx->n_pending - 1].owner = BLOCK_GROUP_TREE_ID;
	item.bytenr = to_le64(root->logical);
	item.bytes_used = to_le64(0);
	item.level = 0;
	return block_refresh(root, err) && tree_edit_insert(tx, ROOT_TREE_ID, &to, &item, sizeof(item), err);
}

bool edit_to_group_tree(struct transaction *tx, struct error *err)
{
	struct superblock *super = &tx->volume->super;

	if (!make_group_tree(tx, err))
		return false;
	for (size_t i = 0; i < allocator_n_groups(tx->allocator); i++) {
		const struct group *group = allocator_group(tx->allocator, i);
		const struct key key = { group->logical, KEY_BLOCK_GROUP_ITEM, group->length };
		struct disk_block_group item;
		uint8_t *data;

		if (!tree_edit_payload(tx, EXTENT_TREE_ID, &key, sizeof(item), &data, err))
			return false;
		memcpy(&item, data, sizeof(item));
		if (!tree_edit_remove(tx, EXTENT_TREE_ID, &key, err) ||
		    !tree_edit_insert(tx, BLOCK_GROUP_TREE_ID, &key, &item, sizeof(item), err))
			return false;
	}
	super->compat_ro |= COMPAT_RO_BLOCK_GROUP_TREE;
	super->disk.compat_ro_flags = to_le64(super->compat_ro);
	return transaction_carry(tx, err);
}

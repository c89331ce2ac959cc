/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Gives a file fs-verity items, as a kernel with FS_VERITY would, on machines whose kernel has none:
 *   edit-verity IMAGE SUBVOLUME-ID INODE
 * The contents of the items are position tagged; sizes are those of a file of two Merkle tree blocks.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/tree/leaf.h"
#include "tests/support/edit.h"

static const struct {
	uint8_t type;
	uint64_t offset;
	uint32_t len;
} items[] = {
	{ KEY_VERITY_DESC, 0, 25 },
	{ KEY_VERITY_DESC, 1, 256 },
	{ KEY_VERITY_MERKLE, 0, 2048 },
	{ KEY_VERITY_MERKLE, 2048, 700 },
};

static bool find(struct volume *volume, uint64_t subvolume, const struct key *key, struct tree_iter *iter, struct error *err)
{
	struct tree tree;

	return tree_open(volume, subvolume, &tree, err) && tree_seek_last(&tree, key, iter, err) &&
	       (iter->valid || error_set(err, ERROR_NOT_FOUND, "no item before it"));
}

static bool insert(struct transaction *tx, struct volume *volume, uint64_t subvolume, uint64_t inode, size_t i, struct error *err)
{
	cleanup_tree_iter struct tree_iter iter = { 0 };
	const struct key key = { inode, items[i].type, items[i].offset };

	if (!find(volume, subvolume, &key, &iter, err))
		return false;

	struct block *leaf = iter.path[0];
	const struct leaf_bytes bytes = { leaf->bytes, leaf->node.size };

	if (leaf_free(bytes) < items[i].len + sizeof(struct disk_item))
		return error_set(err, ERROR_NO_SPACE, "the leaf has %" PRIu32 " bytes free", leaf_free(bytes));
	if (!transaction_edit(tx, leaf, err))
		return false;

	uint8_t *payload = leaf_insert(bytes, iter.slot[0] + 1, &key, items[i].len);

	for (uint32_t at = 0; at < items[i].len; at++)
		payload[at] = (uint8_t)"verity item 0000"[at % 16] ^ (uint8_t)(at / 16 + i * 64);
	return block_refresh(leaf, err);
}

static bool set_flag(struct transaction *tx, struct volume *volume, uint64_t subvolume, uint64_t inode, struct error *err)
{
	cleanup_tree_iter struct tree_iter iter = { 0 };
	const struct key key = { inode, KEY_INODE_ITEM, 0 };
	struct disk_inode_item disk;

	if (!find(volume, subvolume, &key, &iter, err) || !transaction_edit(tx, iter.path[0], err))
		return false;

	uint8_t *payload = iter.path[0]->bytes + leaf_item_at(&iter.path[0]->node, iter.slot[0]);

	memcpy(&disk, payload, sizeof(disk));
	disk.flags = to_le64(le64(disk.flags) | INODE_RO_VERITY);
	memcpy(payload, &disk, sizeof(disk));
	return true;
}

struct file {
	uint64_t subvolume, inode;
};

static bool change(struct transaction *tx, struct volume *volume, const void *context, struct error *err)
{
	const struct file *const file = context;

	for (size_t i = 0; i < sizeof(items) / sizeof(items[0]); i++) {
		if (!insert(tx, volume, file->subvolume, file->inode, i, err))
			return false;
	}
	volume->super.disk.compat_ro_flags = to_le64(le64(volume->super.disk.compat_ro_flags) | COMPAT_RO_VERITY);
	return set_flag(tx, volume, file->subvolume, file->inode, err);
}

int main(int argc, char **argv)
{
	struct error err = { 0 };

	if (argc != 4) {
		fprintf(stderr, "usage: edit-verity IMAGE SUBVOLUME-ID INODE\n");
		return ERROR_USAGE;
	}

	const struct file file = { strtoull(argv[2], NULL, 0), strtoull(argv[3], NULL, 0) };

	if (edit_image(argv[1], change, &file, &err))
		return 0;
	fprintf(stderr, "edit-verity: %s\n", err.text);
	return err.kind;
}

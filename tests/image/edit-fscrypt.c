/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Makes a directory and a file in it look as those of a kernel with the fscrypt proposal: contexts, flags, encryption bytes, the feature bit.
 *   edit-fscrypt IMAGE SUBVOLUME-ID DIRECTORY-INODE FILE-INODE
 * Names and contents stay what they are, standing for ciphertext.  The subvolume must have one leaf, with room for the contexts.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/tree/leaf.h"
#include "format/dir-entry.h"
#include "format/fscrypt.h"
#include "tests/support/edit.h"

#define IDENTIFIER { 0x69, 0xb2, 0xf6, 0xed, 0xee, 0xe7, 0x20, 0xcc, 0xe0, 0x57, 0x79, 0x37, 0xeb, 0x8a, 0x67, 0x51 }

static const struct disk_fscrypt_inode_context inode_context = {
	.version = 2, .contents_mode = 1, .filenames_mode = 4, .flags = 2, .master_key_identifier = IDENTIFIER,
	.nonce = { 0x77, 0xd5, 0xa7, 0xf8, 0x2d, 0x59, 0xcb, 0x4c, 0x7c, 0x8c, 0x5a, 0x33, 0xfd, 0xe3, 0xc6, 0x03 },
};
static const struct disk_fscrypt_extent_context extent_context = {
	.version = 1, .mode = 1, .master_key_identifier = IDENTIFIER,
	.nonce = { 0xd0, 0xdd, 0x42, 0xea, 0x7b, 0xa4, 0x3e, 0xe8, 0xc5, 0x5a, 0x2f, 0x79, 0xcb, 0xc8, 0x90, 0xbd },
};

struct what {
	uint64_t subvolume, directory, file;
};

static bool add(struct block *leaf, const struct key *key, const void *payload, uint32_t len, struct error *err)
{
	const struct leaf_bytes bytes = { leaf->bytes, leaf->node.size };

	if (leaf_free(bytes) < len + sizeof(struct disk_item))
		return error_set(err, ERROR_NO_SPACE, "the leaf has %" PRIu32 " bytes free", leaf_free(bytes));
	memcpy(leaf_insert(bytes, node_search(&leaf->node, key), key, len), payload, len);
	return block_refresh(leaf, err);
}

static bool add_contexts(struct block *leaf, const struct what *what, struct error *err)
{
	const struct key directory = { what->directory, KEY_FSCRYPT_INODE_CTX, 0 }, file = { what->file, KEY_FSCRYPT_INODE_CTX, 0 };

	if (!add(leaf, &directory, &inode_context, sizeof(inode_context), err) ||
	    !add(leaf, &file, &inode_context, sizeof(inode_context), err))
		return false;
	for (uint32_t slot = 0; slot < leaf->node.n_items; slot++) {
		const struct key key = node_key(&leaf->node, slot), context = { key.objectid, KEY_FSCRYPT_CTX, key.offset };

		if (key.objectid != what->file || key.type != KEY_EXTENT_DATA)
			continue;
		if (!add(leaf, &context, &extent_context, sizeof(extent_context), err))
			return false;
		slot++;		/* it moved on by one */
	}
	return true;
}

static void change_item(const struct what *what, const struct key *key, uint8_t *payload)
{
	struct disk_inode_item inode;

	if (key->type == KEY_INODE_ITEM && (key->objectid == what->directory || key->objectid == what->file)) {
		memcpy(&inode, payload, sizeof(inode));
		inode.flags = to_le64(le64(inode.flags) | INODE_ENCRYPT);
		memcpy(payload, &inode, sizeof(inode));
	} else if ((key->type == KEY_DIR_ITEM || key->type == KEY_DIR_INDEX) && key->objectid == what->directory) {
		payload[offsetof(struct disk_dir_item, type)] |= FT_ENCRYPTED;
	} else if (key->type == KEY_EXTENT_DATA && key->objectid == what->file) {
		payload[offsetof(struct disk_file_extent, encryption)] = FILE_EXTENT_ENCRYPTION_FSCRYPT;
	}
}

static bool change(struct transaction *tx, struct volume *volume, const void *context, struct error *err)
{
	const struct what *const what = context;
	cleanup_tree_iter struct tree_iter iter = { 0 };
	const struct key first = { 0, 0, 0 };
	struct tree tree;

	if (!tree_open(volume, what->subvolume, &tree, err) || !tree_seek(&tree, &first, &iter, err))
		return false;
	if (tree.level != 0)
		return error_set(err, ERROR_REFUSED, "the subvolume has more than one leaf");

	struct block *leaf = iter.path[0];

	if (!transaction_edit(tx, leaf, err) || !add_contexts(leaf, what, err))
		return false;
	for (uint32_t slot = 0; slot < leaf->node.n_items; slot++) {
		const struct key key = node_key(&leaf->node, slot);

		change_item(what, &key, leaf->bytes + leaf_item_at(&leaf->node, slot));
	}
	volume->super.disk.incompat_flags = to_le64(le64(volume->super.disk.incompat_flags) | INCOMPAT_ENCRYPT);
	return true;
}

int main(int argc, char **argv)
{
	struct error err = { 0 };

	if (argc != 5) {
		fprintf(stderr, "usage: edit-fscrypt IMAGE SUBVOLUME-ID DIRECTORY-INODE FILE-INODE\n");
		return ERROR_USAGE;
	}

	const struct what what = { strtoull(argv[2], NULL, 0), strtoull(argv[3], NULL, 0), strtoull(argv[4], NULL, 0) };

	if (edit_image(argv[1], change, &what, &err))
		return 0;
	fprintf(stderr, "edit-fscrypt: %s\n", err.text);
	return err.kind;
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Makes a log tree look as kernels before 5.16 wrote it: beside each entry by index one by the hash of its name, and an item that says which
 * hashes the log speaks for; and, for the first entry of each, what only those kernels would have followed: a name like it of another inode, and
 * that the log has all there are.
 *   edit-log IMAGE INODE    prints how many items were added
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/tree/leaf.h"
#include "format/dir-entry.h"
#include "tests/support/edit.h"

static unsigned n_added;
static uint64_t ghost;

/* Nothing where the key is there. */
static bool add(struct block *leaf, const struct key *key, const void *payload, uint32_t len, struct error *err)
{
	const struct leaf_bytes bytes = { leaf->bytes, leaf->node.size };
	const uint32_t slot = node_search(&leaf->node, key);
	struct key have = { 0 };

	if (slot < leaf->node.n_items)
		have = node_key(&leaf->node, slot);
	if (key_compare(&have, key) == 0)
		return true;
	if (leaf_free(bytes) < len + sizeof(struct disk_item))
		return error_set(err, ERROR_NO_SPACE, "the leaf has %" PRIu32 " bytes free", leaf_free(bytes));
	memcpy(leaf_insert(bytes, slot, key, len), payload, len);
	n_added++;
	return block_refresh(leaf, err);
}

/* What an entry by index has by name, too. */
static bool add_by_name(struct block *leaf, uint32_t slot, struct error *err)
{
	const struct key index = node_key(&leaf->node, slot);
	struct cursor item = leaf_item(&leaf->node, slot);
	const uint32_t len = (uint32_t)item.left;
	struct dir_entry entry;
	uint8_t bytes[512];

	if (len > sizeof(bytes))
		return error_set(err, ERROR_REFUSED, "an entry of %" PRIu32 " bytes", len);
	memcpy(bytes, item.at, len);
	if (!dir_entry_next(&item, &entry, err))
		return false;

	const uint64_t hash = dir_entry_name_hash((const char *)entry.name.at, entry.name.left);
	const struct key by_name = { index.objectid, KEY_DIR_ITEM, hash }, range = { index.objectid, KEY_DIR_LOG_ITEM, hash };
	const struct le64 last = to_le64(hash);

	return add(leaf, &by_name, bytes, len, err) && add(leaf, &range, &last, sizeof(last), err);
}

/* With another first byte of its name, for an inode that the log says nothing about. */
static bool add_ghost(struct block *leaf, uint32_t slot, struct error *err)
{
	const struct key index = node_key(&leaf->node, slot);
	const struct cursor item = leaf_item(&leaf->node, slot);
	const uint32_t len = (uint32_t)item.left, head = sizeof(struct disk_dir_item);
	const struct le64 last = to_le64(UINT64_MAX);
	const struct le64 inode = to_le64(ghost);
	uint8_t bytes[512];

	memcpy(bytes, item.at, len);
	memcpy(bytes, &inode, sizeof(inode));
	bytes[head - 1] = FT_REG_FILE;
	bytes[head] = '~';

	const struct key by_name = { index.objectid, KEY_DIR_ITEM, dir_entry_name_hash((const char *)bytes + head, len - head) };
	const struct key all = { index.objectid, KEY_DIR_LOG_ITEM, 0 };

	return add(leaf, &by_name, bytes, len, err) && add(leaf, &all, &last, sizeof(last), err);
}

static bool make_old(struct block *leaf, struct error *err)
{
	bool first = true;

	for (uint32_t slot = 0; slot < leaf->node.n_items; slot++) {
		const unsigned before = n_added;

		if (node_key(&leaf->node, slot).type != KEY_DIR_INDEX)
			continue;
		if (!add_by_name(leaf, slot, err))
			return false;
		slot += n_added - before;	/* both stand before it */

		const unsigned between = n_added;

		if (first && !add_ghost(leaf, slot, err))
			return false;
		slot += n_added - between;
		first = false;
	}
	return true;
}

static bool change(struct transaction *tx, struct volume *volume, const void *context, struct error *err)
{
	const struct key first = { TREE_LOG_ID, KEY_ROOT_ITEM, 0 };
	cleanup_tree_iter struct tree_iter iter = { 0 };
	struct tree roots;

	(void)context;
	if (!tree_open(volume, TREE_LOG_ID, &roots, err) || !tree_seek(&roots, &first, &iter, err))
		return false;
	while (iter.valid && iter.key.type == KEY_ROOT_ITEM) {
		cleanup_block struct block *leaf = NULL;
		const struct block_expect expect = { .level = 0 };
		struct root root;

		if (!root_read(&iter.item, &root, err) || !block_get(volume, root.bytenr, &expect, &leaf, err) ||
		    !transaction_edit(tx, leaf, err) || !make_old(leaf, err) || !tree_next(&iter, err))
			return false;
	}
	return true;
}

int main(int argc, char **argv)
{
	struct error err = { 0 };

	if (argc != 3) {
		fprintf(stderr, "usage: edit-log IMAGE INODE\n");
		return ERROR_USAGE;
	}
	ghost = strtoull(argv[2], NULL, 0);
	if (!edit_image(argv[1], change, NULL, &err)) {
		fprintf(stderr, "edit-log: %s\n", err.text);
		return err.kind;
	}
	printf("%u items added\n", n_added);
	return 0;
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Makes a directory entry what no kernel makes it, in its DIR_INDEX item; everything else of the image stays right:
 *   edit-entry IMAGE SUBVOLUME-ID DIRECTORY-INODE NAME name NEW-NAME    as long as NAME
 *   edit-entry IMAGE SUBVOLUME-ID DIRECTORY-INODE NAME inode NUMBER     where it leads
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "format/dir-entry.h"
#include "tests/support/edit.h"

struct change {
	uint64_t subvolume, directory;
	const char *name;
	const char *new_name;	/* NULL: */
	uint64_t inode;
};

static bool find(struct volume *volume, const struct change *change, struct tree_iter *iter, struct error *err)
{
	struct tree tree;

	if (!tree_open(volume, change->subvolume, &tree, err) ||
	    !tree_seek(&tree, &(struct key){ change->directory, KEY_DIR_INDEX, 0 }, iter, err))
		return false;
	while (iter->valid && iter->key.objectid == change->directory && iter->key.type == KEY_DIR_INDEX) {
		struct cursor item = iter->item;
		struct dir_entry entry;

		if (!dir_entry_next(&item, &entry, err))
			return false;
		if (entry.name.left == strlen(change->name) && memcmp(entry.name.at, change->name, entry.name.left) == 0)
			return true;
		if (!tree_next(iter, err))
			return false;
	}
	return error_set(err, ERROR_NOT_FOUND, "directory %" PRIu64 " has no %s", change->directory, change->name);
}

static bool apply(struct transaction *tx, struct volume *volume, const void *context, struct error *err)
{
	const struct change *const change = context;
	cleanup_tree_iter struct tree_iter iter = { 0 };
	struct disk_dir_item disk;

	if (!find(volume, change, &iter, err) || !transaction_edit(tx, iter.path[0], err))
		return false;

	uint8_t *const payload = iter.path[0]->bytes + leaf_item_at(&iter.path[0]->node, iter.slot[0]);

	if (change->new_name) {
		memcpy(payload + sizeof(disk), change->new_name, strlen(change->name));
		return true;
	}
	memcpy(&disk, payload, sizeof(disk));
	disk.location.objectid = to_le64(change->inode);
	memcpy(payload, &disk, sizeof(disk));
	return true;
}

int main(int argc, char **argv)
{
	struct error err = { 0 };
	struct change change;

	if (argc != 7 || (!strcmp(argv[5], "name") && strlen(argv[4]) != strlen(argv[6]))) {
		fprintf(stderr, "usage: edit-entry IMAGE SUBVOLUME-ID DIRECTORY-INODE NAME name|inode NEW\n");
		return 1;
	}
	change = (struct change){ strtoull(argv[2], NULL, 0), strtoull(argv[3], NULL, 0), argv[4],
				  !strcmp(argv[5], "name") ? argv[6] : NULL, strtoull(argv[6], NULL, 0) };
	if (edit_image(argv[1], apply, &change, &err))
		return 0;
	fprintf(stderr, "edit-entry: %s\n", err.text);
	return err.kind;
}

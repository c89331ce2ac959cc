/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Reads the targets of symbolic links, if possible. */
#include "cmd/link-target.h"

#include <inttypes.h>
#include <stdlib.h>

#include "cmd/key-options.h"
#include "common/crypto/secret.h"
#include "common/fs/symlink.h"

bool link_target_read(struct extent_source *extents, const struct tree *tree, uint64_t inode, uint8_t **bytes, size_t *len,
		      struct error *err)
{
	struct file_reader *reader = NULL;
	char *target = malloc(SYMLINK_TARGET_MAX + 1);
	struct inode item = { 0 };
	bool ok;

	/* btrfs-image removes the contents of files from the trees. */
	if (tree->volume->super.flags & SUPER_FLAG_METADUMP_V2) {
		free(target);
		return true;
	}
	ok = (target || error_memory(err)) && inode_get(tree, inode, &item, err) && file_reader_new(&reader, err) &&
	     symlink_read(reader, extents, tree, inode, item.size, target, err);
	file_reader_free(reader);
	if (!ok) {
		wiped_free(target, SYMLINK_TARGET_MAX + 1);
		return false;
	}
	*bytes = (uint8_t *)target;
	*len = item.size;
	return true;
}

bool link_source_choose(const struct subvolume_list *list, uint64_t id, struct source *source, struct error *err)
{
	const struct subvolume *subvolume = subvolume_by_id(list, id);

	if (!subvolume)
		return error_set(err, ERROR_CORRUPT, "subvolume %" PRIu64 " has no root item", id);
	if (volume_is_unfinished(list->volume) && !key_options_given())
		return true;
	return source_choose(list, subvolume, source, err);
}

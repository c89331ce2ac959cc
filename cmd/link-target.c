/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Reads the targets of symbolic links, if possible. */
#include "cmd/link-target.h"

#include <inttypes.h>
#include <stdlib.h>

#include "cmd/key-options.h"
#include "common/crypto/secret.h"

#define TARGET_MAX 65536u

struct target {
	uint8_t *bytes;
	size_t len;
};

static bool take_target(void *context, const void *bytes, size_t len, struct error *err)
{
	struct target *target = context;

	if (len > TARGET_MAX - target->len)
		return error_set(err, ERROR_CORRUPT, "the target of a symbolic link is longer than %u bytes", TARGET_MAX);

	uint8_t *more = malloc(target->len + len + 1);

	if (!more)
		return error_memory(err);
	if (target->len > 0)
		memcpy(more, target->bytes, target->len);
	memcpy(more + target->len, bytes, len);
	wiped_free(target->bytes, target->len);
	target->bytes = more;
	target->len += len;
	return true;
}

bool link_target_read(struct extent_source *extents, const struct tree *tree, uint64_t inode, uint8_t **bytes, size_t *len,
		      struct error *err)
{
	struct target target = { 0 };

	/* btrfs-image removes the contents of files from the trees. */
	if (tree->volume->super.flags & SUPER_FLAG_METADUMP_V2)
		return true;
	if (!file_read(extents, tree, inode, take_target, &target, err)) {
		wiped_free(target.bytes, target.len);
		return false;
	}
	*bytes = target.bytes;
	*len = target.len;
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

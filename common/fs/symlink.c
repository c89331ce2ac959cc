/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Reads the target of a symbolic link: a small file, complete or not at all. */
#include "common/fs/symlink.h"

#include <inttypes.h>

struct target {
	char *at;
	uint64_t len;
};

static bool take(void *context, uint64_t offset, const void *bytes, size_t len, struct error *err)
{
	struct target *target = context;

	(void)err;
	memcpy(target->at + offset, bytes, len);	/* offset + len is at most the requested size */
	target->len += len;
	return true;
}

bool symlink_read(struct file_reader *reader, struct extent_source *source, const struct tree *subvolume, uint64_t inode, uint64_t size,
		  char target[SYMLINK_TARGET_MAX + 1], struct error *err)
{
	struct target taken = { .at = target };
	const struct file_sink sink = { .data = take, .context = &taken };

	if (size == 0 || size > SYMLINK_TARGET_MAX)
		return error_set(err, ERROR_CORRUPT, "inode %" PRIu64 ": the target of a symbolic link takes %" PRIu64 " bytes, not 1 to %u", inode,
				 size, SYMLINK_TARGET_MAX);
	if (!file_parts_read(reader, source, subvolume, inode, size, &sink, err))
		return false;
	target[size] = '\0';
	if (taken.len != size || memchr(target, '\0', size))
		return error_set(err, ERROR_CORRUPT, "inode %" PRIu64 ": the target of a symbolic link holds NUL, or is shorter than its %" PRIu64
				 " bytes", inode, size);
	return true;
}

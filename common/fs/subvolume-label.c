/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Gives a subvolume without a path a name, the same in all messages. An empty path means the top level. */
#include "common/fs/subvolume-label.h"

#include <inttypes.h>
#include <stdio.h>

#include "common/util/escape.h"

const uint8_t *subvolume_label(const struct subvolume *subvolume, uint64_t id, char own[SUBVOLUME_LABEL_SIZE], size_t *len)
{
	if (subvolume && (subvolume->path_len > 0 || id == FS_TREE_ID)) {
		*len = subvolume->path_len;
		return subvolume->path;
	}
	*len = (size_t)snprintf(own, SUBVOLUME_LABEL_SIZE, "subvolume-%" PRIu64, id);
	return (const uint8_t *)own;
}

char *subvolume_label_escaped(const struct subvolume *subvolume, uint64_t id)
{
	char own[SUBVOLUME_LABEL_SIZE];
	size_t len;
	const uint8_t *name = subvolume_label(subvolume, id, own, &len);

	return escape_new(name, len);
}

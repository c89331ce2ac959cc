/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A hash for each link. */
#include "common/export/links-out.h"

#include <string.h>

#include "common/util/hash64.h"

bool links_out_add(struct links_out *links, const char *path, struct error *err)
{
	return set64_add(&links->paths, hash64(path, strlen(path), 0), NULL, err);
}

bool links_out_has(const struct links_out *links, const char *path, bool with_above)
{
	for (const char *end = path; with_above && (end = strchr(end, '/')); end++) {
		if (set64_has(&links->paths, hash64(path, (size_t)(end - path), 0)))
			return true;
	}
	return set64_has(&links->paths, hash64(path, strlen(path), 0));
}

void links_out_free(struct links_out *links)
{
	set64_free(&links->paths);
}

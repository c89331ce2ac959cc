/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A hash for each link. */
#include "common/export/links-out.h"

#define HASH_BASIS 0xcbf29ce484222325u	/* FNV-1a */
#define HASH_PRIME 0x100000001b3u

bool links_out_add(struct links_out *links, const char *path, struct error *err)
{
	uint64_t hash = HASH_BASIS;

	for (; *path; path++)
		hash = (hash ^ (uint8_t)*path) * HASH_PRIME;
	return set64_add(&links->paths, hash, NULL, err);
}

bool links_out_has(const struct links_out *links, const char *path, bool with_above)
{
	uint64_t hash = HASH_BASIS;

	for (; *path; path++) {
		if (with_above && *path == '/' && set64_has(&links->paths, hash))
			return true;
		hash = (hash ^ (uint8_t)*path) * HASH_PRIME;
	}
	return set64_has(&links->paths, hash);
}

void links_out_free(struct links_out *links)
{
	set64_free(&links->paths);
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * For each of many paths, finds the nearest other path above it. All at once, because an image may have tens of thousands, nested in each
 * other.
 */
#ifndef COMMON_FS_PATHS_ABOVE_H
#define COMMON_FS_PATHS_ABOVE_H

#include <stddef.h>
#include <stdint.h>

#include "format/error.h"

struct place_path {
	const uint8_t *at;
	uint16_t len;
	uint16_t group;		/* only paths of the same group can be above each other */
	bool is_cut;		/* its end is missing: nothing is known to be below it */
};

/* The rest of path below above, with *rest_len > 0 bytes. NULL: it is not below it. Everything is below the empty path. */
const uint8_t *path_below(const uint8_t *path, size_t len, const uint8_t *above, size_t above_len, size_t *rest_len);

/* above[i]: the index of the nearest path above paths[i], the last of equal ones; PATH_ABOVE_NONE: there is none. */
#define PATH_ABOVE_NONE UINT32_MAX
bool paths_above(const struct place_path *paths, size_t n, uint32_t *above, struct error *err) must_use;

#endif /* COMMON_FS_PATHS_ABOVE_H */

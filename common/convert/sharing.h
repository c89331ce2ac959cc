/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Finds who outside a set of subvolumes shares tree blocks or data extents with it. Shared things cannot be changed in place. */
#ifndef COMMON_CONVERT_SHARING_H
#define COMMON_CONVERT_SHARING_H

#include "common/sealed/scan.h"

struct sharer {
	uint64_t id;		/* root outside the set */
	uint64_t n_blocks;	/* shared tree blocks seen */
	uint64_t n_extents;	/* shared data extents seen */
};

/*
 * Makes one pass over the extent tree beside the sorted scan, and collects the references to every block and extent of the set (inline and
 * keyed) that come from outside. A SHARED_* reference with a parent outside is resolved upward to root ids, each parent once. Also checks
 * that every block and extent of the scan has an extent item of the right kind and length: ERROR_CORRUPT. sharers: sorted by id, malloced.
 */
bool sharing_find(const struct scan *scan, struct sharer **sharers, size_t *n, struct error *err) must_use;
/* Also sets a byte for each block and each extent of the scan that a reference from outside leads to directly. What is below them is shared too. */
struct sharing_marks {
	uint8_t *block, *extent;
};
bool sharing_find_marked(const struct scan *scan, const struct sharing_marks *marks, struct sharer **sharers, size_t *n, struct error *err) must_use;

/*
 * The ids of all subvolumes nested below the given ones (in directories inside them), for --recursive. Malloced, ascending, including the
 * given ones.
 */
bool sharing_nested(const struct subvolume_list *list, const uint64_t *ids, size_t n, uint64_t **all, size_t *n_all,
		    struct error *err) must_use;

#endif /* COMMON_CONVERT_SHARING_H */

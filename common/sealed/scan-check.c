/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Checks that the things a scan found fit together. */
#include <inttypes.h>

#include "common/sealed/scan-bad.h"

static bool check_chunk(const struct scan *scan, const struct scan_extent *e, const struct chunk **chunk, struct error *err)
{
	if ((!*chunk || e->logical - (*chunk)->logical >= (*chunk)->length) && !volume_chunk(scan->volume, e->logical, chunk, err))
		return error_prefix(err, "extent item at %" PRIu64 ": disk_bytenr", e->file_offset);
	if (!((*chunk)->type & GROUP_DATA))
		return error_set(err, ERROR_CORRUPT, "data extent at %" PRIu64 " (inode %" PRIu64 "): its chunk is not for data", e->logical,
				 e->inode);
	return e->length <= (*chunk)->length - (e->logical - (*chunk)->logical) ||
	       error_set(err, ERROR_CORRUPT, "data extent at %" PRIu64 ": %" PRIu64 " bytes leave its chunk, which ends at %" PRIu64, e->logical,
			 (uint64_t)e->length, (*chunk)->logical + (*chunk)->length);
}

static bool is_known(const struct scan *scan, const struct scan_extent *e)
{
	return scan_extent_is_known(scan->volume, e->logical, e->length);
}

/*
 * Extents are the unit of conversion: two that overlap would be changed twice, and one outside a data chunk would hit a tree. If two overlap,
 * the one that the extent tree does not know is wrong.
 */
static bool check_extents(struct scan *scan, bool over, struct error *err)
{
	const struct chunk *chunk = NULL;
	size_t n = 0;

	for (size_t i = 0; i < scan->n_extents; i++) {
		const struct scan_extent e = scan->extent[i], before = n > 0 ? scan->extent[n - 1] : (struct scan_extent){ 0 };
		struct error what = { 0 };

		if (!check_chunk(scan, &e, &chunk, &what)) {
			if (!scan_survive(scan, over, e.inode, e.member, &what, err))
				return false;
			continue;
		}
		if (e.logical < before.logical + before.length) {
			const bool is_later = !over || is_known(scan, &before) || !is_known(scan, &e);

			error_set(&what, ERROR_CORRUPT, "data extent at %" PRIu64 " begins before the one at %" PRIu64 " ends", e.logical,
				  before.logical);
			if (!(is_later ? scan_survive(scan, over, e.inode, e.member, &what, err) :
					 scan_survive(scan, over, before.inode, before.member, &what, err)))
				return false;
			if (is_later)
				continue;
			n--;
		}
		scan->extent[n++] = e;
	}
	scan->n_extents = n;
	return true;
}

/* In mixed block groups data and metadata are side by side, so only this check finds two things of the set in one place. */
static bool check_blocks(struct scan *scan, bool over, struct error *err)
{
	const uint32_t node_size = scan->volume->super.node_size;
	size_t block = 0, n = 0;

	for (size_t i = 1; i < scan->n_blocks; i++) {
		if (scan->block[i].logical - scan->block[i - 1].logical < node_size)
			return error_set(err, ERROR_CORRUPT, "tree block at %" PRIu64 " begins before the one at %" PRIu64
					 " ends", scan->block[i].logical, scan->block[i - 1].logical);
	}
	for (size_t i = 0; i < scan->n_extents; i++) {
		const struct scan_extent e = scan->extent[i];
		struct error what = { 0 };

		while (block < scan->n_blocks && scan->block[block].logical + node_size <= e.logical)
			block++;
		if (block < scan->n_blocks && scan->block[block].logical < e.logical + e.length) {
			error_set(&what, ERROR_CORRUPT, "data extent at %" PRIu64 " and tree block at %" PRIu64 " overlap", e.logical,
				  scan->block[block].logical);
			if (!scan_survive(scan, over, e.inode, e.member, &what, err))
				return false;
			continue;
		}
		scan->extent[n++] = e;
	}
	scan->n_extents = n;
	return true;
}

bool scan_check(struct scan *scan, bool over, struct error *err)
{
	if (!check_extents(scan, over, err) || !check_blocks(scan, over, err))
		return false;
	for (size_t i = 0; i < scan->n_extents; i++)
		scan->data_bytes += scan->extent[i].length;
	scan_bad_sort(scan);
	return true;
}

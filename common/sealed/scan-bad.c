/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Lists the damage that a scan skipped. */
#include "common/sealed/scan-bad.h"

#include <stdlib.h>

#include "common/fs/inode-names.h"
#include "common/fs/path.h"
#include "common/tree/allocator.h"
#include "common/util/array.h"
#include "common/util/lower-bound.h"
#include "common/volume/tolerance.h"

bool scan_bad_add(struct scan *scan, uint64_t inode, uint32_t member, const struct error *what, struct error *err)
{
	char *text;

	if (scan->n_bad == SCAN_BAD_MAX) {
		*err = *what;
		return error_prefix(err, "more than %u items and tree blocks are damaged; the last one", SCAN_BAD_MAX);
	}
	if (!ARRAY_ROOM(scan->bad, scan->n_bad, scan->bad_room, err))
		return false;
	text = strdup(what->text);
	if (!text)
		return error_memory(err);
	scan->bad[scan->n_bad++] = (struct scan_bad){ .inode = inode, .member = member, .what = text };
	return true;
}

/* Adds the path to the error if it can be found. */
static bool name_inode(const struct scan *scan, uint32_t member, uint64_t inode, struct error *err)
{
	struct error ignored = { 0 };
	char *path;

	if (!error_is_damage(err) || !inode_path(&scan->tree[member], inode, &path, &ignored))
		return false;
	error_prefix(err, "%.200s", path);
	free(path);
	return false;
}

bool scan_survive(struct scan *scan, bool over, uint64_t inode, uint32_t member, const struct error *what, struct error *err)
{
	if (over && error_is_damage(what))
		return scan_bad_add(scan, inode, member, what, err);
	*err = *what;
	return name_inode(scan, member, inode, err);
}

static int compare(const void *a, const void *b)
{
	const struct scan_bad *x = a, *y = b;

	if (x->inode != y->inode)
		return x->inode < y->inode ? -1 : 1;
	if (x->member != y->member)
		return x->member < y->member ? -1 : 1;
	return strcmp(x->what, y->what);
}

void scan_bad_sort(struct scan *scan)
{
	if (scan->n_bad > 0)
		qsort(scan->bad, scan->n_bad, sizeof(*scan->bad), compare);
}

void scan_bad_free(struct scan *scan)
{
	for (size_t i = 0; i < scan->n_bad; i++)
		free(scan->bad[i].what);
	free(scan->bad);
}

bool scan_is_bad(const struct scan *scan, uint64_t inode)
{
	const size_t i = LOWER_BOUND(at, scan->n_bad, scan->bad[at].inode < inode);

	return i < scan->n_bad && scan->bad[i].inode == inode;
}

bool scan_extent_is_known(struct volume *volume, uint64_t logical, uint64_t length)
{
	struct error ignored = { 0 };
	bool found = false;

	return extent_is_allocated(volume, logical, length, EXTENT_OF_DATA, &found, &ignored) && found;
}

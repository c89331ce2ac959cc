/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Finds names from back references: a few of them, and a count of the others as far as that is cheap. */
#include "common/sealed/extent-also.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/fs/backref.h"
#include "common/sealed/extent-part.h"
#include "common/util/mix64.h"
#include "common/util/plural.h"
#include "common/util/set64.h"

#define NAMED_MAX 3u
#define COUNTED_MAX 1000u

struct also {
	const struct subvolume_list *list;
	uint64_t subvolume, inode;	/* already named */
	char *label[NAMED_MAX];
	unsigned n_labels;
	struct set64 files;		/* already counted */
};

static bool take_file(void *context, const struct backref_file *file, struct error *err)
{
	struct also *also = context;
	struct tree tree;
	bool added;

	if (file->root == also->subvolume && file->inode == also->inode)
		return true;
	/* A failure ends the search and reports that there are more. */
	if (set64_count(&also->files) == COUNTED_MAX)
		return error_set(err, ERROR_REFUSED, "more than %u files", COUNTED_MAX);
	if (!set64_add(&also->files, mix64(file->root) ^ file->inode, &added, err))
		return false;
	if (!added || also->n_labels == NAMED_MAX)
		return true;
	if (!tree_open(also->list->volume, file->root, &tree, err))
		return false;
	also->label[also->n_labels] = file_label(also->list, &tree, file->inode);
	also->n_labels += also->label[also->n_labels] != NULL;
	return true;
}

void extent_also_in(const struct subvolume_list *list, uint64_t logical, uint64_t subvolume, uint64_t inode, char text[EXTENT_ALSO_SIZE])
{
	struct also also = { .list = list, .subvolume = subvolume, .inode = inode };
	const struct backref_query query = { list->volume, logical, true, false, take_file, &also };
	struct backref_extent extent;
	struct error ignored = { 0 };
	uint64_t n_stale = 0;
	size_t n = 0;

	text[0] = '\0';
	if (backref_extent_at(list->volume, logical, &extent, &ignored) && extent.is_data)
		(void)!backref_files(&query, &extent, &n_stale, &ignored);

	const size_t n_files = set64_count(&also.files), n_more = n_files - also.n_labels;

	for (unsigned i = 0; i < also.n_labels; i++) {
		n += (size_t)snprintf(text + n, EXTENT_ALSO_SIZE - n, "%s%.120s",
				      i == 0 ? "; the same data are in " : n_more == 0 && i + 1 == also.n_labels ? " and " : ", ",
				      also.label[i]);
		free(also.label[i]);
	}
	if (also.n_labels > 0 && n_more > 0)
		snprintf(text + n, EXTENT_ALSO_SIZE - n, " and %s%zu more file%s", n_files == COUNTED_MAX ? "at least " : "", n_more, plural(n_more));
	set64_free(&also.files);
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Prints the paths of an inode, from the top level. */
#include "cmd/resolve-names.h"

#include <stdio.h>
#include <stdlib.h>

#include "cmd/row.h"
#include "common/fs/inode-names.h"
#include "common/fs/subvolume-label.h"
#include "common/util/escape.h"

static void put_path_text(const struct naming *naming, const uint8_t *path, size_t len)
{
	char *above = subvolume_label_escaped(naming->subvolume, naming->root);
	char *inside = path ? escape_new(path, len) : NULL;

	if (above && above[0])
		printf("%s%s", above, inside && inside[0] ? "/" : "");
	fputs(!path ? "(no name)" : !inside ? "?" : inside[0] || (above && above[0]) ? inside : "/", stdout);
	free(above);
	free(inside);
}

bool print_path(void *context, const uint8_t *path, size_t len, struct error *err)
{
	const struct naming *naming = context;
	const struct row row = row_begin("file");

	(void)err;
	row_u64(&row, "inode", naming->has_offset ? "inode " : NULL, naming->inode);
	if (naming->has_offset)
		row_u64(&row, "offset", " offset ", naming->offset);
	row_u64(&row, "subvolume", naming->has_offset ? " root " : NULL, naming->root);
	row_in_subvolume(&row, naming->subvolume, naming->root);
	if (path)
		row_path(&row, NULL, path, len);
	row_words(&row, naming->has_offset ? " path " : "");
	if (!row.json)
		put_path_text(naming, path, len);
	row_end(&row);
	return true;
}

bool print_names(const struct subvolume_list *list, struct naming *naming, uint64_t *n_names, struct error *err)
{
	struct tree tree;

	naming->subvolume = subvolume_by_id(list, naming->root);
	return tree_open(list->volume, naming->root, &tree, err) &&
	       inode_names(&tree, naming->inode, print_path, naming, n_names, err);
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Prints the paths of an inode, from the top level. */
#include "cmd/resolve-names.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "cmd/json.h"
#include "cmd/print.h"
#include "common/fs/inode-names.h"
#include "common/fs/subvolume-label.h"
#include "common/util/escape.h"

static void print_path_text(const struct naming *naming, const uint8_t *path, size_t len)
{
	char *above = subvolume_label_escaped(naming->subvolume, naming->root);
	char *inside = path ? escape_new(path, len) : NULL;

	if (naming->has_offset)
		printf("inode %" PRIu64 " offset %" PRIu64 " root %" PRIu64 " path ", naming->inode, naming->offset, naming->root);
	if (above && above[0])
		printf("%s%s", above, inside && inside[0] ? "/" : "");
	printf("%s\n", !path ? "(no name)" : !inside ? "?" : inside[0] || (above && above[0]) ? inside : "/");
	free(above);
	free(inside);
}

bool print_path(void *context, const uint8_t *path, size_t len, struct error *err)
{
	const struct naming *naming = context;

	(void)err;
	if (!format_is_json()) {
		print_path_text(naming, path, len);
		return true;
	}

	struct json_object *line = json_line();

	json_text(line, "record", "file");
	json_u64(line, "inode", naming->inode);
	if (naming->has_offset)
		json_u64(line, "offset", naming->offset);
	json_u64(line, "subvolume", naming->root);
	json_in_subvolume(line, naming->subvolume, naming->root);
	if (path)
		json_path(line, path, len);
	json_print(line, stdout);
	return true;
}

bool print_names(const struct subvolume_list *list, struct naming *naming, uint64_t *n_names, struct error *err)
{
	struct tree tree;

	naming->subvolume = subvolume_by_id(list, naming->root);
	return tree_open(list->volume, naming->root, &tree, err) &&
	       inode_names(&tree, naming->inode, print_path, naming, n_names, err);
}

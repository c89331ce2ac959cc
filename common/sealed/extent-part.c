/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Goes from a part of an extent on disk to bytes of a file, and to the name of that file. */
#include "common/sealed/extent-part.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/fs/inode-names.h"
#include "common/fs/path.h"
#include "common/fs/subvolume-label.h"
#include "common/tree/tree-gap.h"

bool extent_part_of(const struct file_extent *item, uint64_t file_offset, uint64_t from, uint64_t to, struct extent_part *part)
{
	const uint64_t end = item->offset + item->num_bytes;

	if (item->compression != COMPRESS_NONE) {
		*part = (struct extent_part){ .first = file_offset, .last = file_offset + item->num_bytes - 1 };
		return true;
	}
	if (from < item->offset)
		from = item->offset;
	if (to > end)
		to = end;
	if (from >= to)
		return false;
	*part = (struct extent_part){ .first = file_offset + from - item->offset, .last = file_offset + to - 1 - item->offset };
	return true;
}

void extent_part_doubt(const struct file_item *item, uint64_t from, uint64_t to, const char *text)
{
	struct extent_part part;

	if (extent_part_of(item->extent, item->file_offset, from, to, &part))
		report_to(&item->subvolume->volume->reporter, &(struct report){
			.kind = REPORT_DOUBTFUL, .inode = item->inode, .first = part.first, .end = part.last + 1,
			.logical = item->extent->disk_bytenr + from, .disk_length = to - from, .text = text });
}

bool extent_parts(const struct scan *scan, const struct scan_extent *extent, uint64_t from, uint64_t to, extent_part_visit *visit,
		  void *context, struct error *err)
{
	const struct tree *tree = &scan->tree[extent->member];
	const struct key first = { extent->inode, KEY_EXTENT_DATA, extent->file_offset };
	cleanup_tree_iter struct tree_iter iter = { 0 };
	struct extent_part part;
	bool any = false;

	if (!tree_seek_over(tree, &first, &iter, NULL, NULL, err))
		return false;
	/*
	 * Whoever reads the items reports those that cannot be read. A file is cut up where parts of it were rewritten, so the remains of an
	 * extent lie no farther apart than its decoded length.
	 */
	for (uint64_t end = UINT64_MAX; iter.valid && iter.key.objectid == extent->inode && iter.key.type == KEY_EXTENT_DATA &&
	     iter.key.offset < end;) {
		const uint64_t file_offset = iter.key.offset;
		struct error unread = { 0 };
		struct file_extent item;

		if (!file_extent_read(&iter.item, file_offset, scan->volume->super.sector_size, &item, &unread))
			item = (struct file_extent){ 0 };
		if (file_extent_has_disk(&item) && item.disk_bytenr == extent->logical) {
			const uint64_t length = item.compression != COMPRESS_NONE ? item.ram_bytes : item.disk_num_bytes;

			if (end == UINT64_MAX)
				end = file_offset > UINT64_MAX - length ? UINT64_MAX : file_offset + length;
			if (extent_part_of(&item, file_offset, from, to, &part)) {
				any = true;
				if (!visit(context, &part, err))
					return false;
			}
		} else if (end == UINT64_MAX) {
			break;	/* the item of the locator itself comes first */
		}
		if (!tree_next_over(&iter, NULL, NULL, err))
			return false;
	}
	if (any)
		return true;
	part = (struct extent_part){ .first = from, .last = to - 1, .unused = true };
	return visit(context, &part, err);
}

/* Returns some name even if the path cannot be found. */
static char *path_in(const struct tree *subvolume, uint64_t inode)
{
	struct error ignored = { 0 };
	char *path = NULL;

	if (inode != 0 && !inode_path(subvolume, inode, &path, &ignored) && asprintf(&path, "inode %" PRIu64, inode) < 0)
		path = NULL;
	return path;
}

char *file_label(const struct subvolume_list *list, const struct tree *subvolume, uint64_t inode)
{
	const struct subvolume *of = subvolume_by_id(list, subvolume->id);
	char *const above = subvolume_label_escaped(of, subvolume->id);
	char *const path = path_in(subvolume, inode);
	char *label = NULL;
	int n;

	if (!above)
		n = path ? asprintf(&label, "subvolume %" PRIu64 ": %s", subvolume->id, path)
			 : asprintf(&label, "subvolume %" PRIu64, subvolume->id);
	else if (!above[0])	/* the top level, and its root directory */
		n = asprintf(&label, "%s", path && path[0] ? path : "/");
	else
		n = asprintf(&label, "%s%s%s", above, path ? "/" : "", path ? path : "");
	free(above);
	free(path);
	return n < 0 ? NULL : label;
}

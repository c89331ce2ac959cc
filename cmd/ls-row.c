/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Prints rows of ls. */
#include "cmd/ls-row.h"

#include <inttypes.h>

#include "cmd/value-text.h"

/* In text, one column each. */
static void put_inode(struct row *row, const struct inode *inode, enum ls_detail detail)
{
	const bool is_device = inode_is_device(inode->mode), has_columns = detail != LS_NAMES;
	const char *before = has_columns ? " " : NULL;
	char mode[11], size[SIZE_TEXT_SIZE], when[DATE_TEXT_SIZE];

	inode_mode_text(inode->mode, mode);
	row_text(row, "mode", has_columns ? "" : NULL, mode);
	row->width = 3;
	row_number(row, "links", before, inode->n_links);
	row->width = 5;
	row_number(row, "uid", before, inode->uid);
	row_number(row, "gid", before, inode->gid);
	row->width = 10;
	row_u64(row, "size", is_device || detail == LS_SIZES_FOR_PEOPLE ? NULL : before, inode->size);
	if (is_device)
		row_value(row, NULL, before, "%u, %u", rdev_major(inode->rdev), rdev_minor(inode->rdev));
	else if (detail == LS_SIZES_FOR_PEOPLE)
		row_text(row, NULL, before, size_text(inode->size, size));
	row->width = 0;
	row_time(row, "mtime", &inode->mtime);
	if (local_date_text(inode->mtime.sec, when))
		row_text(row, NULL, before, when);
	else
		row_value(row, NULL, before, "@%" PRId64, inode->mtime.sec);
	row_value(row, "flags", NULL, "0x%" PRIx64, inode->flags);
	if (is_device)
		row_value(row, "device", NULL, "%u:%u", rdev_major(inode->rdev), rdev_minor(inode->rdev));
	row_words(row, has_columns ? " " : "");
}

void ls_row_print(const struct ls_row *at, bool with_inode, enum ls_detail detail)
{
	struct row row = row_begin(NULL);

	if (at->directory)
		row_name(&row, "directory", NULL, at->directory, at->directory_len);
	row_name(&row, "name", NULL, at->name, at->name_len);
	row_u64(&row, "subvolume", NULL, at->file.subvolume);
	row.width = 10;
	row_u64(&row, "inode", with_inode ? "" : NULL, at->file.inode);
	row.width = 0;
	row_words(&row, with_inode ? " " : "");
	if (at->is_not_authenticated)
		row_flag(&row, "authenticated", NULL, false);
	row_text(&row, "type", NULL, at->has_inode ? inode_type_name(at->inode.mode) : at->is_lost ? "lost" : "empty-subvolume");
	if (at->has_inode)
		put_inode(&row, &at->inode, detail);
	else if (detail != LS_NAMES)
		row_format(&row, "%s   -     -     -          - %19s ", at->is_lost ? "?---------" : "d---------", "-");
	row_name(&row, NULL, "", at->name, at->name_len);
	if (at->target)
		row_name(&row, "target", detail != LS_NAMES ? " -> " : NULL, at->target, at->target_len);
	if (at->is_sealed_link)
		row_flag(&row, "target_sealed", detail != LS_NAMES && !at->target ? " -> (sealed)" : NULL, true);
	if (at->conversion)
		unfinished_put(at->conversion, NULL, &row);
	row_end(&row);
}

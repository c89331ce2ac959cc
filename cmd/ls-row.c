/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Prints rows of ls. */
#include "cmd/ls-row.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "cmd/json.h"
#include "cmd/value-text.h"
#include "common/crypto/secret.h"
#include "common/util/escape.h"

static void print_detail(const struct ls_row *row, bool human)
{
	const struct inode *inode = &row->inode;
	char mode[11], size[SIZE_TEXT_SIZE], when[DATE_TEXT_SIZE];

	if (!row->has_inode) {
		printf("%s   -     -     -          - %19s ", row->is_lost ? "?---------" : "d---------", "-");
		return;
	}
	inode_mode_text(inode->mode, mode);
	if (inode_is_device(inode->mode))
		snprintf(size, sizeof(size), "%u, %u", rdev_major(inode->rdev), rdev_minor(inode->rdev));
	else if (human)
		size_text(inode->size, size);
	else
		snprintf(size, sizeof(size), "%" PRIu64, inode->size);
	if (!local_date_text(inode->mtime.sec, when))
		snprintf(when, sizeof(when), "@%" PRId64, inode->mtime.sec);
	printf("%s %3" PRIu32 " %5" PRIu32 " %5" PRIu32 " %10s %s ", mode, inode->n_links, inode->uid, inode->gid, size, when);
}

void ls_row_print(const struct ls_row *row, bool inode, bool detail, bool human)
{
	char name[ESCAPED_SIZE(NAME_MAX_BYTES)];

	if (inode)
		printf("%10" PRIu64 " ", row->file.inode);
	if (detail)
		print_detail(row, human);
	escape_text(row->name, row->name_len, name, sizeof(name));
	fputs(name, stdout);
	if (detail && row->target) {
		char *target = escape_new(row->target, row->target_len);

		printf(" -> %s", target ? target : "?");
		wiped_free(target, target ? strlen(target) : 0);
	} else if (detail && row->is_sealed_link) {
		fputs(" -> (sealed)", stdout);
	}
	putchar('\n');
}

void ls_row_json(const struct ls_row *row)
{
	const struct inode *inode = &row->inode;
	struct json_object *line = json_line();
	char mode[11];

	if (row->directory)
		json_name(line, "directory", row->directory, row->directory_len);
	json_name(line, "name", row->name, row->name_len);
	json_u64(line, "subvolume", row->file.subvolume);
	json_u64(line, "inode", row->file.inode);
	if (row->is_not_authenticated)
		json_flag(line, "authenticated", false);
	json_text(line, "type", row->has_inode ? inode_type_name(inode->mode) : row->is_lost ? "lost" : "empty-subvolume");
	if (row->has_inode) {
		inode_mode_text(inode->mode, mode);
		json_text(line, "mode", mode);
		json_number(line, "links", inode->n_links);
		json_number(line, "uid", inode->uid);
		json_number(line, "gid", inode->gid);
		json_u64(line, "size", inode->size);
		json_time(line, "mtime", &inode->mtime);
		json_format(line, "flags", "0x%" PRIx64, inode->flags);
	}
	if (row->has_inode && inode_is_device(inode->mode))
		json_format(line, "device", "%u:%u", rdev_major(inode->rdev), rdev_minor(inode->rdev));
	if (row->target)
		json_name(line, "target", row->target, row->target_len);
	if (row->is_sealed_link)
		json_flag(line, "target_sealed", true);
	if (row->conversion)
		unfinished_json(row->conversion, line);
	json_print(line, stdout);
}

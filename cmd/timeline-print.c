/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a timeline says about a name, for mactime and for programs that read JSON. */
#include "cmd/timeline-print.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cmd/row.h"
#include "cmd/value-text.h"
#include "common/fs/subvolume-label.h"
#include "common/util/escape.h"

/* What a line tells of an inode, and what is compared. A time is compared without what follows its nanoseconds. */
#define MEMBER(member) { #member, offsetof(struct inode, member), sizeof(((struct inode *)0)->member) }
#define TIME(member) { #member, offsetof(struct inode, member), offsetof(struct inode_time, nsec) + sizeof(((struct inode_time *)0)->nsec) }
static const struct {
	const char *name;
	size_t at, size;
} fields[] = {
	TIME(atime), TIME(mtime), TIME(ctime), TIME(otime), MEMBER(size), { "links", offsetof(struct inode, n_links), sizeof(uint32_t) },
	MEMBER(mode), MEMBER(uid), MEMBER(gid), MEMBER(flags),
};

/* Bit i: the i-th of the fields. */
static unsigned differences(const struct inode *a, const struct inode *b)
{
	unsigned bits = 0;

	for (unsigned i = 0; i < sizeof(fields) / sizeof(fields[0]); i++)
		bits |= (unsigned)(memcmp((const uint8_t *)a + fields[i].at, (const uint8_t *)b + fields[i].at, fields[i].size) != 0) << i;
	return bits;
}

bool inode_differs(const struct inode *a, const struct inode *b)
{
	return differences(a, b) != 0;
}

/* Escaped, together with the bar that separates the fields of a line. */
static void put_name(const void *bytes, size_t len)
{
	char *text = escape_new(bytes, len);

	for (const char *at = text ? text : "?"; *at; at++) {
		if (*at == '|')
			fputs("\\x7c", stdout);
		else
			putchar(*at);
	}
	free(text);
}

static void put_path(const struct moment *moment)
{
	char own[SUBVOLUME_LABEL_SIZE];
	size_t len;
	const uint8_t *above = subvolume_label(moment->subvolume, moment->root, own, &len);

	if (len > 0) {
		putchar('/');
		put_name(above, len);
	}
	if (!moment->path) {
		printf("/(no name, inode %" PRIu64 ")", moment->number);
	} else if (moment->path_len > 0 || moment->root == FS_TREE_ID) {
		putchar('/');
		put_name(moment->path, moment->path_len);
	}
}

/* The letter that the Sleuth Kit uses; it calls a file r. */
static char type_letter(const char mode[11])
{
	return mode[0] == '-' ? 'r' : mode[0];
}

static void put_time(const struct row *row, const char *name, const struct inode_time *at)
{
	row_format(row, "|%" PRId64, at->sec);
	row_time(row, name, at);
}

static void put_inode(const struct row *row, const struct inode *inode)
{
	char mode[11];

	row_text(row, "type", NULL, inode_type_name(inode->mode));
	inode_mode_text(inode->mode, mode);
	row_text(row, "mode", NULL, mode);
	row_format(row, "|%c/%c%s", type_letter(mode), type_letter(mode), mode + 1);
	row_number(row, "uid", "|", inode->uid);
	row_number(row, "gid", "|", inode->gid);
	row_number(row, "links", NULL, inode->n_links);
	row_u64(row, "size", "|", inode->size);
	row_value(row, "flags", NULL, "0x%" PRIx64, inode->flags);
	put_time(row, "atime", &inode->atime);
	put_time(row, "mtime", &inode->mtime);
	put_time(row, "ctime", &inode->ctime);
	put_time(row, "otime", &inode->otime);
}

/* In JSON. */
static void put_change(const struct row *row, const struct moment *moment)
{
	static const char *const names[] = { "", "created", "changed", "deleted" };
	char differ[128] = "";

	row_text(row, "change", NULL, names[moment->change]);
	if (moment->change == MOMENT_CHANGED && moment->before) {
		const unsigned bits = differences(moment->before, moment->inode);

		for (unsigned i = 0; i < sizeof(fields) / sizeof(fields[0]); i++) {
			if (bits & 1u << i)
				snprintf(differ + strlen(differ), sizeof(differ) - strlen(differ), "%s%s", differ[0] ? " " : "", fields[i].name);
		}
		row_text(row, "differ", NULL, differ);

		const struct row before = row_object(row, "before");

		put_inode(&before, moment->before);
	}
}

/* MD5|name|inode|mode_as_string|UID|GID|size|atime|mtime|ctime|crtime */
void moment_print(const struct moment *moment)
{
	const struct row row = row_begin(NULL);

	row_u64(&row, "subvolume", NULL, moment->root);
	row_in_subvolume(&row, moment->subvolume, moment->root);
	if (moment->path)
		row_path(&row, NULL, moment->path, moment->path_len);
	row_words(&row, "0|");
	if (!row.json)
		put_path(moment);
	row_words(&row, moment->change == MOMENT_DELETED ? " (deleted)" : "");
	row_u64(&row, "inode", "|", moment->number);
	if (moment->is_closed)
		row_flag(&row, "authenticated", NULL, false);
	if (row.json && moment->change != MOMENT_AS_IT_IS)
		put_change(&row, moment);
	put_inode(&row, moment->inode);
	row_end(&row);
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a timeline says about a name, for mactime and for programs that read JSON. */
#include "cmd/timeline-print.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cmd/print.h"
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

/* MD5|name|inode|mode_as_string|UID|GID|size|atime|mtime|ctime|crtime */
static void print_body(const struct moment *moment)
{
	const struct inode *inode = moment->inode;
	char mode[11];

	fputs("0|", stdout);
	put_path(moment);
	if (moment->change == MOMENT_DELETED)
		fputs(" (deleted)", stdout);
	inode_mode_text(inode->mode, mode);
	mode[0] = type_letter(mode);
	printf("|%" PRIu64 "|%c/%s|%" PRIu32 "|%" PRIu32 "|%" PRIu64 "|%" PRId64 "|%" PRId64 "|%" PRId64 "|%" PRId64 "\n", moment->number, mode[0],
	       mode, inode->uid, inode->gid, inode->size, inode->atime.sec, inode->mtime.sec, inode->ctime.sec, inode->otime.sec);
}

static void json_inode(struct json_object *line, const struct inode *inode)
{
	char mode[11];

	json_text(line, "type", inode_type_name(inode->mode));
	inode_mode_text(inode->mode, mode);
	json_text(line, "mode", mode);
	json_number(line, "uid", inode->uid);
	json_number(line, "gid", inode->gid);
	json_number(line, "links", inode->n_links);
	json_u64(line, "size", inode->size);
	json_format(line, "flags", "0x%" PRIx64, inode->flags);
	json_time(line, "atime", &inode->atime);
	json_time(line, "mtime", &inode->mtime);
	json_time(line, "ctime", &inode->ctime);
	json_time(line, "otime", &inode->otime);
}

static void json_change(struct json_object *line, const struct moment *moment)
{
	static const char *const names[] = { "", "created", "changed", "deleted" };
	struct json_object *before;
	char differ[128] = "";

	json_text(line, "change", names[moment->change]);
	if (moment->change == MOMENT_CHANGED && moment->before) {
		const unsigned bits = differences(moment->before, moment->inode);

		for (unsigned i = 0; i < sizeof(fields) / sizeof(fields[0]); i++) {
			if (bits & 1u << i)
				snprintf(differ + strlen(differ), sizeof(differ) - strlen(differ), "%s%s", differ[0] ? " " : "", fields[i].name);
		}
		json_text(line, "differ", differ);
		before = json_line();
		json_inode(before, moment->before);
		json_member(line, "before", before);
	}
}

static void print_json(const struct moment *moment)
{
	struct json_object *line = json_line();

	json_u64(line, "subvolume", moment->root);
	json_in_subvolume(line, moment->subvolume, moment->root);
	if (moment->path)
		json_path(line, moment->path, moment->path_len);
	json_u64(line, "inode", moment->number);
	if (moment->is_closed)
		json_flag(line, "authenticated", false);
	if (moment->change != MOMENT_AS_IT_IS)
		json_change(line, moment);
	json_inode(line, moment->inode);
	json_print(line, stdout);
}

void moment_print(const struct moment *moment)
{
	(format_is_json() ? print_json : print_body)(moment);
}

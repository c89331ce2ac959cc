/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A record, described once: with --format json one object, otherwise text. A field is a member of the object, and in text what stands
 * before its value, and the value. No name: text only; nothing before: JSON only.
 */
#ifndef CMD_ROW_H
#define CMD_ROW_H

#include "cmd/json.h"
#include "format/inode.h"

struct subvolume;

struct row {
	struct json_object *json;	/* NULL: text */
	bool in_bytes;			/* sizes are for a machine */
	int width;			/* of the column in which a value stands on the right */
	FILE *out;			/* NULL: standard output */
};

struct row row_begin(const char *record);	/* what kind of line it is, in JSON; NULL: the command has only one kind */
void row_end(const struct row *row);		/* prints the object, or ends the line */
void row_print(const struct row *row);		/* the same for text that has ended its lines */

/* A member that has members itself. In text its fields are fields like any other. */
struct row row_object(const struct row *row, const char *name);
struct row row_array(const struct row *row, const char *name);
struct row row_element(const struct row *array);	/* one more, at the end */

void row_words(const struct row *row, const char *words);	/* in text */
void row_text(const struct row *row, const char *name, const char *before, const char *text);
void row_number(const struct row *row, const char *name, const char *before, int64_t number);	/* never past 2^53 */
void row_u64(const struct row *row, const char *name, const char *before, uint64_t number);
void row_size(const struct row *row, const char *name, const char *before, uint64_t bytes);	/* as size_text(), unless in_bytes */
void row_name(const struct row *row, const char *name, const char *before, const void *bytes, size_t len);	/* escaped for people */
/* The same for text that was escaped for people before. */
void row_escaped(const struct row *row, const char *name, const char *before, const char *escaped);
/* The path of a file in its subvolume, as "path": "/" for the root directory. */
void row_path(const struct row *row, const char *before, const void *bytes, size_t len);
/* The path of a subvolume, as "path": "/" for the top level, "subvolume-257" for one without a path. */
void row_subvolume(const struct row *row, const char *before, const struct subvolume *subvolume);
/* In JSON, the same for the subvolume that contains something, as "subvolume_path". NULL: no longer known. Adds "subvolume_deleted" if it is. */
void row_in_subvolume(const struct row *row, const struct subvolume *subvolume, uint64_t id);
void row_time(const struct row *row, const char *name, const struct inode_time *at);	/* in JSON, as json_time() */
void row_flag(const struct row *row, const char *name, const char *words, bool is_set);	/* in text the words, if it is set */
void row_hex(const struct row *row, const char *name, const char *before, const void *bytes, size_t len);	/* at most 64 bytes */
void row_uuid(const struct row *row, const char *name, const char *before, const uint8_t *uuid);
void row_moment(const struct row *row, const char *name, uint64_t seconds);	/* in JSON, as json_moment() */
/* In JSON, the bytes first to last of a file. of_extent: of one of its extents, in a part that the file does not use. */
void row_file_part(const struct row *row, uint64_t subvolume, uint64_t inode, bool of_extent, uint64_t first, uint64_t last);
/* A value in a format, at most 511 characters long. */
void row_value(const struct row *row, const char *name, const char *before, const char *format, ...) __attribute__((format(printf, 4, 5)));
/* In text only, several values in a format. */
void row_format(const struct row *row, const char *format, ...) __attribute__((format(printf, 2, 3)));

#endif /* CMD_ROW_H */

/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "cmd/row.h"

#include <inttypes.h>
#include <stdarg.h>
#include <uuid/uuid.h>

#include "cmd/print.h"
#include "cmd/value-text.h"
#include "common/crypto/secret.h"
#include "common/fs/subvolume-label.h"
#include "common/util/escape.h"
#include "common/util/hex.h"

static FILE *out_of(const struct row *row)
{
	return row->out ? row->out : stdout;
}

struct row row_begin(const char *record)
{
	struct row row = { .json = format_is_json() ? json_line() : NULL };

	if (record)
		row_text(&row, "record", NULL, record);
	return row;
}

void row_print(const struct row *row)
{
	if (row->json)
		json_print(row->json, out_of(row));
}

void row_end(const struct row *row)
{
	row_words(row, "\n");
	row_print(row);
}

static struct row inside(const struct row *row, struct json_object *make(void))
{
	return (struct row){ .json = row->json ? make() : NULL, .in_bytes = row->in_bytes, .out = row->out };
}

struct row row_object(const struct row *row, const char *name)
{
	const struct row in = inside(row, json_line);

	if (in.json)
		json_member(row->json, name, in.json);
	return in;
}

struct row row_array(const struct row *row, const char *name)
{
	const struct row in = inside(row, json_array);

	if (in.json)
		json_member(row->json, name, in.json);
	return in;
}

struct row row_element(const struct row *array)
{
	const struct row in = inside(array, json_line);

	if (in.json)
		json_append(array->json, in.json);
	return in;
}

void row_words(const struct row *row, const char *words)
{
	if (!row->json)
		fputs(words, out_of(row));
}

void row_text(const struct row *row, const char *name, const char *before, const char *text)
{
	if (row->json && name)
		json_text(row->json, name, text);
	else if (!row->json && before)
		fprintf(out_of(row), "%s%*s", before, row->width, text);
}

void row_number(const struct row *row, const char *name, const char *before, int64_t number)
{
	if (row->json && name)
		json_number(row->json, name, number);
	else
		row_value(row, NULL, before, "%" PRId64, number);
}

void row_u64(const struct row *row, const char *name, const char *before, uint64_t number)
{
	row_value(row, name, before, "%" PRIu64, number);
}

void row_size(const struct row *row, const char *name, const char *before, uint64_t bytes)
{
	char text[SIZE_TEXT_SIZE];

	if (row->json || row->in_bytes)
		row_u64(row, name, before, bytes);
	else
		row_text(row, name, before, size_text(bytes, text));
}

void row_name(const struct row *row, const char *name, const char *before, const void *bytes, size_t len)
{
	char *text = row->json ? NULL : escape_new(bytes, len);

	if (!row->json)
		row_text(row, name, before, text ? text : "?");
	else if (name)
		json_name(row->json, name, bytes, len);
	wiped_free(text, text ? strlen(text) : 0);	/* it may be of something sealed */
}

void row_escaped(const struct row *row, const char *name, const char *before, const char *escaped)
{
	if (row->json && name)
		json_escaped_name(row->json, name, escaped);
	else
		row_text(row, NULL, before, escaped);
}

void row_path(const struct row *row, const char *before, const void *bytes, size_t len)
{
	row_name(row, "path", before, len ? bytes : "/", len ? len : 1);
}

static void put_subvolume_path(const struct row *row, const char *name, const char *before, const struct subvolume *subvolume, uint64_t id)
{
	char own[SUBVOLUME_LABEL_SIZE];
	size_t len;
	const uint8_t *path = subvolume_label(subvolume, id, own, &len);

	row_name(row, name, before, len ? path : (const uint8_t *)"/", len ? len : 1);
}

void row_subvolume(const struct row *row, const char *before, const struct subvolume *subvolume)
{
	put_subvolume_path(row, "path", before, subvolume, subvolume->id);
}

void row_in_subvolume(const struct row *row, const struct subvolume *subvolume, uint64_t id)
{
	put_subvolume_path(row, "subvolume_path", NULL, subvolume, id);
	if (!subvolume || subvolume->deleted)
		row_flag(row, "subvolume_deleted", NULL, true);
}

void row_time(const struct row *row, const char *name, const struct inode_time *at)
{
	if (row->json)
		json_time(row->json, name, at);
}

void row_flag(const struct row *row, const char *name, const char *words, bool is_set)
{
	if (row->json && name)
		json_flag(row->json, name, is_set);
	else if (is_set && words)
		row_words(row, words);
}

void row_hex(const struct row *row, const char *name, const char *before, const void *bytes, size_t len)
{
	char text[2 * 64 + 1];

	hex_text(bytes, len, text);
	row_text(row, name, before, text);
}

void row_uuid(const struct row *row, const char *name, const char *before, const uint8_t *uuid)
{
	char text[UUID_STR_LEN];

	uuid_unparse_lower(uuid, text);
	row_text(row, name, before, text);
}

void row_moment(const struct row *row, const char *name, uint64_t seconds)
{
	if (row->json)
		json_moment(row->json, name, seconds);
}

void row_file_part(const struct row *row, uint64_t subvolume, uint64_t inode, bool of_extent, uint64_t first, uint64_t last)
{
	row_u64(row, "subvolume", NULL, subvolume);
	row_u64(row, "inode", NULL, inode);
	row_u64(row, of_extent ? "extent_offset" : "offset", NULL, first);
	row_u64(row, "length", NULL, last - first + 1);
}

void row_value(const struct row *row, const char *name, const char *before, const char *format, ...)
{
	char text[512];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	row_text(row, name, before, text);
}

void row_format(const struct row *row, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	if (!row->json)
		vfprintf(out_of(row), format, args);
	va_end(args);
}

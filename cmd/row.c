/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "cmd/row.h"

#include <inttypes.h>
#include <stdarg.h>

#include "cmd/print.h"
#include "cmd/value-text.h"
#include "common/crypto/secret.h"
#include "common/util/escape.h"
#include "common/util/hex.h"

struct row row_begin(const char *record)
{
	struct row row = { .json = format_is_json() ? json_line() : NULL };

	if (record)
		row_text(&row, "record", NULL, record);
	return row;
}

void row_end(const struct row *row)
{
	if (row->json)
		json_print(row->json, stdout);
	else
		putchar('\n');
}

void row_words(const struct row *row, const char *words)
{
	row_text(row, NULL, words, "");
}

void row_text(const struct row *row, const char *name, const char *before, const char *text)
{
	if (row->json && name)
		json_text(row->json, name, text);
	else if (!row->json && before)
		printf("%s%s", before, text);
}

void row_number(const struct row *row, const char *name, const char *before, int64_t number)
{
	if (row->json && name)
		json_number(row->json, name, number);
	else if (!row->json && before)
		printf("%s%" PRId64, before, number);
}

void row_u64(const struct row *row, const char *name, const char *before, uint64_t number)
{
	char text[24];

	snprintf(text, sizeof(text), "%" PRIu64, number);
	row_text(row, name, before, text);
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

void row_format(const struct row *row, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	if (!row->json)
		vprintf(format, args);
	va_end(args);
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
/* JSON output over json-c. */
#include "cmd/json.h"

#include <inttypes.h>
#include <json-c/json.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "common/util/escape.h"
#include "common/util/hex.h"
#include "format/error.h"

static void *need(void *memory)
{
	if (!memory) {
		fputs("btrfs-crypt: out of memory\n", stderr);
		exit(ERROR_MEMORY);
	}
	return memory;
}

struct json_object *json_line(void)
{
	return need(json_object_new_object());
}

struct json_object *json_array(void)
{
	return need(json_object_new_array());
}

void json_member(struct json_object *object, const char *name, struct json_object *member)
{
	need(json_object_object_add(object, name, need(member)) == 0 ? object : NULL);
}

void json_append(struct json_object *array, struct json_object *member)
{
	need(json_object_array_add(array, need(member)) == 0 ? array : NULL);
}

/* An error text may contain a piece of the command line, which need not be UTF-8. JSON must be. */
static struct json_object *new_text(const char *text)
{
	if (utf8_is_valid(text, strlen(text)))
		return need(json_object_new_string(text));

	char *escaped = need(escape_new(text, strlen(text)));
	struct json_object *made = need(json_object_new_string(escaped));

	free(escaped);
	return made;
}

void json_text(struct json_object *object, const char *name, const char *text)
{
	json_member(object, name, new_text(text));
}

void json_append_text(struct json_object *array, const char *text)
{
	json_append(array, new_text(text));
}

void json_number(struct json_object *object, const char *name, int64_t number)
{
	json_member(object, name, json_object_new_int64(number));
}

void json_moment(struct json_object *object, const char *name, uint64_t seconds)
{
	if (seconds <= UINT64_C(1) << 53)
		json_number(object, name, (int64_t)seconds);
}

void json_u64(struct json_object *object, const char *name, uint64_t number)
{
	json_format(object, name, "%" PRIu64, number);
}

void json_flag(struct json_object *object, const char *name, bool value)
{
	json_member(object, name, json_object_new_boolean(value));
}

void json_hex(struct json_object *object, const char *name, const void *bytes, size_t len)
{
	char *text = need(malloc(2 * len + 1));

	hex_text(bytes, len, text);
	json_text(object, name, text);
	free(text);
}

void json_format(struct json_object *object, const char *name, const char *format, ...)
{
	char *text = NULL;
	va_list args;

	va_start(args, format);
	const int len = vasprintf(&text, format, args);

	va_end(args);
	need(len >= 0 ? text : NULL);
	json_text(object, name, text);
	free(text);
}

void json_name(struct json_object *object, const char *name, const void *bytes, size_t len)
{
	if (utf8_is_valid(bytes, len)) {
		json_member(object, name, json_object_new_string_len(bytes, len));
		return;
	}

	char *text = need(escape_new(bytes, len));
	char hex_name[64];

	snprintf(hex_name, sizeof(hex_name), "%s_hex", name);
	json_text(object, name, text);
	free(text);
	json_hex(object, hex_name, bytes, len);
}

void json_path(struct json_object *object, const void *bytes, size_t len)
{
	json_name(object, "path", len ? bytes : "/", len ? len : 1);
}

void json_escaped_name(struct json_object *object, const char *name, const char *escaped)
{
	char *bytes = escape_undo(escaped);

	/* What was cut off cannot be undone. */
	if (bytes)
		json_name(object, name, bytes, strlen(bytes));
	else
		json_text(object, name, escaped);
	free(bytes);
}

/* Escapes a character that must not reach a terminal, as JSON allows for any: with two escapes if it takes two UTF-16 units. */
static void put_escape(uint32_t c, FILE *out)
{
	if (c >= 0x10000) {
		fprintf(out, "\\u%04" PRIx32, 0xd800 + ((c - 0x10000) >> 10));
		c = 0xdc00 + ((c - 0x10000) & 0x3ff);
	}
	fprintf(out, "\\u%04" PRIx32, c);
}

/* json-c escapes what JSON requires. It lets through the controls above 0x7e, and characters that hide text or reverse it. */
void json_print(struct json_object *line, FILE *out)
{
	const char *text = need((void *)json_object_to_json_string_ext(line, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE));
	const char *pending = text, *const end = text + strlen(text);

	for (const char *at = text; at < end;) {
		uint32_t c;
		bool shows;

		if ((unsigned char)*at < 0x7f) {
			at++;
			continue;
		}

		const size_t n = utf8_next(at, (size_t)(end - at), &c, &shows);

		if (n > 0 && !shows) {
			fwrite(pending, 1, (size_t)(at - pending), out);
			put_escape(c, out);
			pending = at + n;
		}
		at += n > 0 ? n : 1;	/* all text in it is UTF-8 */
	}
	fwrite(pending, 1, (size_t)(end - pending), out);
	fputc('\n', out);
	json_object_put(line);
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Escapes names from an image for people. */
#include "common/util/escape.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

/* Characters that are valid but must not be shown as they are, by ascending range. */
static const struct {
	uint32_t first, last;
} hidden[] = {
	{ 0x0000, 0x001f }, { 0x007f, 0x009f },		/* control characters */
	{ 0x00ad, 0x00ad }, { 0x061c, 0x061c }, { 0x180e, 0x180e },
	{ 0x200b, 0x200f }, { 0x2028, 0x202e },		/* no width, marks, separators, direction */
	{ 0x2060, 0x206f }, { 0xd800, 0xf8ff },		/* format controls; surrogates and private use */
	{ 0xfdd0, 0xfdef }, { 0xfe00, 0xfe0f }, { 0xfeff, 0xfeff },
	{ 0xfff0, 0xfffb }, { 0xfffe, 0xffff },
	{ 0xe0000, 0x10ffff },				/* tags, selectors, private use */
};

static bool is_hidden(uint32_t c)
{
	for (size_t i = 0; i < sizeof(hidden) / sizeof(hidden[0]); i++) {
		if (c >= hidden[i].first && c <= hidden[i].last)
			return true;
	}
	return (c & 0xfffe) == 0xfffe;	/* the last two of every plane are not characters */
}

/* Length of the character at the beginning of bytes; 0 unless it is well-formed UTF-8 in its shortest form. */
static size_t utf8_char(const uint8_t *bytes, size_t left, uint32_t *c)
{
	static const uint32_t least[] = { 0, 0, 0x80, 0x800, 0x10000 };
	const uint8_t head = bytes[0];
	const size_t len = head < 0x80 ? 1 : head >> 5 == 6 ? 2 : head >> 4 == 14 ? 3 : head >> 3 == 30 ? 4 : 0;

	if (len == 0 || len > left)
		return 0;
	*c = len == 1 ? head : head & (0x7f >> len);
	for (size_t i = 1; i < len; i++) {
		if (bytes[i] >> 6 != 2)
			return 0;
		*c = *c << 6 | (bytes[i] & 0x3f);
	}
	if (*c < least[len] || *c > 0x10ffff || (*c >= 0xd800 && *c <= 0xdfff))
		return 0;
	return len;
}

size_t utf8_next(const void *bytes, size_t len, uint32_t *character, bool *shows)
{
	const size_t taken = utf8_char(bytes, len, character);

	*shows = taken > 0 && !is_hidden(*character);
	return taken;
}

static const char digit[] = "0123456789abcdef";

size_t escape_text(const void *bytes, size_t len, char *text, size_t size)
{
	const uint8_t *at = bytes;
	size_t need = 0, used = 0;
	bool full = false;

	while (len > 0) {
		uint32_t c = 0;
		size_t taken = utf8_char(at, len, &c);
		char piece[4];
		size_t n;

		if (taken == 0 || is_hidden(c)) {
			taken = 1;	/* the continuation bytes of a hidden character are invalid alone, so they are escaped next */
			n = 4;
			memcpy(piece, (char[]){ '\\', 'x', digit[at[0] >> 4], digit[at[0] & 15] }, n);
		} else if (c == '\\') {
			n = 2;
			memcpy(piece, "\\\\", n);
		} else {
			n = taken;
			memcpy(piece, at, n);
		}
		full = full || n >= size - used;
		if (!full) {
			memcpy(text + used, piece, n);
			used += n;
		}
		need += n;
		at += taken;
		len -= taken;
	}
	text[used] = '\0';
	return need;
}

char *escape_new(const void *bytes, size_t len)
{
	char one[1];
	const size_t need = escape_text(bytes, len, one, sizeof(one));
	char *text = malloc(need + 1);

	if (text)
		escape_text(bytes, len, text, need + 1);
	return text;
}

/* Undoes escapes. Text that is not the result of escaping does not become the same text when escaped again. */
char *escape_undo(const char *text)
{
	char *bytes = strdup(text), *again = NULL, *to = bytes;
	bool same;

	for (const char *at = bytes; bytes && *at; to++) {
		if (at[0] == '\\' && at[1] == '\\') {
			*to = '\\';
			at += 2;
		} else if (at[0] == '\\' && at[1] == 'x' && at[2] && strchr(digit, at[2]) && at[3] && strchr(digit, at[3])) {
			*to = (char)((strchr(digit, at[2]) - digit) << 4 | (strchr(digit, at[3]) - digit));
			at += 4;
		} else {
			*to = *at++;
		}
	}
	if (bytes) {
		*to = '\0';
		again = escape_new(bytes, strlen(bytes));
	}
	same = again && strcmp(again, text) == 0;
	free(again);
	if (same)
		return bytes;
	free(bytes);
	return NULL;
}

bool utf8_is_valid(const void *bytes, size_t len)
{
	const uint8_t *at = bytes;

	while (len > 0) {
		uint32_t c = 0;
		const size_t taken = utf8_char(at, len, &c);

		if (taken == 0 || c == 0)
			return false;
		at += taken;
		len -= taken;
	}
	return true;
}

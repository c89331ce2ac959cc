/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Bytes as hexadecimal digits, and back. */
#include "common/util/hex.h"

#include <stdint.h>

void hex_text(const void *bytes, size_t len, char *text)
{
	static const char digit[] = "0123456789abcdef";
	const uint8_t *at = bytes;

	for (size_t i = 0; i < len; i++) {
		*text++ = digit[at[i] >> 4];
		*text++ = digit[at[i] & 15];
	}
	*text = '\0';
}

static int digit_value(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

bool hex_read(const char *text, void *bytes, size_t len)
{
	uint8_t *out = bytes;

	for (size_t i = 0; i < len; i++) {
		const int high = digit_value(text[0]);
		const int low = high < 0 ? -1 : digit_value(text[1]);

		if (low < 0)
			return false;
		out[i] = high << 4 | low;
		text += 2;
	}
	return *text == '\0';
}

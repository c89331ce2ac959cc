/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Names for people: what stays, what is escaped, and where it is cut. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/util/escape.h"

/* Escapes a heap copy of exactly len bytes, so that ASan sees a read past it. */
static char *escaped(const char *bytes, size_t len)
{
	char *copy = malloc(len ? len : 1);

	assert_non_null(copy);
	memcpy(copy, bytes, len);

	char *text = escape_new(copy, len);

	free(copy);
	assert_non_null(text);
	return text;
}

static void keeps_and_escapes(void **state)
{
	static const struct { const char *bytes; size_t len; const char *text; } row[] = {
		{ "", 0, "" },
		{ "plain name.txt", 14, "plain name.txt" },
		{ "gr\xc3\xbc\xc3\x9f""e \xe6\x97\xa5 \xf0\x9f\x94\x92", 16, "gr\xc3\xbc\xc3\x9f""e \xe6\x97\xa5 \xf0\x9f\x94\x92" },
		{ "a\\b", 3, "a\\\\b" },
		{ "\\x41", 4, "\\\\x41" },
		{ "a\nb\tc\0d", 7, "a\\x0ab\\x09c\\x00d" },
		{ "\x1b[2J\x7f", 5, "\\x1b[2J\\x7f" },
		{ "\xff\xfe", 2, "\\xff\\xfe" },
		{ "\xc3", 1, "\\xc3" },				/* cut short */
		{ "\xc3(", 2, "\\xc3(" },			/* second byte wrong */
		{ "\xe6\x97", 2, "\\xe6\\x97" },
		{ "\xc0\xaf", 2, "\\xc0\\xaf" },		/* longer than need be */
		{ "\xe0\x80\x80", 3, "\\xe0\\x80\\x80" },
		{ "\xed\xa0\x80", 3, "\\xed\\xa0\\x80" },	/* a surrogate */
		{ "\xf4\x90\x80\x80", 4, "\\xf4\\x90\\x80\\x80" },	/* past the last character */
		{ "\xc2\x85", 2, "\\xc2\\x85" },		/* a control of the second table */
		{ "x\xe2\x80\xaey", 5, "x\\xe2\\x80\\xaey" },	/* right-to-left override */
		{ "x\xe2\x80\x8by", 5, "x\\xe2\\x80\\x8by" },	/* zero width space */
		{ "\xef\xbb\xbf", 3, "\\xef\\xbb\\xbf" },	/* byte order mark */
		{ "\xef\xbf\xbd", 3, "\xef\xbf\xbd" },		/* the replacement character is visible */
	};

	(void)state;
	for (size_t i = 0; i < sizeof(row) / sizeof(row[0]); i++) {
		char *text = escaped(row[i].bytes, row[i].len);

		assert_string_equal(text, row[i].text);
		free(text);
	}
}

/* Takes the escapes away again. */
static size_t unescape(const char *text, uint8_t *out)
{
	size_t n = 0;

	while (*text) {
		if (text[0] != '\\') {
			out[n++] = *text++;
		} else if (text[1] == '\\') {
			out[n++] = '\\';
			text += 2;
		} else {
			const char digits[3] = { text[2], text[3], 0 };

			assert_int_equal(text[1], 'x');
			out[n++] = strtoul(digits, NULL, 16);
			text += 4;
		}
	}
	return n;
}

static void every_three_bytes_have_one_reading(void **state)
{
	static const uint8_t odd[] = { 0, 0x0a, '\\', 'x', 'a', 0x7f, 0x80, 0xbf, 0xc2, 0xe2, 0x80, 0xed, 0xf0, 0xf4, 0xff };
	const size_t n = sizeof(odd);

	(void)state;
	for (size_t i = 0; i < n * n * n; i++) {
		const uint8_t bytes[3] = { odd[i / n / n], odd[i / n % n], odd[i % n] };
		uint8_t back[16];
		char text[ESCAPED_SIZE(3)];

		assert_true(escape_text(bytes, 3, text, sizeof(text)) < sizeof(text));
		assert_int_equal(unescape(text, back), 3);
		assert_memory_equal(back, bytes, 3);
	}
}

static void undoes_what_it_did_and_nothing_else(void **state)
{
	static const struct { const char *text, *bytes; } row[] = {
		{ "", "" },
		{ "a\\\\b", "a\\b" },
		{ "\\x0a\\xff", "\n\xff" },
		{ "gr\xc3\xbc\xc3\x9f""e", "gr\xc3\xbc\xc3\x9f""e" },
		{ "\\\\x41", "\\x41" },
		{ "\\x41", NULL },	/* of what shows as it is */
		{ "\\xc3\\xbc", NULL },
		{ "\\x0A", NULL }, { "\\x0", NULL }, { "\\x", NULL }, { "\\", NULL }, { "\\n", NULL },
		{ "\n", NULL }, { "\xff", NULL },
		{ "\\x00", NULL }, { "a\\x00b", NULL },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(row) / sizeof(row[0]); i++) {
		char *bytes = escape_undo(row[i].text);

		if (row[i].bytes && bytes)
			assert_string_equal(bytes, row[i].bytes);
		else
			assert_ptr_equal(bytes, row[i].bytes);
		free(bytes);
	}
}

static void cuts_between_characters(void **state)
{
	const char name[] = "a\xc3\xbc\\\n";	/* a, u umlaut, backslash, newline: 1 + 2 + 2 + 4 */
	static const char *const want[] = { "", "a", "a", "a\xc3\xbc", "a\xc3\xbc", "a\xc3\xbc\\\\", "a\xc3\xbc\\\\",
					    "a\xc3\xbc\\\\", "a\xc3\xbc\\\\", "a\xc3\xbc\\\\\\x0a" };

	(void)state;
	for (size_t size = 1; size <= 10; size++) {
		char *text = malloc(size);

		assert_non_null(text);
		assert_int_equal(escape_text(name, 5, text, size), 9);
		assert_string_equal(text, want[size - 1]);
		free(text);
	}
}

static void says_what_is_utf8(void **state)
{
	(void)state;
	assert_true(utf8_is_valid("", 0));
	assert_true(utf8_is_valid("\xe2\x80\xae", 3));
	assert_false(utf8_is_valid("a\0b", 3));
	assert_false(utf8_is_valid("a\xff", 2));
	assert_false(utf8_is_valid("\xe2\x80", 2));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(keeps_and_escapes),
		cmocka_unit_test(every_three_bytes_have_one_reading),
		cmocka_unit_test(undoes_what_it_did_and_nothing_else),
		cmocka_unit_test(cuts_between_characters),
		cmocka_unit_test(says_what_is_utf8),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
/* JSON lines: one line each, large numbers as strings, names that are not UTF-8 escaped with their bytes beside. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "cmd/json.h"
#include "cmd/value-text.h"

static void prints_as(struct json_object *line, const char *want)
{
	char *text = NULL;
	size_t len = 0;
	FILE *out = open_memstream(&text, &len);

	assert_non_null(out);
	json_print(line, out);
	fclose(out);
	assert_string_equal(text, want);
	free(text);
}

static void one_line_in_the_order_of_adding(void **state)
{
	struct json_object *line = json_line(), *list = json_array(), *inner = json_line();

	(void)state;
	json_text(line, "text", "a/b \"c\"\n");
	json_number(line, "number", -7);
	json_u64(line, "small", 5);
	json_u64(line, "large", UINT64_MAX);
	json_flag(line, "yes", true);
	json_hex(line, "hex", "\x00\xff", 2);
	json_format(line, "format", "%d/%s", 1, "x");
	json_u64(inner, "id", 256);
	json_append(list, inner);
	json_member(line, "list", list);
	prints_as(line, "{\"text\":\"a/b \\\"c\\\"\\n\",\"number\":-7,\"small\":\"5\",\"large\":\"18446744073709551615\",\"yes\":true,"
			"\"hex\":\"00ff\",\"format\":\"1/x\",\"list\":[{\"id\":\"256\"}]}\n");
}

static void names_keep_their_bytes(void **state)
{
	struct json_object *line = json_line();

	(void)state;
	json_name(line, "good", "gr\xc3\xbcn\n", 6);
	json_name(line, "bad", "a\xff\\", 3);
	json_name(line, "nul", "a\0b", 3);
	json_text(line, "text", "\xff");
	prints_as(line, "{\"good\":\"gr\xc3\xbcn\\n\",\"bad\":\"a\\\\xff\\\\\\\\\",\"bad_hex\":\"61ff5c\","
			"\"nul\":\"a\\\\x00b\",\"nul_hex\":\"610062\",\"text\":\"\\\\xff\"}\n");
}

/* Whether a name came escaped or not, JSON has the same. */
static void escaped_names_are_names(void **state)
{
	struct json_object *line = json_line();

	(void)state;
	json_escaped_name(line, "plain", "dir/a\\\\b");
	json_escaped_name(line, "control", "a\\x0ab");
	json_escaped_name(line, "bad", "a\\xff");
	json_escaped_name(line, "cut", "a\\x");
	prints_as(line, "{\"plain\":\"dir/a\\\\b\",\"control\":\"a\\nb\",\"bad\":\"a\\\\xff\",\"bad_hex\":\"61ff\",\"cut\":\"a\\\\x\"}\n");
}

/* U+009B begins a control sequence on a terminal, U+202E turns the line round, U+E0041 does not show; a JSON reader gets them back. */
static void nothing_reaches_a_terminal(void **state)
{
	struct json_object *line = json_line();

	(void)state;
	json_name(line, "name", "a\xc2\x9b" "31m\x7f\x1b\xe2\x80\xae\xf3\xa0\x81\x81z\xc3\xa9", 18);
	json_name(line, "also\x7f", "", 0);
	prints_as(line, "{\"name\":\"a\\u009b31m\\u007f\\u001b\\u202e\\udb40\\udc41z\xc3\xa9\",\"also\\u007f\":\"\"}\n");
}

/* Nanoseconds count forward on disk; the number has to mean the same instant. */
static void times_before_1970_are_numbers(void **state)
{
	static const struct {
		struct inode_time at;
		const char *want;
	} times[] = {
		{ { 1, 5 }, "1.000000005" }, { { 0, 0 }, "0.000000000" }, { { -315619200, 123456789 }, "-315619199.876543211" },
		{ { -1, 1 }, "-0.999999999" }, { { -1, 0 }, "-1.000000000" }, { { -2, 999999999 }, "-1.000000001" },
		{ { INT64_MIN, 1 }, "-9223372036854775807.999999999" }, { { -5, UINT32_MAX }, "-5.4294967295" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(times) / sizeof(times[0]); i++) {
		struct json_object *line = json_line();
		char want[64];

		json_time(line, "t", &times[i].at);
		snprintf(want, sizeof(want), "{\"t\":\"%s\"}\n", times[i].want);
		prints_as(line, want);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(one_line_in_the_order_of_adding),
		cmocka_unit_test(names_keep_their_bytes),
		cmocka_unit_test(escaped_names_are_names),
		cmocka_unit_test(nothing_reaches_a_terminal),
		cmocka_unit_test(times_before_1970_are_numbers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

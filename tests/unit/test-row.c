/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Tests of records: the same description gives text and JSON. */
#include "test.h"

#include <unistd.h>

#include "cmd/print.h"
#include "cmd/row.h"

static char printed[1024];

static void describe(bool in_bytes)
{
	struct row row = row_begin("file");

	row.in_bytes = in_bytes;
	row_name(&row, "name", "name ", "a\xff", 2);
	row_text(&row, "kind", NULL, "regular");
	row_u64(&row, "inode", " inode ", UINT64_MAX);
	row_u64(&row, NULL, " again ", UINT64_MAX);
	row_number(&row, "copy", " copy ", -1);
	row_size(&row, "size", " size ", 8 << 20);
	row_hex(&row, "hash", " hash ", "\x01\xef", 2);
	row_flag(&row, "sealed", " sealed", true);
	row_flag(&row, "deleted", " deleted", false);
	row_format(&row, " (%d and %s)", 1, "more");
	row_end(&row);
}

static const char *print(bool in_bytes)
{
	FILE *file = tmpfile();
	const int saved = dup(STDOUT_FILENO);

	assert_non_null(file);
	fflush(stdout);
	assert_true(dup2(fileno(file), STDOUT_FILENO) >= 0);
	describe(in_bytes);
	fflush(stdout);
	assert_true(dup2(saved, STDOUT_FILENO) >= 0);
	close(saved);
	rewind(file);
	printed[fread(printed, 1, sizeof(printed) - 1, file)] = '\0';
	fclose(file);
	return printed;
}

static void is_text(void **state)
{
	(void)state;
	assert_string_equal(print(false), "name a\\xff inode 18446744073709551615 again 18446744073709551615 copy -1 size 8.00MiB hash 01ef "
			    "sealed (1 and more)\n");
	assert_non_null(strstr(print(true), " size 8388608 hash"));
}

static void is_json(void **state)
{
	static const char json[] = "{\"record\":\"file\",\"name\":\"a\\\\xff\",\"name_hex\":\"61ff\",\"kind\":\"regular\",\"inode\":\"18446744073709551615\","
				   "\"copy\":-1,\"size\":\"8388608\",\"hash\":\"01ef\",\"sealed\":true,\"deleted\":false}\n";

	(void)state;
	format_before_command("json");
	assert_string_equal(print(false), json);
	assert_string_equal(print(true), json);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(is_text), cmocka_unit_test(is_json) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}

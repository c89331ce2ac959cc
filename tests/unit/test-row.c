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
	row_value(&row, "flags", " flags ", "0x%x", 17);
	row_moment(&row, "when", 86400);
	row_moment(&row, "never", UINT64_MAX);

	const struct row list = row_array(&row, "list"), empty = row_array(&row, "empty"), in = row_object(&row, "in");
	const struct row one = row_element(&list), two = row_element(&list);

	row.width = 5;
	row_number(&row, "right", " ", 42);
	row.width = 0;
	row_number(&one, "first", " first ", 1);
	row_size(&two, "second", " second ", 2048);
	row_uuid(&in, "uuid", " uuid ", (const uint8_t *)"0123456789abcdef");
	assert_true((empty.json != NULL) == format_is_json());
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
			    "sealed (1 and more) flags 0x11    42 first 1 second 2.00KiB uuid 30313233-3435-3637-3839-616263646566\n");
	assert_non_null(strstr(print(true), " size 8388608 hash"));
	assert_non_null(strstr(printed, " second 2048 "));
}

static void is_json(void **state)
{
	static const char json[] = "{\"record\":\"file\",\"name\":\"a\\\\xff\",\"name_hex\":\"61ff\",\"kind\":\"regular\",\"inode\":\"18446744073709551615\","
				   "\"copy\":-1,\"size\":\"8388608\",\"hash\":\"01ef\",\"sealed\":true,\"deleted\":false,\"flags\":\"0x11\","
				   "\"when\":86400,\"list\":[{\"first\":1},{\"second\":\"2048\"}],\"empty\":[],"
				   "\"in\":{\"uuid\":\"30313233-3435-3637-3839-616263646566\"},\"right\":42}\n";

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

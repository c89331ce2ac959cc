/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a finished conversion prints: counts only where something was counted. */
#include "cmd/convert-print.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static void expect_printed(const char *what, const struct convert_plan *plan, const char *want)
{
	char have[512];
	FILE *file = tmpfile();
	const int out = dup(STDOUT_FILENO);

	assert_non_null(file);
	fflush(stdout);
	dup2(fileno(file), STDOUT_FILENO);
	convert_print_plan(what, plan, false);
	fflush(stdout);
	dup2(out, STDOUT_FILENO);
	close(out);
	rewind(file);
	have[fread(have, 1, sizeof(have) - 1, file)] = '\0';
	fclose(file);
	assert_string_equal(have, want);
}

static void counts_what_was_converted(void **state)
{
	char path[] = "home";
	struct convert_plan_member member = { .id = 256, .path = path };
	const struct convert_plan plan = { .member = &member, .n_members = 1, .n_extents = 2, .data_bytes = 4096, .n_inline_units = 1 };

	(void)state;
	expect_printed("unsealed", &plan, "unsealed: 1 subvolume, 2 extents, 4096 bytes of data, 1 inline item\n  256 home\n");
}

static void counts_nothing_where_only_cleaning_up_was_left(void **state)
{
	const struct convert_plan plan = { .seal_fingerprint = { 0xab }, .key_tag = "aes-256-gcm@btrfs:75197c8e" }, nothing = { 0 };

	(void)state;
	expect_printed("finished", &nothing, "finished\n");
	expect_printed("finished", &plan, "finished\nEncryption: aes-256-gcm@btrfs:75197c8e\n"
		       "seal fingerprint: ab000000000000000000000000000000\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(counts_what_was_converted),
		cmocka_unit_test(counts_nothing_where_only_cleaning_up_was_left),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

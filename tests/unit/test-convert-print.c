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
	expect_printed("unsealed", &plan, "unsealed: 1 subvolume, 2 extents, 4.00KiB (4096 bytes) of data, 1 inline item\n  256 home\n");
}

static void says_how_much_was_undone(void **state)
{
	char path[] = "home";
	struct convert_plan_member member = { .id = 256, .path = path };
	struct convert_plan plan = {
		.member = &member, .n_members = 1, .n_extents = 2, .data_bytes = 100 << 20, .undone = UNDONE_SEALING, .undone_here = true, .undone_percent = 2,
	};

	(void)state;
	expect_printed("sealing undone", &plan, "sealing undone: 1 subvolume, 2% of which had been sealed: about 2.00MiB (2097152 bytes) of 100.00MiB "
		       "(104857600 bytes) of data\n  256 home\n");
	plan.undone_here = false;
	expect_printed("sealing undone", &plan,
		       "sealing undone: 1 subvolume; the abort had been interrupted, and this run undid the rest\n  256 home\n");
}

static void names_what_is_nested_and_stays_plain(void **state)
{
	char path[] = "home", inner[] = "home/inner";
	struct convert_plan_member member = { .id = 256, .path = path }, plain[12] = { { .id = 257, .path = inner } };
	struct convert_plan plan = { .member = &member, .n_members = 1, .data_bytes = 1, .plain = plain, .n_plain = 1 };
	char want[512];
	size_t n;

	(void)state;
	expect_printed("sealed", &plan, "sealed: 1 subvolume, 0 extents, 1 byte of data, 0 inline items\n  256 home\n"
		       "not sealed: 1 nested subvolume (--recursive seals it too)\n  257 home/inner\n");
	for (size_t i = 1; i < 12; i++)
		plain[i] = (struct convert_plan_member){ .id = 257 + i, .path = inner };
	plan.n_plain = 12;
	n = (size_t)snprintf(want, sizeof(want), "sealed: 1 subvolume, 0 extents, 1 byte of data, 0 inline items\n  256 home\n"
			     "not sealed: 12 nested subvolumes (--recursive seals them too)\n");
	for (size_t i = 0; i < 10; i++)
		n += (size_t)snprintf(want + n, sizeof(want) - n, "  %zu home/inner\n", 257 + i);
	snprintf(want + n, sizeof(want) - n, "  and 2 more\n");
	expect_printed("sealed", &plan, want);
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
		cmocka_unit_test(says_how_much_was_undone),
		cmocka_unit_test(names_what_is_nested_and_stays_plain),
		cmocka_unit_test(counts_nothing_where_only_cleaning_up_was_left),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

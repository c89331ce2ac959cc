/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A help text in terminals of any width. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "cmd/help-fit.h"

static const char help[] =
	"tool: does one thing\n"
	"  -h, --help          show this\n"
	"      --long=WORD     say what it is in more words\n"
	"                      than fit\n"
	"\n"
	"Last: a line\n";

static void fits(size_t columns, const char *want)
{
	char *have = NULL;
	size_t size;
	FILE *out = open_memstream(&have, &size);

	assert_non_null(out);
	help_fit(help, columns, out);
	assert_int_equal(fclose(out), 0);
	assert_string_equal(have, want);
	free(have);
}

static void is_left_alone_where_there_is_no_terminal(void **state)
{
	(void)state;
	fits(0, help);
}

static void is_joined_where_there_is_room(void **state)
{
	(void)state;
	fits(80, "tool: does one thing\n"
		 "  -h, --help          show this\n"
		 "      --long=WORD     say what it is in more words than fit\n"
		 "\n"
		 "Last: a line\n");
}

static void is_broken_between_words(void **state)
{
	(void)state;
	/* The last column stays free: some terminals would begin a line of their own behind it. */
	fits(45, "tool: does one thing\n"
		 "  -h, --help          show this\n"
		 "      --long=WORD     say what it is in more\n"
		 "                      words than fit\n"
		 "\n"
		 "Last: a line\n");
}

static void gives_a_long_name_a_line_of_its_own(void **state)
{
	(void)state;
	fits(30, "tool: does one thing\n"
		 "  -h, --help  show this\n"
		 "      --long=WORD\n"
		 "              say what it is\n"
		 "              in more words\n"
		 "              than fit\n"
		 "\n"
		 "Last: a line\n");
}

static void ends_at_the_narrowest(void **state)
{
	(void)state;
	fits(1, "tool: does one thing\n"
		"  -h, --help\n"
		"          show this\n"
		"      --long=WORD\n"
		"          say what\n"
		"          it is in\n"
		"          more words\n"
		"          than fit\n"
		"\n"
		"Last: a line\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(is_left_alone_where_there_is_no_terminal), cmocka_unit_test(is_joined_where_there_is_room),
		cmocka_unit_test(is_broken_between_words), cmocka_unit_test(gives_a_long_name_a_line_of_its_own),
		cmocka_unit_test(ends_at_the_narrowest),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

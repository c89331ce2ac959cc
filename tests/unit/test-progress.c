/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Progress: how often, what a line says, and that nothing is printed where nothing was asked for. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/util/progress.h"

/* Runs 1000 steps of two parts and hands out what was printed. */
static char *run(enum progress_mode mode, double every)
{
	struct progress progress;
	char *text = NULL;
	size_t len = 0;
	FILE *out = open_memstream(&text, &len);

	assert_non_null(out);
	progress_init(&progress, mode, out, every);
	for (uint64_t i = 0; i <= 1000; i++)
		progress_update(&progress, "data", i << 20, 1000 << 20);
	progress_update(&progress, "leaves", 0, 0);
	progress_update(&progress, "finish", 7, 5);
	progress_clear(&progress);
	fclose(out);
	return text;
}

static size_t count(const char *text, const char *part)
{
	size_t n = 0;

	while ((text = strstr(text, part))) {
		text++;
		n++;
	}
	return n;
}

static void quiet_means_nothing(void **state)
{
	char *text = run(PROGRESS_NONE, 0);

	(void)state;
	assert_string_equal(text, "");
	free(text);
}

static void lines_come_at_the_rate_asked_for(void **state)
{
	char *text = run(PROGRESS_JSON, 3600);

	(void)state;
	/* The first and the last of each part, however short the time. */
	assert_int_equal(count(text, "\"progress\":\"data\""), 2);
	assert_int_equal(count(text, "\n"), 4);
	assert_non_null(strstr(text, "{\"progress\":\"data\",\"done\":\"0\",\"total\":\"1048576000\",\"speed\":\"0\",\"eta_ms\":\"0\","));
	assert_non_null(strstr(text, "{\"progress\":\"finish\",\"done\":\"5\",\"total\":\"5\","));
	free(text);
	text = run(PROGRESS_JSON, 0);
	assert_int_equal(count(text, "\"progress\":\"data\""), 1001);
	free(text);
}

static void the_bar_stays_on_its_line(void **state)
{
	char *text = run(PROGRESS_BAR, 0);

	(void)state;
	assert_null(strchr(text, '\n'));
	assert_non_null(strstr(text, "\rdata       [###############               ]  50%  500 MiB of 1000, "));
	assert_non_null(strstr(text, "\rleaves     [##############################] 100% \033[K"));
	assert_string_equal(text + strlen(text) - 4, "\r\033[K");
	free(text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(quiet_means_nothing),
		cmocka_unit_test(lines_come_at_the_rate_asked_for),
		cmocka_unit_test(the_bar_stays_on_its_line),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

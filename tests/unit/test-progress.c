/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Progress: how often, what a line says, and that nothing is printed where nothing was asked for. */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <cmocka.h>

#include "cmd/progress.h"

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
	assert_non_null(strstr(text, "\rdata       [#"));
	assert_non_null(strstr(text, "]  50%   500 MiB of 1000 MiB"));
	assert_non_null(strstr(text, "\rleaves     [############] 100%\033[K"));
	assert_string_equal(text + strlen(text) - 4, "\r\033[K");
	free(text);
}

/* Whatever grows beside it, and in parts that have nothing there. */
static void the_bar_keeps_its_length(void **state)
{
	char *text = run(PROGRESS_BAR, 0);
	size_t end = 0, beside = 0, n = 0;

	(void)state;
	for (char *line = strtok(text, "\r"); line; line = strtok(NULL, "\r")) {
		const char *const close = strchr(line, ']'), *const of = strstr(line, " MiB of ");

		if (!close)
			continue;
		n++;
		assert_true(end == 0 || (size_t)(close - line) == end);
		end = (size_t)(close - line);
		assert_true(!of || beside == 0 || (size_t)(of - line) == beside);
		beside = of ? (size_t)(of - line) : beside;
	}
	assert_true(n > 1000);
	free(text);
}

/* Three reports on a terminal of that width; the longest line, without what moves the cursor. */
static size_t longest_line(unsigned columns, bool *tells_time, bool *has_bar)
{
	const int terminal = posix_openpt(O_RDWR | O_NOCTTY);
	struct winsize size = { .ws_row = 24, .ws_col = 200 };
	struct progress progress;
	char text[4096], *line, *end;
	size_t longest = 0;
	FILE *out;

	assert_true(terminal >= 0 && grantpt(terminal) == 0 && unlockpt(terminal) == 0 && ptsname(terminal));
	out = fopen(ptsname(terminal), "w");
	assert_non_null(out);
	assert_int_equal(ioctl(fileno(out), TIOCSWINSZ, &size), 0);
	progress_init(&progress, PROGRESS_BAR, out, 0);
	progress_update(&progress, "data", 0, 12345ull << 20);
	assert_true(read(terminal, text, sizeof(text)) > 0);
	/* The window is made another while it runs. */
	size.ws_col = columns;
	assert_int_equal(ioctl(fileno(out), TIOCSWINSZ, &size), 0);
	for (uint64_t i = 1; i <= 3; i++)
		progress_update(&progress, "data", (4115 * i) << 20, 12345ull << 20);

	const ssize_t n = read(terminal, text, sizeof(text) - 1);

	assert_true(n > 0);
	text[n] = 0;
	*tells_time = strstr(text, " left");
	*has_bar = strchr(text, '[') && strstr(text, "#");
	for (line = strchr(text, '\r'); line && (end = strstr(line, "\033[K")); line = strchr(end, '\r'))
		longest = (size_t)(end - line - 1) > longest ? (size_t)(end - line - 1) : longest;
	fclose(out);
	close(terminal);
	return longest;
}

static void a_line_is_no_longer_than_the_terminal(void **state)
{
	static const unsigned columns[] = { 60, 80, 120, 40, 20, 8, 1 };

	(void)state;
	for (size_t i = 0; i < sizeof(columns) / sizeof(columns[0]); i++) {
		bool tells_time, has_bar;
		const size_t longest = longest_line(columns[i], &tells_time, &has_bar);

		assert_true(longest < columns[i] || columns[i] < 5);
		if (columns[i] >= 60)
			assert_true(tells_time && has_bar);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(quiet_means_nothing),
		cmocka_unit_test(lines_come_at_the_rate_asked_for),
		cmocka_unit_test(the_bar_stays_on_its_line),
		cmocka_unit_test(the_bar_keeps_its_length),
		cmocka_unit_test(a_line_is_no_longer_than_the_terminal),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

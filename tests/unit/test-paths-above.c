/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The nearest path above each of many: as looking at all the others finds it, and without looking at them. */
#include "common/fs/paths-above.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/unit/count-compared.h"	/* each look from one path at another is one */

static uint32_t by_looking(const struct place_path *paths, size_t n, size_t of)
{
	uint32_t found = PATH_ABOVE_NONE;
	size_t rest_len;

	for (size_t i = 0; i < n; i++) {
		if (paths[i].group == paths[of].group && !paths[i].is_cut && (found == PATH_ABOVE_NONE || paths[i].len >= paths[found].len) &&
		    path_below(paths[of].at, paths[of].len, paths[i].at, paths[i].len, &rest_len))
			found = (uint32_t)i;
	}
	return found;
}

static struct place_path path_of(const char *text, uint16_t group, bool is_cut)
{
	return (struct place_path){ (const uint8_t *)text, (uint16_t)strlen(text), group, is_cut };
}

static void the_nearest_of_the_same_group(void **state)
{
	const struct place_path paths[] = {
		path_of("a", 1, false), path_of("a/b/c", 1, false), path_of("a-b", 1, false), path_of("a/b", 1, true), path_of("a/b/c/d", 1, false),
		path_of("", 2, false), path_of("a/b", 2, false), path_of("a", 1, false), path_of("ab", 1, false), path_of("a/b/d", 2, false),
	};
	static const uint32_t want[] = { PATH_ABOVE_NONE, 7, PATH_ABOVE_NONE, 7, 1, PATH_ABOVE_NONE, 5, PATH_ABOVE_NONE, PATH_ABOVE_NONE, 6 };
	uint32_t above[sizeof(paths) / sizeof(paths[0])];
	struct error err = { 0 };

	(void)state;
	assert_true(paths_above(paths, sizeof(paths) / sizeof(paths[0]), above, &err));
	for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++)
		assert_int_equal(above[i], want[i]);
	assert_true(paths_above(NULL, 0, NULL, &err));
}

#define N 2500u
#define LEN 12

/* Paths of few letters, hostile ones with slashes at their ends and one after another among them. */
static void as_looking_at_all_of_them_finds_it(void **state)
{
	static const uint8_t letters[] = { '/', 'a', '/', 'b', '.', 0xff, 'a' };
	struct place_path *paths = calloc(N, sizeof(*paths));
	uint8_t (*bytes)[LEN] = calloc(N, sizeof(*bytes));
	uint32_t *above = calloc(N, sizeof(*above)), seed = 12345, n_found = 0;
	struct error err = { 0 };

	(void)state;
	assert_true(paths && bytes && above);
	for (size_t i = 0; i < N; i++) {
		for (size_t at = 0; at < LEN; at++) {
			seed = seed * 1103515245u + 12345u;
			bytes[i][at] = letters[(seed >> 16) % sizeof(letters)];
		}
		seed = seed * 1103515245u + 12345u;
		paths[i] = (struct place_path){ bytes[i], (uint16_t)((seed >> 16) % (LEN + 1)), (uint16_t)(seed >> 29 & 1), (seed >> 28 & 1) };
	}
	n_compared = 0;
	assert_true(paths_above(paths, N, above, &err));
	if (n_compared > 40u * N)
		fail_msg("%zu comparisons of %u paths", n_compared, N);
	for (size_t i = 0; i < N; i++) {
		assert_int_equal(above[i], by_looking(paths, N, i));
		n_found += above[i] != PATH_ABOVE_NONE;
	}
	assert_true(n_found > N / 4 && n_found < N);
	free(paths);
	free(bytes);
	free(above);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_nearest_of_the_same_group),
		cmocka_unit_test(as_looking_at_all_of_them_finds_it),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

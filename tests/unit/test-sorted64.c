/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Sorted numbers, and the search in sorted data: each element, each gap, both ends. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "common/util/lower-bound.h"
#include "common/util/sorted64.h"

static void sorts(void **state)
{
	uint64_t at[] = { UINT64_MAX, 5, 0, 7, 5, UINT64_C(1) << 32, 5, 1 };
	const uint64_t sorted[] = { 0, 1, 5, 5, 5, 7, UINT64_C(1) << 32, UINT64_MAX }, unique[] = { 0, 1, 5, 7, UINT64_C(1) << 32, UINT64_MAX };

	(void)state;
	sort64(at, 8);
	assert_memory_equal(at, sorted, sizeof(sorted));
	assert_int_equal(sort64_unique(at, 8), 6);
	assert_memory_equal(at, unique, sizeof(unique));
	assert_int_equal(sort64_unique(at, 6), 6);
	assert_memory_equal(at, unique, sizeof(unique));
}

static void nothing_is_sorted_too(void **state)
{
	(void)state;
	sort64(NULL, 0);
	assert_int_equal(sort64_unique(NULL, 0), 0);
	assert_null(sorted64_find(NULL, 0, 0));
}

/* Odd numbers only. */
static void finds_each_and_nothing_else(void **state)
{
	uint64_t at[20];

	(void)state;
	for (size_t i = 0; i < 20; i++)
		at[i] = 2 * i + 1;
	for (size_t n = 0; n <= 20; n++) {
		for (uint64_t number = 0; number <= 42; number++) {
			const size_t before = number / 2 < n ? number / 2 : n;

			assert_int_equal(LOWER_BOUND(i, n, at[i] < number), before);
			if (number % 2 == 1 && before < n)
				assert_ptr_equal(sorted64_find(at, n, number), &at[before]);
			else
				assert_null(sorted64_find(at, n, number));
		}
	}
}

static void finds_the_first_of_several(void **state)
{
	const uint64_t at[] = { 1, 4, 4, 4, 4, 9 };

	(void)state;
	assert_ptr_equal(sorted64_find(at, 6, 4), &at[1]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sorts),
		cmocka_unit_test(nothing_is_sorted_too),
		cmocka_unit_test(finds_each_and_nothing_else),
		cmocka_unit_test(finds_the_first_of_several),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

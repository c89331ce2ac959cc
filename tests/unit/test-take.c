/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What was taken is not cleaned up, what was not taken is. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "common/util/take.h"

static unsigned n_cleaned_up;

static void count(int **p)
{
	n_cleaned_up += *p != NULL;
}

static int *make(int *number, bool works)
{
	__attribute__((cleanup(count))) int *new = number;

	return works ? TAKE(new) : NULL;
}

static void leaves_nothing_to_clean_up(void **state)
{
	int number = 0;

	(void)state;
	assert_ptr_equal(make(&number, true), &number);
	assert_int_equal(n_cleaned_up, 0);
	assert_null(make(&number, false));
	assert_int_equal(n_cleaned_up, 1);
}

/* Members and elements, too. */
static void takes_from_any_variable(void **state)
{
	int number[2] = { 0 }, *at[2] = { &number[0], &number[1] };
	struct { const int *p; } holder = { &number[1] };

	(void)state;
	assert_ptr_equal(TAKE(at[0]), &number[0]);
	assert_null(at[0]);
	assert_ptr_equal(at[1], &number[1]);
	assert_ptr_equal(TAKE(holder.p), &number[1]);
	assert_null(holder.p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(leaves_nothing_to_clean_up),
		cmocka_unit_test(takes_from_any_variable),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

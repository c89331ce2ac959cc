/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The set of numbers: growing, zero, and what was never added. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "common/util/set64.h"

static void holds_what_was_added(void **state)
{
	cleanup_set64 struct set64 set = { 0 };
	struct error err = { 0 };
	bool added;

	(void)state;
	assert_false(set64_has(&set, 4096));
	for (uint64_t i = 0; i < 100000; i++) {
		assert_true(set64_add(&set, i * 4096, &added, &err));
		assert_true(added);
	}
	assert_int_equal(set64_count(&set), 100000);
	for (uint64_t i = 0; i < 100000; i++) {
		assert_true(set64_has(&set, i * 4096));
		assert_false(set64_has(&set, i * 4096 + 1));
		assert_true(set64_add(&set, i * 4096, &added, &err));
		assert_false(added);
	}
	assert_int_equal(set64_count(&set), 100000);
}

static void zero_and_the_last_are_numbers_too(void **state)
{
	struct set64 set = { 0 };
	struct error err = { 0 };
	bool added = false;

	(void)state;
	assert_false(set64_has(&set, 0));
	assert_true(set64_add(&set, 0, &added, &err) && added);
	assert_true(set64_add(&set, 0, &added, &err) && !added);
	assert_false(set64_has(&set, UINT64_MAX));
	assert_true(set64_add(&set, UINT64_MAX, NULL, &err));
	assert_true(set64_has(&set, UINT64_MAX) && set64_has(&set, 0));
	assert_int_equal(set64_count(&set), 2);
	set64_free(&set);
	assert_false(set64_has(&set, 0));
	assert_int_equal(set64_count(&set), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(holds_what_was_added),
		cmocka_unit_test(zero_and_the_last_are_numbers_too),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

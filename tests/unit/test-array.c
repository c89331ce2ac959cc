/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Growing arrays: what is in them stays, and nothing changes if there is no memory. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "common/util/array.h"

static void keeps_what_is_in_it(void **state)
{
	struct pair { uint64_t a, b; } *at = NULL;
	size_t n = 0, room = 0, n_grown = 0;
	struct error err = { 0 };

	(void)state;
	for (uint64_t i = 0; i < 100000; i++) {
		const size_t before = room;

		assert_true(ARRAY_ROOM(at, n, room, &err));
		assert_true(n < room);
		n_grown += room != before;
		at[n++] = (struct pair){ i, ~i };
	}
	for (uint64_t i = 0; i < n; i++)
		assert_true(at[i].a == i && at[i].b == ~i);
	/* It doubles: 16 to 131072. */
	assert_int_equal(n_grown, 14);
	assert_true(room < 2 * n);
	assert_int_equal(err.kind, ERROR_NONE);
	free(at);
}

static void stays_where_it_is_with_room(void **state)
{
	uint8_t *at = NULL, *before;
	size_t room = 0;
	struct error err = { 0 };

	(void)state;
	assert_true(ARRAY_ROOM(at, 0, room, &err));
	before = at;
	for (size_t n = 0; n < room; n++)
		assert_true(ARRAY_ROOM(at, n, room, &err) && at == before);
	free(at);
}

/* Too large: for memory, as a number of bytes, and as a number of elements. */
/* What no machine has is asked for on purpose. */
const char *__asan_default_options(void);
const char *__asan_default_options(void)
{
	return "allocator_may_return_null=1";
}

static void is_as_before_without_memory(void **state)
{
	static const size_t full[] = { SIZE_MAX / 32, SIZE_MAX / 4, SIZE_MAX / 2 + 1, SIZE_MAX };
	uint64_t *at = malloc(sizeof(*at)), *const before = at;

	(void)state;
	assert_non_null(at);
	*at = 4711;
	for (size_t i = 0; i < sizeof(full) / sizeof(full[0]); i++) {
		size_t room = full[i];
		struct error err = { 0 };

		assert_false(ARRAY_ROOM(at, full[i], room, &err));
		assert_int_equal(err.kind, ERROR_MEMORY);
		assert_int_equal(room, full[i]);
		assert_ptr_equal(at, before);
		assert_int_equal(*at, 4711);
	}
	free(at);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(keeps_what_is_in_it),
		cmocka_unit_test(stays_where_it_is_with_room),
		cmocka_unit_test(is_as_before_without_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

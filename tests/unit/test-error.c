/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Errors: what is said, and that nothing too long runs over. */
#include "tests/unit/test.h"

#include <errno.h>

static void fills_once_and_is_false(void **state)
{
	struct error err = { .hint = "old" };

	(void)state;
	assert_false(error_set(&err, ERROR_CORRUPT, "level is %u", 9));
	assert_int_equal(err.kind, ERROR_CORRUPT);
	assert_string_equal(err.text, "level is 9");
	assert_string_equal(err.hint, "");
	assert_false(error_hint(&err, "pass %s", "both"));
	assert_string_equal(err.hint, "pass both");
	assert_false(error_prefix(&err, "%s", "disk.img"));
	assert_string_equal(err.text, "disk.img: level is 9");
	assert_string_equal(err.hint, "pass both");
	assert_int_equal(err.kind, ERROR_CORRUPT);
}

static void takes_the_kind_from_errno(void **state)
{
	struct error err = { 0 };

	(void)state;
	errno = ENOENT;
	assert_false(error_system(&err, "open %s", "x"));
	assert_int_equal(err.kind, ERROR_IO);
	assert_string_equal(err.text, "open x: No such file or directory");
	errno = ENOMEM;
	assert_false(error_system(&err, "map"));
	assert_int_equal(err.kind, ERROR_MEMORY);
	assert_false(error_memory(&err));
	assert_string_equal(err.text, "out of memory");
}

static void cuts_what_is_too_long(void **state)
{
	struct {
		struct error err;
		char guard[8];
	} box = { .guard = "guarded" };
	char longest[1000];

	(void)state;
	memset(longest, 'a', sizeof(longest) - 1);
	longest[sizeof(longest) - 1] = '\0';
	error_set(&box.err, ERROR_IO, "%s", longest);
	assert_int_equal(strlen(box.err.text), sizeof(box.err.text) - 1);
	errno = EIO;
	error_system(&box.err, "%s", longest);
	assert_int_equal(strlen(box.err.text), sizeof(box.err.text) - 1);
	error_hint(&box.err, "%s", longest);
	assert_int_equal(strlen(box.err.hint), sizeof(box.err.hint) - 1);
	for (int width = 500; width <= 520; width++) {
		error_set(&box.err, ERROR_IO, "%s", longest);
		error_prefix(&box.err, "%*s", width, "x");
		assert_true(strlen(box.err.text) < sizeof(box.err.text));
	}
	error_set(&box.err, ERROR_IO, "%s", longest);
	error_prefix(&box.err, "place");
	assert_int_equal(strlen(box.err.text), sizeof(box.err.text) - 1);
	assert_memory_equal(box.err.text, "place: aaa", 10);
	assert_string_equal(box.guard, "guarded");
}

static void names_every_kind(void **state)
{
	(void)state;
	for (int kind = ERROR_NONE; kind <= ERROR_KIND_MAX; kind++) {
		assert_non_null(error_kind_name(kind));
		for (int other = ERROR_NONE; other < kind; other++)
			assert_string_not_equal(error_kind_name(kind), error_kind_name(other));
	}
	assert_string_equal(error_kind_name(ERROR_KEY), "wrong-key");
	assert_string_equal(error_kind_name(ERROR_KIND_MAX + 1), "unknown");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(fills_once_and_is_false),
		cmocka_unit_test(takes_the_kind_from_errno),
		cmocka_unit_test(cuts_what_is_too_long),
		cmocka_unit_test(names_every_kind),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

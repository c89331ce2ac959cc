/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Errors: text, prefix, hint, and that long ones are cut, never overrun. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <errno.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "format/error.h"

static void sets_kind_and_text(void **state)
{
	struct error err = { .hint = "old" };

	(void)state;
	assert_false(error_set(&err, ERROR_CORRUPT, "slot %d", 7));
	assert_int_equal(err.kind, ERROR_CORRUPT);
	assert_string_equal(err.text, "slot 7");
	assert_string_equal(err.hint, "");
	assert_false(error_hint(&err, "pass %s", "both"));
	assert_string_equal(err.hint, "pass both");
}

static void takes_errno(void **state)
{
	struct error err = { 0 };

	(void)state;
	errno = EIO;
	assert_false(error_system(&err, "disk.img"));
	assert_int_equal(err.kind, ERROR_IO);
	assert_string_equal(err.text, "disk.img: Input/output error");
	errno = ENOMEM;
	assert_false(error_system(&err, "map"));
	assert_int_equal(err.kind, ERROR_MEMORY);
}

static void puts_a_name_before(void **state)
{
	struct error err = { 0 };

	(void)state;
	error_set(&err, ERROR_CORRUPT, "bad item");
	error_hint(&err, "look");
	assert_false(error_prefix(&err, "leaf %d", 3));
	assert_string_equal(err.text, "leaf 3: bad item");
	assert_string_equal(err.hint, "look");
	assert_int_equal(err.kind, ERROR_CORRUPT);
}

static void cuts_what_is_too_long(void **state)
{
	struct error err = { 0 };
	char text[2000];

	(void)state;
	memset(text, 'x', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	error_set(&err, ERROR_IO, "%s", text);
	assert_int_equal(strlen(err.text), sizeof(err.text) - 1);
	error_prefix(&err, "%.500s", text);
	assert_int_equal(strlen(err.text), sizeof(err.text) - 1);
	error_prefix(&err, "%s", text);
	assert_int_equal(strlen(err.text), sizeof(err.text) - 1);
	error_prefix(&err, "short");
	assert_memory_equal(err.text, "short: xxx", 10);
	assert_int_equal(strlen(err.text), sizeof(err.text) - 1);
	error_hint(&err, "%s", text);
	assert_int_equal(strlen(err.hint), sizeof(err.hint) - 1);
	errno = EIO;
	error_system(&err, "%s", text);
	assert_int_equal(strlen(err.text), sizeof(err.text) - 1);
}

static void names_every_kind(void **state)
{
	(void)state;
	for (int a = 0; a <= ERROR_KIND_MAX; a++) {
		assert_non_null(error_kind_name(a));
		for (int b = 0; b < a; b++)
			assert_string_not_equal(error_kind_name(a), error_kind_name(b));
	}
	assert_string_equal(error_kind_name(ERROR_KEY), "wrong-key");
	assert_string_equal(error_kind_name(ERROR_KIND_MAX + 1), "unknown");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sets_kind_and_text),
		cmocka_unit_test(takes_errno),
		cmocka_unit_test(puts_a_name_before),
		cmocka_unit_test(cuts_what_is_too_long),
		cmocka_unit_test(names_every_kind),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

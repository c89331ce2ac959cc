/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Hexadecimal digits, there and back. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "common/util/hex.h"

static void writes_lower_case(void **state)
{
	char text[9];

	(void)state;
	hex_text("\x00\x0f\xa5\xff", 4, text);
	assert_string_equal(text, "000fa5ff");
	hex_text("", 0, text);
	assert_string_equal(text, "");
}

static void reads_every_byte_it_writes(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 256; i++) {
		const uint8_t byte = i;
		uint8_t back = ~byte;
		char text[3];

		hex_text(&byte, 1, text);
		assert_true(hex_read(text, &back, 1));
		assert_int_equal(back, byte);
	}
}

static void reads_either_case(void **state)
{
	uint8_t bytes[4];

	(void)state;
	assert_true(hex_read("DeadBEEF", bytes, 4));
	assert_memory_equal(bytes, "\xde\xad\xbe\xef", 4);
}

static void refuses_what_is_not_exactly_that(void **state)
{
	static const char *const wrong[] = { "", "0", "012", "01234", "012g", "01 2", "0x12", "01-2", "/123", ":123", "@123", "`123" };
	uint8_t bytes[2];

	(void)state;
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
		assert_false(hex_read(wrong[i], bytes, sizeof(bytes)));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(writes_lower_case),
		cmocka_unit_test(reads_every_byte_it_writes),
		cmocka_unit_test(reads_either_case),
		cmocka_unit_test(refuses_what_is_not_exactly_that),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

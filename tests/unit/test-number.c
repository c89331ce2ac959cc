/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Addresses, offsets and sizes as people type them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "common/util/number.h"

static void takes_hexadecimal_and_units(void **state)
{
	static const struct { const char *text; uint64_t value; } good[] = {
		{ "0", 0 }, { "4096", 4096 }, { "0x1000", 4096 }, { "0X1f", 31 }, { "010", 10 }, { "4K", 4096 }, { "4k", 4096 }, { "4KiB", 4096 }, { "4kib", 4096 },
		{ "1M", 1 << 20 }, { "3G", 3ull << 30 }, { "2TiB", 2ull << 40 }, { "1P", 1ull << 50 }, { "15E", 15ull << 60 }, { "0x10K", 16384 },
		{ "0x1E", 30 }, { "18446744073709551615", UINT64_MAX }, { "0xffffffffffffffff", UINT64_MAX },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		uint64_t value = 7;

		if (!bytes_parse(good[i].text, &value) || value != good[i].value)
			fail_msg("%s is %ju", good[i].text, (uintmax_t)value);
	}
}

static void refuses_what_is_no_number(void **state)
{
	static const char *const bad[] = {
		"", " 1", "-1", "+1", "K", "1 K", "1KB", "1kb", "1KiBs", "1.5K", "0x", "0xg", "x10", "1Q", "16E", "18446744073709551616", "0x10000000000000000",
		"18014398509481985K", "1K ", "1,000",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		uint64_t value = 7;

		if (bytes_parse(bad[i], &value) || value != 7)
			fail_msg("\"%s\" is %ju", bad[i], (uintmax_t)value);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(takes_hexadecimal_and_units),
		cmocka_unit_test(refuses_what_is_no_number),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

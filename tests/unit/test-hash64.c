/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The hash of bytes: that of the library, which depends on every byte, on the length and on the seed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "common/util/hash64.h"
#include "common/util/set64.h"

/* As xxhsum -H3 prints them. */
static void is_xxh3(void **state)
{
	(void)state;
	assert_true(hash64("", 0, 0) == UINT64_C(0x2d06800538d394c2));
	assert_true(hash64("a", 1, 0) == UINT64_C(0xe6c632b61e964e1f));
	assert_true(hash64("abc", 3, 0) == UINT64_C(0x78af5f94892f3950));
}

static void depends_on_all(void **state)
{
	cleanup_set64 struct set64 seen = { 0 };
	uint8_t bytes[300] = { 0 };
	struct error err = { 0 };
	bool added;

	(void)state;
	for (size_t len = 0; len <= sizeof(bytes); len++) {
		assert_true(set64_add(&seen, hash64(bytes, len, 0), &added, &err) && added);
		assert_true(set64_add(&seen, hash64(bytes, len, 1), &added, &err) && added);
	}
	for (size_t i = 0; i < sizeof(bytes); i++) {
		bytes[i] = 1;
		assert_true(set64_add(&seen, hash64(bytes, sizeof(bytes), 0), &added, &err) && added);
		bytes[i] = 0;
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(is_xxh3),
		cmocka_unit_test(depends_on_all),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

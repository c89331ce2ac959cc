/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the tests of the readers share: samples written byte by byte, truncated, and with one wrong byte. */
#ifndef TESTS_UNIT_TEST_H
#define TESTS_UNIT_TEST_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include "format/cursor.h"

#ifndef TEST_KIND
#define TEST_KIND ERROR_CORRUPT		/* what refusals are; define it before for readers whose refusals are others */
#endif

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))

/* Bytes of a sample. */
#define LE16(x) (uint8_t)((uint64_t)(x)), (uint8_t)((uint64_t)(x) >> 8)
#define LE32(x) LE16(x), LE16((uint64_t)(x) >> 16)
#define LE64(x) LE32(x), LE32((uint64_t)(x) >> 32)
#define EIGHT(x) (x), (x), (x), (x), (x), (x), (x), (x)
#define UUID(x) EIGHT(x), EIGHT(x)

#define TEST_OFFSET 0x4000u	/* where every sample says it is */
#define ANY_LENGTH_FAILS SIZE_MAX

/* Reads the whole of an item, as the reader's callers do. */
typedef bool (*test_parse)(struct cursor *item, struct error *err);

struct wrong {
	size_t at;
	uint8_t value;
	const char *text;
};

/* Parses a heap copy of exactly len bytes, so that the sanitizer sees a read past it. */
static inline bool test_parse_copy(test_parse parse, const uint8_t *bytes, size_t len, struct error *err)
{
	uint8_t *copy = malloc(len ? len : 1);
	struct cursor item = { copy, len, TEST_OFFSET };

	assert_non_null(copy);
	memcpy(copy, bytes, len);

	const bool ok = parse(&item, err);

	free(copy);
	return ok;
}

/* One length may be good: where an item has an optional rest. */
static inline void test_refuses_truncations(test_parse parse, const uint8_t *sample, size_t size, size_t good_len)
{
	for (size_t len = 0; len < size; len++) {
		struct error err = { 0 };
		const bool ok = test_parse_copy(parse, sample, len, &err);

		if (ok != (len == good_len))
			fail_msg("%zu of %zu bytes: %s", len, size, ok ? "accepted" : err.text);
		if (!ok)
			assert_int_equal(err.kind, TEST_KIND);
	}
}

static inline void test_refuses_wrong_bytes(test_parse parse, const uint8_t *sample, size_t size, const struct wrong *wrong,
					    size_t n_wrong)
{
	uint8_t *bytes = malloc(size);
	struct error err = { 0 };

	assert_non_null(bytes);
	memcpy(bytes, sample, size);
	if (!test_parse_copy(parse, bytes, size, &err))
		fail_msg("the sample itself: %s", err.text);
	for (size_t i = 0; i < n_wrong; i++) {
		err = (struct error){ 0 };
		memcpy(bytes, sample, size);
		bytes[wrong[i].at] = wrong[i].value;
		if (test_parse_copy(parse, bytes, size, &err))
			fail_msg("byte %zu as %u is accepted, expected: %s", wrong[i].at, wrong[i].value, wrong[i].text);
		assert_string_equal(err.text, wrong[i].text);
		assert_int_equal(err.kind, TEST_KIND);
	}
	free(bytes);
}

#endif /* TESTS_UNIT_TEST_H */

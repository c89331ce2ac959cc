/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The item of an unfinished balance. */
#include "tests/unit/test.h"

#include "format/balance.h"

#define ARGS(n) \
	LE64((n) + 1), LE32((n) + 2), LE32((n) + 3), LE64((n) + 4), LE64((n) + 5), LE64((n) + 6), LE64((n) + 7), LE64((n) + 8), LE64((n) + 9), \
	LE64((n) + 10), LE32((n) + 11), LE32((n) + 12), LE32((n) + 13), LE32((n) + 14), LE64(0), LE64(0), LE64(0), LE64(0), LE64(0), LE64(0)

static const uint8_t sample[] = { LE64(7), ARGS(100), ARGS(200), ARGS(300), LE64(0), LE64(0), LE64(0), LE64(0) };

static struct balance balance;

static bool parse(struct cursor *item, struct error *err) { return balance_read(item, &balance, err); }

static void check(const struct balance_args *args, unsigned n)
{
	assert_int_equal(args->profiles, n + 1);
	assert_int_equal(args->usage_min, n + 2);
	assert_int_equal(args->usage_max, n + 3);
	assert_int_equal(args->devid, n + 4);
	assert_int_equal(args->pstart, n + 5);
	assert_int_equal(args->pend, n + 6);
	assert_int_equal(args->vstart, n + 7);
	assert_int_equal(args->vend, n + 8);
	assert_int_equal(args->target, n + 9);
	assert_int_equal(args->flags, n + 10);
	assert_int_equal(args->limit_min, n + 11);
	assert_int_equal(args->limit_max, n + 12);
	assert_int_equal(args->stripes_min, n + 13);
	assert_int_equal(args->stripes_max, n + 14);
}

static void reads_a_balance(void **state)
{
	struct error err = { 0 };

	(void)state;
	assert_true(test_parse_copy(parse, sample, sizeof(sample), &err));
	assert_int_equal(balance.flags, 7);
	check(&balance.data, 100);
	check(&balance.metadata, 200);
	check(&balance.system, 300);
}

static void refuses_other_sizes(void **state)
{
	const uint8_t longer[449] = { 0 };
	struct error err = { 0 };

	(void)state;
	test_refuses_truncations(parse, sample, sizeof(sample), ANY_LENGTH_FAILS);
	assert_false(test_parse_copy(parse, longer, sizeof(longer), &err));
	assert_string_equal(err.text, "balance item at 0x4000: 449 bytes, not 448");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads_a_balance),
		cmocka_unit_test(refuses_other_sizes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

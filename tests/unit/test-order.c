/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Tests of comparison functions for qsort(). */
#include "test.h"

#include "common/util/order.h"

struct row {
	uint64_t a;
	uint32_t b;
	uint16_t c;
};

ORDER_BY(by_a, struct row, a);
ORDER_BY_2(by_a_b, struct row, a, b);
ORDER_BY_3(by_all, struct row, a, b, c);

static void is_by_each_number_in_turn(void **state)
{
	static const struct row row[] = { { 0, 7, 7 }, { 1, 0, 9 }, { 1, 2, 3 }, { 1, 2, 4 }, { 1, 3, 0 }, { UINT64_MAX, 0, 0 } };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(row); i++) {
		for (size_t j = 0; j < ARRAY_SIZE(row); j++) {
			const struct row *x = &row[i], *y = &row[j];

			assert_int_equal(by_all(x, y), ORDER(i, j));
			assert_int_equal(by_a(x, y), x->a == y->a ? 0 : ORDER(i, j));
			assert_int_equal(by_a_b(x, y), x->a == y->a && x->b == y->b ? 0 : ORDER(i, j));
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(is_by_each_number_in_turn) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Items of the quota tree. */
#include "tests/unit/test.h"

#include "format/quota.h"

static const uint8_t status_sample[] = { LE64(1), LE64(21), LE64(9), LE64(77), LE64(20) };
static const uint8_t info_sample[] = { LE64(21), LE64(1000), LE64(900), LE64(500), LE64(400) };
static const uint8_t limit_sample[] = { LE64(3), LE64(11), LE64(12), LE64(13), LE64(UINT64_MAX) };

static struct qgroup_status status;
static struct qgroup_info info;
static struct qgroup_limit limit;

static bool parse_status(struct cursor *item, struct error *err) { return qgroup_status_read(item, &status, err); }
static bool parse_info(struct cursor *item, struct error *err) { return qgroup_info_read(item, &info, err); }
static bool parse_limit(struct cursor *item, struct error *err) { return qgroup_limit_read(item, &limit, err); }

static void reads_a_status(void **state)
{
	struct error err = { 0 };

	(void)state;
	assert_true(test_parse_copy(parse_status, status_sample, 40, &err));
	assert_int_equal(status.version, 1);
	assert_int_equal(status.generation, 21);
	assert_int_equal(status.flags, QGROUP_STATUS_ON | QGROUP_STATUS_SIMPLE);
	assert_int_equal(status.rescan, 77);
	assert_true(status.has_enable_gen);
	assert_int_equal(status.enable_gen, 20);
	assert_true(test_parse_copy(parse_status, status_sample, 32, &err));
	assert_false(status.has_enable_gen);
	assert_int_equal(status.enable_gen, 0);
}

static void reads_info_and_limit(void **state)
{
	struct error err = { 0 };

	(void)state;
	assert_true(test_parse_copy(parse_info, info_sample, sizeof(info_sample), &err));
	assert_int_equal(info.generation, 21);
	assert_int_equal(info.referenced, 1000);
	assert_int_equal(info.referenced_compressed, 900);
	assert_int_equal(info.exclusive, 500);
	assert_int_equal(info.exclusive_compressed, 400);
	assert_true(test_parse_copy(parse_limit, limit_sample, sizeof(limit_sample), &err));
	assert_int_equal(limit.flags, 3);
	assert_int_equal(limit.max_referenced, 11);
	assert_int_equal(limit.max_exclusive, 12);
	assert_int_equal(limit.rsv_referenced, 13);
	assert_true(limit.rsv_exclusive == UINT64_MAX);
}

static void refuses_other_sizes(void **state)
{
	const uint8_t longer[41] = { 0 };
	struct error err = { 0 };

	(void)state;
	test_refuses_truncations(parse_status, status_sample, sizeof(status_sample), 32);
	test_refuses_truncations(parse_info, info_sample, sizeof(info_sample), ANY_LENGTH_FAILS);
	test_refuses_truncations(parse_limit, limit_sample, sizeof(limit_sample), ANY_LENGTH_FAILS);
	assert_false(test_parse_copy(parse_status, longer, sizeof(longer), &err));
	assert_string_equal(err.text, "qgroup status at 0x4000: 41 bytes, not 32 or 40");
	assert_false(test_parse_copy(parse_info, longer, sizeof(longer), &err));
	assert_string_equal(err.text, "qgroup info at 0x4000: 41 bytes, not 40");
	assert_false(test_parse_copy(parse_limit, longer, sizeof(longer), &err));
	assert_string_equal(err.text, "qgroup limit at 0x4000: 41 bytes, not 40");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads_a_status),
		cmocka_unit_test(reads_info_and_limit),
		cmocka_unit_test(refuses_other_sizes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

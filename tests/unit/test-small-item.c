/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Items of one or two numbers. */
#include "tests/unit/test.h"

#include "format/small-item.h"

static const uint8_t uuid_sample[] = { LE64(256), LE64(300) };
static const uint8_t log_sample[] = { LE64(0x1122334455667788) };
static const uint8_t cache_sample[] = { LE64(257), 1, LE64(3), LE64(9), LE64(10), LE64(11) };

static struct space_cache cache;
static uint64_t end;

static bool parse_log(struct cursor *item, struct error *err) { return dir_log_read(item, &end, err); }
static bool parse_cache(struct cursor *item, struct error *err) { return space_cache_read(item, &cache, err); }

static void reads_ids(void **state)
{
	struct cursor item = { uuid_sample, sizeof(uuid_sample), TEST_OFFSET };
	struct error err = { 0 };
	uint64_t id;

	(void)state;
	assert_true(uuid_item_next(&item, &id, &err));
	assert_int_equal(id, 256);
	item.left--;
	assert_false(uuid_item_next(&item, &id, &err));
	assert_string_equal(err.text, "uuid item at 0x4008: 7 bytes left, an id takes 8");
	item.left++;
	assert_true(uuid_item_next(&item, &id, &err));
	assert_int_equal(id, 300);
	assert_int_equal(item.left, 0);
}

static void reads_a_log_range(void **state)
{
	const uint8_t longer[9] = { 0 };
	struct error err = { 0 };

	(void)state;
	assert_true(test_parse_copy(parse_log, log_sample, sizeof(log_sample), &err));
	assert_true(end == 0x1122334455667788);
	test_refuses_truncations(parse_log, log_sample, sizeof(log_sample), ANY_LENGTH_FAILS);
	assert_false(test_parse_copy(parse_log, longer, sizeof(longer), &err));
	assert_string_equal(err.text, "directory log at 0x4000: 9 bytes, not 8");
}

static void reads_a_space_cache(void **state)
{
	struct error err = { 0 };

	(void)state;
	assert_true(test_parse_copy(parse_cache, cache_sample, sizeof(cache_sample), &err));
	assert_int_equal(cache.location.objectid, 257);
	assert_int_equal(cache.location.type, 1);
	assert_int_equal(cache.location.offset, 3);
	assert_int_equal(cache.generation, 9);
	assert_int_equal(cache.n_entries, 10);
	assert_int_equal(cache.n_bitmaps, 11);
	test_refuses_truncations(parse_cache, cache_sample, sizeof(cache_sample), ANY_LENGTH_FAILS);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads_ids),
		cmocka_unit_test(reads_a_log_range),
		cmocka_unit_test(reads_a_space_cache),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

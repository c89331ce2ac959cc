/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Items about devices. */
#include "tests/unit/test.h"

#include "format/device-item.h"

static const uint8_t item_sample[] = {
	LE64(2), LE64(1000), LE64(500),		/* devid, total_bytes, bytes_used */
	LE32(11), LE32(12), LE32(13),		/* io_align, io_width, sector_size */
	LE64(14), LE64(15), LE64(16),		/* type, generation, start_offset */
	LE32(17), 18, 19,			/* dev_group, seek_speed, bandwidth */
	UUID(0xa1), UUID(0xa2),
};
static const uint8_t extent_sample[] = { LE64(3), LE64(256), LE64(0x100000), LE64(0x800000), UUID(0xa3) };
static const uint8_t stats_sample[] = { LE64(1), LE64(2), LE64(3), LE64(4), LE64(5), LE64(6) };
static const uint8_t replace_sample[] = { LE64(1), LE64(2), LE64(3), LE64(4), LE64(5), LE64(6), LE64(7), LE64(8), LE64(9) };
static const uint8_t stripes_sample[] = { 5, 0, 0, 0, 0, 0, 0, 0, LE64(1), LE64(0x1000), LE64(2), LE64(0x2000) };

static struct device_item device;
static struct device_extent extent;
static struct device_replace replace;

static bool parse_item(struct cursor *item, struct error *err) { return device_item_read(item, &device, err); }
static bool parse_extent(struct cursor *item, struct error *err) { return device_extent_read(item, &extent, err); }
static bool parse_replace(struct cursor *item, struct error *err) { return device_replace_read(item, &replace, err); }

static void reads_a_device(void **state)
{
	struct error err = { 0 };

	(void)state;
	assert_true(test_parse_copy(parse_item, item_sample, sizeof(item_sample), &err));
	assert_int_equal(device.devid, 2);
	assert_int_equal(device.total_bytes, 1000);
	assert_int_equal(device.bytes_used, 500);
	assert_int_equal(device.io_align, 11);
	assert_int_equal(device.io_width, 12);
	assert_int_equal(device.sector_size, 13);
	assert_int_equal(device.type, 14);
	assert_int_equal(device.generation, 15);
	assert_int_equal(device.start_offset, 16);
	assert_int_equal(device.dev_group, 17);
	assert_int_equal(device.seek_speed, 18);
	assert_int_equal(device.bandwidth, 19);
	assert_int_equal(device.uuid[15], 0xa1);
	assert_int_equal(device.fsid[15], 0xa2);
	test_refuses_truncations(parse_item, item_sample, sizeof(item_sample), ANY_LENGTH_FAILS);
}

static void reads_an_extent(void **state)
{
	struct error err = { 0 };

	(void)state;
	assert_true(test_parse_copy(parse_extent, extent_sample, sizeof(extent_sample), &err));
	assert_int_equal(extent.chunk_tree, 3);
	assert_int_equal(extent.chunk_objectid, 256);
	assert_int_equal(extent.chunk_offset, 0x100000);
	assert_int_equal(extent.length, 0x800000);
	assert_int_equal(extent.chunk_tree_uuid[0], 0xa3);
	test_refuses_truncations(parse_extent, extent_sample, sizeof(extent_sample), ANY_LENGTH_FAILS);
}

static void reads_statistics_old_and_new(void **state)
{
	struct device_stats stats;
	struct error err = { 0 };

	(void)state;
	for (size_t len = 0; len <= sizeof(stats_sample); len++) {
		struct cursor item = { stats_sample, len, TEST_OFFSET };
		const bool good = len > 0 && len % 8 == 0;

		assert_int_equal(device_stats_read(&item, &stats, &err), good);
		if (!good)
			continue;
		assert_int_equal(stats.n, len / 8 < DEVICE_STATS_KNOWN ? len / 8 : DEVICE_STATS_KNOWN);
		for (unsigned i = 0; i < stats.n; i++)
			assert_int_equal(stats.value[i], i + 1);
		assert_int_equal(stats.more.left, len == 48 ? 8 : 0);
		assert_int_equal(item.left, 0);
	}
	assert_string_equal(err.text, "device statistics at 0x4000: 47 bytes, not a nonzero multiple of 8");
}

static void reads_a_replacement(void **state)
{
	struct error err = { 0 };

	(void)state;
	assert_true(test_parse_copy(parse_replace, replace_sample, sizeof(replace_sample), &err));
	assert_int_equal(replace.src_devid, 1);
	assert_int_equal(replace.cursor_left, 2);
	assert_int_equal(replace.cursor_right, 3);
	assert_int_equal(replace.cont_reading_mode, 4);
	assert_int_equal(replace.state, 5);
	assert_int_equal(replace.time_started, 6);
	assert_int_equal(replace.time_stopped, 7);
	assert_int_equal(replace.n_write_errors, 8);
	assert_int_equal(replace.n_uncorrectable_read_errors, 9);
	test_refuses_truncations(parse_replace, replace_sample, sizeof(replace_sample), ANY_LENGTH_FAILS);
}

/* How many places there are, or -1. */
static int count_stripes(const uint8_t *bytes, size_t len, bool *has_head, uint8_t *encoding, struct error *err)
{
	struct cursor item = { bytes, len, TEST_OFFSET };
	struct stripe_copy place;
	int n = 0;

	if (!stripe_extent_begin(&item, has_head, encoding, err))
		return -1;
	for (; item.left > 0; n++) {
		if (!stripe_extent_next(&item, &place, err))
			return -1;
		assert_int_equal(place.devid, n + 1);
		assert_int_equal(place.physical, (n + 1) * 0x1000);
	}
	return n;
}

static void reads_stripes_old_and_new(void **state)
{
	struct error err = { 0 };
	uint8_t encoding;
	bool has_head;

	(void)state;
	assert_int_equal(count_stripes(stripes_sample, 40, &has_head, &encoding, &err), 2);
	assert_true(has_head);
	assert_int_equal(encoding, 5);
	assert_int_equal(count_stripes(stripes_sample + 8, 32, &has_head, &encoding, &err), 2);
	assert_false(has_head);
	assert_int_equal(count_stripes(stripes_sample + 8, 16, &has_head, &encoding, &err), 1);
	for (size_t len = 0; len < 40; len++)
		if (len != 24 && (len < 16 || len % 16 != 0))
			assert_int_equal(count_stripes(stripes_sample, len, &has_head, &encoding, &err), -1);
	assert_string_equal(err.text, "stripe extent at 0x4000: 39 bytes, not a list of 16 each, with or without 8 before it");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads_a_device),
		cmocka_unit_test(reads_an_extent),
		cmocka_unit_test(reads_statistics_old_and_new),
		cmocka_unit_test(reads_a_replacement),
		cmocka_unit_test(reads_stripes_old_and_new),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What is reserved, compared with every place to which a write of it would go. */
#include <stdio.h>

#include "common/volume/chunk-map.h"
#include "common/volume/device-extents.h"
#include "common/volume/device-range.h"
#include "common/volume/devices.h"
#include "common/volume/mirror.h"
#include "common/volume/stripe.h"
#include "tests/unit/test.h"

#define KIB 1024ull
#define MIB (1024 * KIB)
#define LOGICAL (100 * MIB)
#define SECTOR 4096u
#define N_MAX 5u

static struct volume volume;

static int make_volume(void **state)
{
	(void)state;
	volume = (struct volume){ .super = { .n_devices = N_MAX, .sector_size = SECTOR } };
	return 0;
}

static int free_volume(void **state)
{
	(void)state;
	chunk_map_free(&volume);
	volume_devices_close(&volume);
	return 0;
}

/* What is at 64 MiB of each device is in another row, or in none. */
static void add(uint64_t profile, unsigned n, unsigned n_data, uint64_t rows, const uint64_t *physical)
{
	struct chunk_stripe stripes[N_MAX];
	struct error err = { 0 };
	const struct chunk chunk = {
		.logical = LOGICAL, .length = n_data * rows * 64 * KIB, .type = GROUP_METADATA | profile, .stripe_len = 64 * KIB,
		.n_stripes = n, .sub_stripes = profile == GROUP_RAID10 ? 2 : 1, .stripe = stripes,
	};

	for (unsigned i = 0; i < n; i++)
		stripes[i] = (struct chunk_stripe){ .devid = i + 1, .physical = physical[i], .dev_uuid = { (uint8_t)(i + 1) } };
	if (!chunk_map_add(&volume, &chunk, &err))
		fail_msg("%s", err.text);
}

static bool touches(void *context, const struct device_range *range, struct error *err)
{
	bool *any = context;

	(void)err;
	for (unsigned i = 0; i < DEVICE_RESERVED_RANGES; i++)
		*any |= range->physical < device_reserved[i].at + device_reserved[i].len && device_reserved[i].at < range->physical + range->len;
	return true;
}

/* Sector by sector; with parity, what the sectors of the row touch. */
static bool expected(const struct chunk *chunk, uint64_t logical)
{
	const uint64_t row = stripe_n_parity(chunk) > 0 ? stripe_n_data(chunk) * 64 * KIB : SECTOR;
	const uint64_t from = chunk->logical + (logical - chunk->logical) / row * row;
	struct error err = { 0 };
	bool any = false;

	assert_true(device_ranges(&volume, from, row, touches, &any, &err));
	return any;
}

static unsigned compare(void)
{
	const struct chunk *chunk = &volume.chunks[0];
	const uint64_t end = chunk->logical + chunk->length;
	unsigned n = 0;

	for (uint64_t at = chunk->logical; at < end; at += SECTOR) {
		const bool is = expected(chunk, at);

		if (volume_range_is_reserved(&volume, at, SECTOR) != is)
			fail_msg("%llu KiB: should be %s", (unsigned long long)((at - LOGICAL) / KIB), is ? "reserved" : "free");
		assert_true(volume_skip_reserved(&volume, at, SECTOR) == at || is);
		n += is;
	}
	return n;
}

static void every_profile(void **state)
{
	static const uint64_t far = 64 * MIB;
	const struct { uint64_t profile; unsigned n, n_data; uint64_t rows, at[N_MAX]; unsigned n_reserved; } rows[] = {
		{ 0, 1, 1, 8, { far - 128 * KIB }, 16 },
		{ GROUP_DUP, 2, 1, 8, { far - 128 * KIB, far - 256 * KIB }, 32 },
		{ GROUP_RAID1C3, 3, 1, 8, { far - 128 * KIB, far - 128 * KIB, far - 192 * KIB }, 32 },
		{ GROUP_RAID0, 3, 3, 8, { far - 128 * KIB, far - 256 * KIB, far }, 48 },
		/* not aligned: two rows */
		{ GROUP_RAID0, 3, 3, 8, { far - 96 * KIB, 200 * MIB, 300 * MIB }, 16 },
		/* 64 MiB just before and behind: not */
		{ GROUP_RAID0, 2, 2, 8, { far - 512 * KIB, far + 64 * KIB }, 0 },
		{ GROUP_RAID10, 4, 2, 8, { far - 128 * KIB, far - 256 * KIB, 80 * MIB, far }, 48 },
		/* the rows in which it is data, and in which it is parity */
		{ GROUP_RAID5, 3, 2, 8, { far - 128 * KIB, far - 256 * KIB, far - 256 * KIB }, 64 },
		{ GROUP_RAID6, 4, 2, 8, { far - 128 * KIB, 70 * MIB, far - 64 * KIB, 70 * MIB }, 64 },
		{ GROUP_RAID5, 2, 1, 8, { far - 96 * KIB, 80 * MIB }, 32 },
		/* the first MiB: 16 rows of a device, all of the chunk with parity */
		{ GROUP_RAID0, 2, 2, 20, { 0, 2 * MIB }, 256 },
		{ GROUP_RAID5, 3, 2, 20, { 2 * MIB, 0, 2 * MIB }, 512 },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		make_volume(state);
		add(rows[i].profile, rows[i].n, rows[i].n_data, rows[i].rows, rows[i].at);
		assert_int_equal(compare(), rows[i].n_reserved);
		free_volume(state);
	}
	make_volume(state);
}

/* Ranges are reserved if a part of them is, and the search goes on behind that. */
static void ranges(void **state)
{
	const uint64_t raid0[] = { 64 * MIB - 128 * KIB, 100 * MIB, 64 * MIB - 256 * KIB };

	(void)state;
	add(GROUP_RAID0, 3, 3, 8, raid0);		/* reserved: row 2 of stripe 0, row 4 of stripe 2 */

	const uint64_t first = LOGICAL + (2 * 3 + 0) * 64 * KIB, second = LOGICAL + (4 * 3 + 2) * 64 * KIB;

	assert_false(volume_range_is_reserved(&volume, LOGICAL, first - LOGICAL));
	assert_true(volume_range_is_reserved(&volume, LOGICAL, first - LOGICAL + 1));
	assert_false(volume_range_is_reserved(&volume, first + 64 * KIB, second - first - 64 * KIB));
	assert_true(volume_range_is_reserved(&volume, first + 64 * KIB - 1, 1));
	assert_true(volume_skip_reserved(&volume, LOGICAL, 6 * 64 * KIB) == LOGICAL);
	assert_true(volume_skip_reserved(&volume, LOGICAL, 7 * 64 * KIB) == first + 64 * KIB);
	assert_true(volume_skip_reserved(&volume, LOGICAL, 8 * 64 * KIB) == second + 64 * KIB);
	assert_true(volume_skip_reserved(&volume, LOGICAL, 9 * 64 * KIB + 1) == UINT64_MAX);
}

/* A row of parity is skipped whole: on stripe 0, 64 MiB is data in one case and parity in the other. */
static void rows_of_parity(void **state)
{
	(void)state;
	for (uint64_t row = 0; row < 3; row++) {
		const uint64_t raid5[] = { 64 * MIB - row * 64 * KIB, 100 * MIB, 200 * MIB };

		make_volume(state);
		add(GROUP_RAID5, 3, 2, 8, raid5);
		assert_true(volume_range_is_reserved(&volume, LOGICAL + row * 128 * KIB, SECTOR));
		assert_true(volume_range_is_reserved(&volume, LOGICAL + row * 128 * KIB + 124 * KIB, SECTOR));
		assert_true(volume_skip_reserved(&volume, LOGICAL + row * 128 * KIB, SECTOR) == LOGICAL + (row + 1) * 128 * KIB);
		free_volume(state);
	}
	make_volume(state);
}

#define with_volume(test) cmocka_unit_test_setup_teardown(test, make_volume, free_volume)

int main(void)
{
	const struct CMUnitTest tests[] = {
		with_volume(every_profile),
		with_volume(ranges),
		with_volume(rows_of_parity),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

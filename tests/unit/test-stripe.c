/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The arithmetic of the profiles, with answers worked out by hand, and reading through it from devices of which some are missing. */
#include "common/volume/stripe.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "common/volume/chunk-map.h"
#include "common/volume/device-range.h"
#include "common/volume/devices.h"
#include "common/volume/mirror.h"
#include "tests/unit/memory-device.h"

#define KIB 1024ull
#define MIB (1024 * KIB)
#define LOGICAL (100 * MIB)
#define ROWS 8u
#define N_MAX 6u

/* Of the chunk that was made last. */
static struct chunk_stripe stripes[CHUNK_STRIPES_MAX];

/* A chunk of n devices: devid 1 to n, at i MiB of device i. */
static struct chunk make(uint64_t profile, unsigned n, unsigned n_data, unsigned rows)
{
	struct chunk chunk = { .logical = LOGICAL, .length = (uint64_t)n_data * rows * 64 * KIB, .type = GROUP_DATA | profile,
			       .stripe_len = 64 * KIB, .n_stripes = n, .sub_stripes = profile == GROUP_RAID10 ? 2 : 1, .stripe = stripes };

	for (unsigned i = 0; i < n; i++)
		chunk.stripe[i] = (struct chunk_stripe){ .devid = i + 1, .physical = (i + 1) * MIB, .dev_uuid = { (uint8_t)(i + 1) } };
	return chunk;
}

static void is_at(const struct chunk *chunk, uint64_t offset, unsigned mirror, unsigned stripe, uint64_t in_stripe, uint64_t len)
{
	const struct stripe_place place = stripe_place(chunk, LOGICAL + offset, mirror);

	assert_int_equal(place.stripe, stripe);
	assert_int_equal(place.physical, chunk->stripe[stripe].physical + in_stripe);
	assert_int_equal(place.len, len);
}

static void copies_are_whole(void **state)
{
	const struct chunk c3 = make(GROUP_RAID1C3, 3, 1, ROWS);

	(void)state;
	assert_int_equal(chunk_n_mirrors(&c3), 3);
	assert_int_equal(stripe_length(&c3), 512 * KIB);
	for (unsigned mirror = 0; mirror < 3; mirror++)
		is_at(&c3, 70 * KIB, mirror, mirror, 70 * KIB, 442 * KIB);
}

static void raid0_takes_turns(void **state)
{
	const struct chunk chunk = make(GROUP_RAID0, 3, 3, ROWS);

	(void)state;
	assert_int_equal(chunk_n_mirrors(&chunk), 1);
	assert_int_equal(stripe_length(&chunk), 512 * KIB);
	is_at(&chunk, 0, 0, 0, 0, 64 * KIB);
	is_at(&chunk, 64 * KIB - 1, 0, 0, 64 * KIB - 1, 1);
	is_at(&chunk, 64 * KIB, 0, 1, 0, 64 * KIB);
	is_at(&chunk, 3 * 64 * KIB + 4096, 0, 0, 64 * KIB + 4096, 60 * KIB);
	is_at(&chunk, 3 * 512 * KIB - 4096, 0, 2, 512 * KIB - 4096, 4096);
}

static void raid10_takes_turns_with_pairs(void **state)
{
	const struct chunk chunk = make(GROUP_RAID10, 6, 3, ROWS);

	(void)state;
	assert_int_equal(chunk_n_mirrors(&chunk), 2);
	assert_int_equal(stripe_length(&chunk), 512 * KIB);
	is_at(&chunk, 0, 0, 0, 0, 64 * KIB);
	is_at(&chunk, 0, 1, 1, 0, 64 * KIB);
	is_at(&chunk, 2 * 64 * KIB + 4096, 0, 4, 4096, 60 * KIB);
	is_at(&chunk, 2 * 64 * KIB + 4096, 1, 5, 4096, 60 * KIB);
	is_at(&chunk, 4 * 64 * KIB, 1, 3, 64 * KIB, 64 * KIB);
}

/*
 * RAID5 of three, by rows:	D0 D1 P	/ P' D2 D3 / D5 P'' D4...  that is, in row r data i is on stripe (r + i) % 3.
 * RAID6 of four:		D0 D1 P Q / Q D2 D3 P / P Q D4 D5 / D7 P Q D6
 */
static void parity_goes_round(void **state)
{
	const struct chunk five = make(GROUP_RAID5, 3, 2, ROWS), six = make(GROUP_RAID6, 4, 2, ROWS);
	static const unsigned of_five[] = { 0, 1, 1, 2, 2, 0, 0, 1 }, of_six[] = { 0, 1, 1, 2, 2, 3, 3, 0, 0, 1 };

	(void)state;
	assert_int_equal(chunk_n_mirrors(&five), 2);
	assert_int_equal(chunk_n_mirrors(&six), 4);
	assert_int_equal(stripe_length(&five), 512 * KIB);
	for (unsigned i = 0; i < 8; i++)
		is_at(&five, i * 64 * KIB + 8192, 0, of_five[i], i / 2 * 64 * KIB + 8192, 56 * KIB);
	for (unsigned i = 0; i < 10; i++)
		is_at(&six, i * 64 * KIB + 8192, 0, of_six[i], i / 2 * 64 * KIB + 8192, 56 * KIB);
}

/* Row 1 of RAID6 of four, Q D2 D3 P: D3 has weight 2. */
static void sums_say_what_is_missing(void **state)
{
	const struct chunk six = make(GROUP_RAID6, 4, 2, ROWS);
	const uint64_t d3 = LOGICAL + 3 * 64 * KIB + 4096;
	struct stripe_sum sum;
	char text[MIRROR_TEXT_SIZE];

	(void)state;
	assert_false(stripe_is_computed(&six, 0));
	assert_true(stripe_is_computed(&six, 1));
	stripe_sum(&six, d3, 1, &sum);
	assert_int_equal(sum.n, 2);
	assert_int_equal(sum.offset, 64 * KIB + 4096);
	assert_true(sum.stripe[0] == 1 && sum.factor[0] == 1 && sum.stripe[1] == 3 && sum.factor[1] == 1);
	stripe_sum(&six, d3, 2, &sum);	/* (Q + D2) / 2, and 1 / 2 is 0x8e */
	assert_int_equal(sum.n, 2);
	assert_true(sum.stripe[0] == 1 && sum.factor[0] == 0x8e && sum.stripe[1] == 0 && sum.factor[1] == 0x8e);
	stripe_sum(&six, d3, 3, &sum);	/* (P + Q) / 3, and 1 / 3 is 0xf4 */
	assert_int_equal(sum.n, 2);
	assert_true(sum.stripe[0] == 3 && sum.factor[0] == 0xf4 && sum.stripe[1] == 0 && sum.factor[1] == 0xf4);
	assert_string_equal(stripe_text(&six, d3, 0, text), "devid 3, physical 3215360");
	assert_string_equal(stripe_text(&six, d3, 2, text), "computed from parity Q, without devid 3");
	assert_string_equal(stripe_text(&six, d3, 3, text), "computed from both parities, without devid 3 and devid 2");
}

/* Wider than any array: all that an item may name, and all that parity may span. */
static void many_stripes_take_turns(void **state)
{
	const struct chunk wide = make(GROUP_RAID10, CHUNK_STRIPES_MAX, CHUNK_STRIPES_MAX / 2, ROWS);
	const uint64_t row = CHUNK_STRIPES_MAX / 2 * 64 * KIB;
	struct stripe_sum sum;

	(void)state;
	for (unsigned mirror = 0; mirror < 2; mirror++) {
		is_at(&wide, row - 1, mirror, 2040 + mirror, 64 * KIB - 1, 1);
		is_at(&wide, 7 * row + 33 * 64 * KIB, mirror, 66 + mirror, 7 * 64 * KIB, 64 * KIB);
	}

	const struct chunk six = make(GROUP_RAID6, 255, 253, ROWS);

	assert_int_equal(chunk_n_mirrors(&six), 255);
	for (unsigned mirror = 1; mirror < 255; mirror++) {
		stripe_sum(&six, LOGICAL + 100 * 64 * KIB, mirror, &sum);
		assert_int_equal(sum.n, 253);
		for (unsigned k = 0; k < sum.n; k++)
			assert_true(sum.stripe[k] < 255 && sum.stripe[k] != 100 && sum.factor[k] != 0);
	}
}

/*
 * What a kernel (6.18) did: where in its devices each of these sectors of a file was found, by its bytes; the logical address is what filefrag says.
 */
static void is_where_a_kernel_put_it(void **state)
{
	static const struct {
		struct chunk chunk;
		uint64_t at[6];		/* of each stripe */
		struct { uint64_t offset, physical[2]; unsigned stripe; } row[8];
	} made[] = {
		{ { .type = GROUP_DATA | GROUP_RAID0, .n_stripes = 3, .sub_stripes = 1, .logical = 63963136, .length = 201326592 },
		  { 22020096, 42991616, 42991616 },
		  { { 61440, { 22081536 }, 0 }, { 65536, { 42991616 }, 1 }, { 135168, { 42995712 }, 2 }, { 204800, { 22093824 }, 0 },
		    { 528384, { 43126784 }, 2 }, { 1363968, { 43438080 }, 2 }, { 2273280, { 43757568 }, 1 }, { 2863104, { 43954176 }, 1 } } },
		{ { .type = GROUP_DATA | GROUP_RAID10, .n_stripes = 6, .sub_stripes = 2, .logical = 80740352, .length = 201326592 },
		  { 22020096, 1048576, 1048576, 1048576, 59768832, 59768832 },
		  { { 22216704, { 29425664, 8454144 }, 0 }, { 22282240, { 8454144, 8454144 }, 2 }, { 22351872, { 67178496, 67178496 }, 4 },
		    { 22421504, { 29499392, 8527872 }, 0 }, { 22544384, { 67239936, 67239936 }, 4 }, { 23035904, { 29720576, 8749056 }, 0 },
		    { 24489984, { 9220096, 9220096 }, 2 }, { 25079808, { 9416704, 9416704 }, 2 } } },
		{ { .type = GROUP_DATA | GROUP_RAID5, .n_stripes = 4, .sub_stripes = 1, .logical = 63963136, .length = 201326592 },
		  { 22020096, 1048576, 42991616, 42991616 },
		  { { 61440, { 22081536 }, 0 }, { 135168, { 42995712 }, 2 }, { 204800, { 1122304 }, 1 }, { 327680, { 43057152 }, 3 },
		    { 409600, { 43139072 }, 2 }, { 528384, { 22155264 }, 0 }, { 1925120, { 43606016 }, 3 }, { 2273280, { 22786048 }, 0 } } },
		{ { .type = GROUP_DATA | GROUP_RAID6, .n_stripes = 5, .sub_stripes = 1, .logical = 72351744, .length = 201326592 },
		  { 22020096, 1048576, 1048576, 51380224, 51380224 },
		  { { 47382528, { 16842752 }, 1 }, { 47452160, { 16846848 }, 2 }, { 47587328, { 16916480 }, 2 }, { 47710208, { 67239936 }, 4 },
		    { 47910912, { 37949440 }, 0 }, { 48746496, { 67620864 }, 4 }, { 49655808, { 67940352 }, 3 }, { 50245632, { 17805312 }, 1 } } },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(made) / sizeof(made[0]); i++) {
		struct chunk chunk = made[i].chunk;
		const unsigned n_copies = chunk.type & GROUP_RAID10 ? 2 : 1;

		chunk.stripe_len = 64 * KIB;
		chunk.stripe = stripes;
		for (unsigned n = 0; n < chunk.n_stripes; n++)
			stripes[n] = (struct chunk_stripe){ .physical = made[i].at[n] };
		for (size_t row = 0; row < 8; row++)
			for (unsigned mirror = 0; mirror < n_copies; mirror++) {
				const struct stripe_place place = stripe_place(&chunk, chunk.logical + made[i].row[row].offset, mirror);

				assert_int_equal(place.stripe, made[i].row[row].stripe + mirror);
				assert_int_equal(place.physical, made[i].row[row].physical[mirror]);
			}
	}
}

/* --- reading: devices in memory, whose parity is computed here bit by bit -------------------------------------- */

#define SIZE (8 * MIB)

static struct memory_device *memory;
static struct volume volume;

static uint8_t times(uint8_t a, uint8_t b)
{
	uint8_t product = 0;

	for (; b; b >>= 1, a = (uint8_t)(a << 1 ^ (a & 0x80 ? 0x1d : 0)))
		product ^= b & 1 ? a : 0;
	return product;
}

/* The byte at an offset of the chunk: of its place. */
static uint8_t tag(uint64_t offset)
{
	return (uint8_t)((offset * 0x9e3779b97f4a7c15u) >> 53);
}

/* Rows of data with parity behind them, turned by one from row to row. */
static void fill(const struct chunk *chunk, unsigned n_parity)
{
	const unsigned n_data = chunk->n_stripes - n_parity;

	for (uint64_t row = 0; row < ROWS; row++)
		for (uint64_t at = 0; at < 64 * KIB; at++) {
			uint8_t p = 0, q = 0, w = 1;

			for (unsigned i = 0; i < n_data; i++, w = times(w, 2)) {
				const uint8_t data = tag((row * n_data + i) * 64 * KIB + at);
				const unsigned stripe = (unsigned)((row + i) % chunk->n_stripes);

				memory[stripe].bytes[(stripe + 1) * MIB + row * 64 * KIB + at] = data;
				p ^= data;
				q ^= times(w, data);
			}
			for (unsigned i = n_data; i < chunk->n_stripes; i++) {
				const unsigned stripe = (unsigned)((row + i) % chunk->n_stripes);

				memory[stripe].bytes[(stripe + 1) * MIB + row * 64 * KIB + at] = i == n_data ? p : q;
			}
		}
}

static void open_devices(const struct chunk *chunk)
{
	struct error err;

	memory = calloc(N_MAX, sizeof(*memory));
	assert_non_null(memory);
	volume = (struct volume){ .super = { .devid = 1, .sector_size = 4096, .n_devices = chunk->n_stripes } };
	volume.devices = calloc(N_MAX, sizeof(*volume.devices));
	assert_non_null(volume.devices);
	for (unsigned i = 0; i < chunk->n_stripes; i++) {
		struct volume_device *device = &volume.devices[i];

		memory[i].bytes = calloc(1, memory[i].len = SIZE);
		assert_non_null(memory[i].bytes);
		device->device = memory_device(&memory[i], "memory", SIZE, false);
		device->devid = i + 1;
		device->uuid[0] = (uint8_t)(i + 1);
		device->size = SIZE;
	}
	volume.n_devices = chunk->n_stripes;
	if (!chunk_map_add(&volume, chunk, &err))
		fail_msg("%s", err.text);
}

static void close_devices(void)
{
	volume_devices_close(&volume);
	chunk_map_free(&volume);
	free(volume.row);
	for (unsigned i = 0; i < N_MAX; i++)
		free(memory[i].bytes);
	free(memory);
}

static bool is_tagged(const uint8_t *bytes, uint64_t offset, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (bytes[i] != tag(offset + i))
			return false;
	return true;
}

/* Every mirror of the whole chunk, as long as no device fails, is the data. */
static void computes_every_mirror(uint64_t profile, unsigned n, unsigned n_parity)
{
	const struct chunk chunk = make(profile, n, n - n_parity, ROWS);
	uint8_t *bytes = malloc(chunk.length);
	struct error err;

	assert_non_null(bytes);
	open_devices(&chunk);
	fill(&chunk, n_parity);
	for (unsigned mirror = 0; mirror < chunk_n_mirrors(&chunk); mirror++) {
		/* From the middle of one stripe to that of another; lengths no vector unit likes. */
		memset(bytes, 0, chunk.length);
		assert_true(volume_read(&volume, LOGICAL + 4099, bytes, chunk.length - 4099 - 13, mirror, &err));
		assert_true(is_tagged(bytes, 4099, chunk.length - 4099 - 13));
		assert_true(volume_read(&volume, LOGICAL + 5, bytes, 7, mirror, &err) && is_tagged(bytes, 5, 7));
	}
	free(bytes);
	close_devices();
}

static void every_mirror_of_every_width(void **state)
{
	(void)state;
	for (unsigned n = 2; n <= N_MAX; n++)
		computes_every_mirror(GROUP_RAID5, n, 1);
	for (unsigned n = 3; n <= N_MAX; n++)
		computes_every_mirror(GROUP_RAID6, n, 2);
}

/* Any two of six devices fail to read, or are not there: all is read all the same; with a third one, not all. */
static void raid6_survives_any_two(void **state)
{
	const struct chunk chunk = make(GROUP_RAID6, N_MAX, N_MAX - 2, ROWS);
	uint8_t *bytes = malloc(chunk.length);
	struct error err;

	(void)state;
	assert_non_null(bytes);
	open_devices(&chunk);
	fill(&chunk, 2);
	for (unsigned a = 0; a < N_MAX; a++)
		for (unsigned b = a + 1; b < N_MAX; b++) {
			struct device *kept = volume.devices[b].device;

			memory[a].fails = true;
			volume.devices[b].device = NULL;
			memset(bytes, 0, chunk.length);
			if (!volume_read_any(&volume, LOGICAL, bytes, chunk.length, &err))
				fail_msg("without %u and %u: %s", a, b, err.text);
			assert_true(is_tagged(bytes, 0, chunk.length));
			memory[(b + 1) % N_MAX == a ? (b + 2) % N_MAX : (b + 1) % N_MAX].fails = true;
			assert_false(volume_read_any(&volume, LOGICAL, bytes, chunk.length, &err));
			for (unsigned i = 0; i < N_MAX; i++)
				memory[i].fails = false;
			volume.devices[b].device = kept;
		}
	free(bytes);
	close_devices();
}

/* One of each pair, not the same one: no mirror is whole, every part of it is on one. */
static void raid10_takes_each_part_where_it_is(void **state)
{
	const struct chunk chunk = make(GROUP_RAID10, 4, 2, ROWS);
	struct device *gone[2];
	uint8_t *bytes = malloc(chunk.length);
	struct error err;

	(void)state;
	assert_non_null(bytes);
	open_devices(&chunk);
	for (uint64_t offset = 0; offset < chunk.length; offset++)
		for (unsigned mirror = 0; mirror < 2; mirror++) {
			const struct stripe_place place = stripe_place(&chunk, LOGICAL + offset, mirror);

			memory[place.stripe].bytes[place.physical] = tag(offset);
		}
	gone[0] = volume.devices[0].device;
	gone[1] = volume.devices[3].device;
	volume.devices[0].device = volume.devices[3].device = NULL;
	assert_false(volume_read(&volume, LOGICAL, bytes, chunk.length, 0, &err));
	assert_string_equal(err.text, "devid 1 is missing");
	assert_false(volume_read(&volume, LOGICAL, bytes, chunk.length, 1, &err));
	assert_string_equal(err.text, "devid 4 is missing");
	assert_true(volume_read_any(&volume, LOGICAL, bytes, chunk.length, &err));
	assert_true(is_tagged(bytes, 0, chunk.length));
	assert_false(volume_has_mirror(&volume, LOGICAL, chunk.length, 0));
	assert_false(volume_has_mirror(&volume, LOGICAL, 4096, 0));
	assert_true(volume_has_mirror(&volume, LOGICAL, 4096, 1));
	assert_true(volume_has_mirror(&volume, LOGICAL + 64 * KIB, 4096, 0));
	volume.devices[0].device = gone[0];
	volume.devices[3].device = gone[1];
	free(bytes);
	close_devices();
}

struct seen { unsigned n_data; uint64_t next; unsigned n_parity, n_ranges; };

static bool see_range(void *context, const struct device_range *range, struct error *err)
{
	struct seen *seen = context;
	const uint64_t offset = range->logical - LOGICAL, row = offset / (64 * KIB) / seen->n_data, within = offset % (64 * KIB);
	const uint8_t *bytes = memory[range->devid - 1].bytes + range->physical;

	(void)err;
	seen->n_ranges++;
	assert_ptr_equal(range->device->self, &memory[range->devid - 1]);
	assert_in_range(range->len, 1, 64 * KIB - within);
	if (!range->parity) {
		assert_int_equal(offset, seen->next);
		assert_true(is_tagged(bytes, offset, range->len));
		seen->next += range->len;
		seen->n_parity = 0;
		return true;
	}
	assert_int_equal(range->parity, ++seen->n_parity);
	for (uint64_t at = 0; at < range->len; at++) {
		uint8_t sum = 0, w = 1;

		for (unsigned i = 0; i < seen->n_data; i++, w = times(w, 2))
			sum ^= times(range->parity == 1 ? 1 : w, tag((row * seen->n_data + i) * 64 * KIB + within + at));
		assert_int_equal(bytes[at], sum);
	}
	return true;
}

/* Each piece of a range, and after it the parity that changes with it. */
static void ranges_name_their_parity(void **state)
{
	(void)state;
	for (unsigned n_parity = 1; n_parity <= 2; n_parity++) {
		const struct chunk chunk = make(n_parity == 1 ? GROUP_RAID5 : GROUP_RAID6, 5, 5 - n_parity, ROWS);
		struct seen seen = { .n_data = 5 - n_parity, .next = 40 * KIB };
		struct error err;

		open_devices(&chunk);
		fill(&chunk, n_parity);
		assert_true(device_ranges(&volume, LOGICAL + 40 * KIB, 400 * KIB, see_range, &seen, &err));
		assert_int_equal(seen.next, 440 * KIB);
		assert_int_equal(seen.n_ranges, 7 * (1 + n_parity));
		close_devices();
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(copies_are_whole),
		cmocka_unit_test(raid0_takes_turns),
		cmocka_unit_test(raid10_takes_turns_with_pairs),
		cmocka_unit_test(parity_goes_round),
		cmocka_unit_test(many_stripes_take_turns),
		cmocka_unit_test(is_where_a_kernel_put_it),
		cmocka_unit_test(sums_say_what_is_missing),
		cmocka_unit_test(every_mirror_of_every_width),
		cmocka_unit_test(raid6_survives_any_two),
		cmocka_unit_test(raid10_takes_each_part_where_it_is),
		cmocka_unit_test(ranges_name_their_parity),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The chunk map: what may be in it, where addresses lead, and what of it is reserved. */
#include "common/volume/chunk-map.h"
#include "common/volume/device-extents.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "common/volume/devices.h"
#include "common/volume/mirror.h"
#include "tests/unit/fault-device.h"
#include "tests/unit/memory-device.h"

#define MIB (1ull << 20)
#define DEVICE_SIZE (300ull << 30)

static struct access {
	uint64_t at[4];
	size_t len[4];
	unsigned n;
} access;

static void note(size_t len, uint64_t at)
{
	access.at[access.n] = at;
	access.len[access.n++] = len;
}

static bool note_read(void *bytes, size_t len, uint64_t at, struct error *err)
{
	(void)bytes, (void)err;
	note(len, at);
	return true;
}

static bool note_write(const void *bytes, size_t len, uint64_t at, bool *lost, struct error *err)
{
	(void)bytes, (void)err;
	note(len, at);
	*lost = true;
	return true;
}

static struct memory_device zeros;
static struct volume volume;

static int make_volume(void **state)
{
	static const struct fault_hooks hooks = { .read = note_read, .write = note_write };

	(void)state;
	access = (struct access){ .n = 0 };
	volume = (struct volume){ .super = { .devid = 1, .sector_size = 4096 } };
	volume.device = fault_device(&hooks, "memory", memory_device(&zeros, "memory", DEVICE_SIZE, true));
	volume.devices = calloc(1, sizeof(*volume.devices));
	assert_non_null(volume.devices);
	volume.devices[0] = (struct volume_device){ .device = volume.device, .devid = 1, .size = DEVICE_SIZE };
	volume.n_devices = 1;
	return 0;
}

static int free_volume(void **state)
{
	(void)state;
	chunk_map_free(&volume);
	volume_devices_close(&volume);
	return 0;
}

/* Where add() and refuse() find the stripes of the chunk that was made last. */
static struct chunk_stripe stripes[2];

static struct chunk single(uint64_t logical, uint64_t length, uint64_t physical)
{
	stripes[0] = (struct chunk_stripe){ .devid = 1, .physical = physical };
	return (struct chunk){ .logical = logical, .length = length, .type = GROUP_DATA, .n_stripes = 1, .stripe = stripes };
}

static struct chunk dup(uint64_t logical, uint64_t length, uint64_t first, uint64_t second)
{
	stripes[0] = (struct chunk_stripe){ .devid = 1, .physical = first };
	stripes[1] = (struct chunk_stripe){ .devid = 1, .physical = second };
	return (struct chunk){ .logical = logical, .length = length, .type = GROUP_METADATA | GROUP_DUP, .n_stripes = 2,
			       .stripe = stripes };
}

static void add(struct chunk chunk)
{
	struct error err;

	if (!chunk_map_add(&volume, &chunk, &err))
		fail_msg("%s", err.text);
}

static void refuse(struct chunk chunk, enum error_kind kind, const char *text)
{
	const size_t n = volume.n_chunks;
	struct error err = { 0 };

	assert_false(chunk_map_add(&volume, &chunk, &err));
	assert_int_equal(err.kind, kind);
	assert_string_equal(err.text, text);
	assert_int_equal(volume.n_chunks, n);
}

static void maps_every_address_of_many_chunks_in_any_order(void **state)
{
	const struct chunk *chunk;
	struct error err;

	(void)state;
	for (uint64_t i = 0; i < 1000; i++) {
		const uint64_t n = i * 377 % 1000;	/* coprime: a permutation */

		add(single(10 * MIB + n * 2 * MIB, MIB, 2 * MIB + i * MIB));
	}
	assert_int_equal(volume.n_chunks, 1000);
	assert_true(device_extents_check(&volume, &err));
	for (uint64_t i = 0; i < 1000; i++) {
		const uint64_t logical = 10 * MIB + (i * 377 % 1000) * 2 * MIB;

		assert_true(volume_chunk(&volume, logical, &chunk, &err));
		assert_true(chunk->logical == logical);
		assert_true(volume_chunk(&volume, logical + MIB - 1, &chunk, &err));
		assert_true(chunk_physical(chunk, logical + MIB - 1, 0) == 2 * MIB + i * MIB + MIB - 1);
		assert_false(volume_chunk(&volume, logical + MIB, &chunk, &err));
		assert_false(volume_chunk(&volume, logical - 1, &chunk, &err));
	}
	assert_false(volume_chunk(&volume, 0, &chunk, &err));
	assert_false(volume_chunk(&volume, UINT64_MAX, &chunk, &err));
	assert_int_equal(err.kind, ERROR_CORRUPT);
	assert_string_equal(err.text, "logical address 18446744073709551615 is in no chunk");
}

static void refuses_what_cannot_be(void **state)
{
	struct chunk chunk;

	(void)state;
	add(dup(4 * MIB, 4 * MIB, 2 * MIB, 6 * MIB));
	add(dup(4 * MIB, 4 * MIB, 2 * MIB, 6 * MIB));	/* as the superblock and the chunk tree both say */
	assert_int_equal(volume.n_chunks, 1);
	refuse(dup(4 * MIB, 4 * MIB, 2 * MIB, 10 * MIB), ERROR_CORRUPT,
	       "chunk 4194304: 4194304 bytes overlap chunk 4194304 of 4194304 bytes");
	refuse(single(8 * MIB - 4096, MIB, 20 * MIB), ERROR_CORRUPT,
	       "chunk 8384512: 1048576 bytes overlap chunk 4194304 of 4194304 bytes");
	refuse(single(3 * MIB, MIB + 4096, 20 * MIB), ERROR_CORRUPT,
	       "chunk 3145728: 1052672 bytes overlap chunk 4194304 of 4194304 bytes");
	refuse(single(0, UINT64_MAX - 4095, 20 * MIB), ERROR_CORRUPT,
	       "chunk 0: 18446744073709547520 bytes overlap chunk 4194304 of 4194304 bytes");
	refuse(single(8 * MIB, MIB, DEVICE_SIZE - MIB + 4096), ERROR_CORRUPT,
	       "chunk 8388608: stripe 0 is 1048576 bytes at 322121502720, the device has 322122547200");
	refuse(single(8 * MIB, MIB, UINT64_MAX - 4095), ERROR_CORRUPT,
	       "chunk 8388608: stripe 0 is 1048576 bytes at 18446744073709547520, the device has 322122547200");
	refuse(single(8 * MIB, MIB, 20 * MIB + 512), ERROR_CORRUPT,
	       "chunk 8388608: stripe 0 is at 20972032, not a multiple of the sector size 4096");

	chunk = dup(8 * MIB, MIB, 20 * MIB, 30 * MIB);
	chunk.stripe[1].devid = 2;
	refuse(chunk, ERROR_CORRUPT, "chunk 8388608: stripe 1: is on device 2, which is not this one (1, or another uuid)");
	chunk.stripe[1].devid = 1;
	chunk.stripe[1].dev_uuid[15] = 1;
	refuse(chunk, ERROR_CORRUPT, "chunk 8388608: stripe 1: is on device 1, which is not this one (1, or another uuid)");
}

static void refuses_two_chunks_on_the_same_bytes(void **state)
{
	struct error err = { 0 };

	(void)state;
	add(single(4 * MIB, MIB, 2 * MIB));
	add(dup(8 * MIB, MIB, 4 * MIB, 3 * MIB));
	assert_true(device_extents_check(&volume, &err));
	add(dup(16 * MIB, MIB, 9 * MIB, 3 * MIB - 4096));
	assert_false(device_extents_check(&volume, &err));
	assert_int_equal(err.kind, ERROR_CORRUPT);
	assert_string_equal(err.text, "chunk 16777216: its stripe at 3141632 of the device overlaps one of chunk 4194304");
}

static void reads_one_mirror_and_writes_all(void **state)
{
	struct error err = { 0 };
	uint8_t bytes[8192];

	(void)state;
	add(dup(4 * MIB, MIB, 2 * MIB, 7 * MIB));
	assert_true(volume_read(&volume, 4 * MIB + 4096, bytes, 8192, 1, &err));
	assert_int_equal(access.n, 1);
	assert_true(access.at[0] == 7 * MIB + 4096 && access.len[0] == 8192);
	assert_true(volume_write(&volume, 5 * MIB - 8192, bytes, 8192, &err));
	assert_int_equal(access.n, 3);
	assert_true(access.at[1] == 3 * MIB - 8192 && access.at[2] == 8 * MIB - 8192);

	assert_false(volume_read(&volume, 5 * MIB - 4096, bytes, 8192, 0, &err));
	assert_string_equal(err.text, "8192 bytes at logical address 5238784 go past the end of chunk 4194304 of 1048576 bytes");
	assert_false(volume_write(&volume, 5 * MIB - 4096, bytes, 8192, &err));
	assert_false(volume_read(&volume, 4 * MIB, bytes, 4096, 2, &err));
	assert_string_equal(err.text, "logical address 4194304 has 2 mirrors, not 3");
	assert_int_equal(err.kind, ERROR_CORRUPT);
	assert_int_equal(access.n, 3);
}

static void knows_what_is_reserved(void **state)
{
	const uint64_t gib = 1ull << 30;

	(void)state;
	add(single(0, 4 * MIB, 0));				/* as old mkfs did */
	add(dup(gib, 64 * MIB, 40 * MIB, 200 * MIB));		/* 64 MiB is at 24 MiB of mirror 0 */
	add(dup(2 * gib, gib, 10 * gib, 256 * gib - 128 * 1024));	/* 256 GiB is at 128 KiB of mirror 1 */

	assert_true(volume_range_is_reserved(&volume, 0, 1));
	assert_true(volume_range_is_reserved(&volume, MIB - 1, 1));
	assert_false(volume_range_is_reserved(&volume, MIB, MIB));
	assert_true(volume_skip_reserved(&volume, 4096, 4096) == MIB);
	assert_true(volume_skip_reserved(&volume, 0, 3 * MIB) == MIB);
	assert_true(volume_skip_reserved(&volume, 0, 3 * MIB + 1) == UINT64_MAX);

	const uint64_t primary = gib + 24 * MIB;

	assert_false(volume_range_is_reserved(&volume, primary - 4096, 4096));
	assert_true(volume_range_is_reserved(&volume, primary - 4096, 4097));
	assert_true(volume_range_is_reserved(&volume, primary, 4096));
	assert_true(volume_range_is_reserved(&volume, primary + SUPER_STRIPE - 1, 1));
	assert_false(volume_range_is_reserved(&volume, primary + SUPER_STRIPE, MIB));
	assert_true(volume_range_is_reserved(&volume, gib, 64 * MIB));
	assert_true(volume_skip_reserved(&volume, gib, 24 * MIB) == gib);
	assert_true(volume_skip_reserved(&volume, gib, 24 * MIB + 1) == primary + SUPER_STRIPE);
	assert_true(volume_skip_reserved(&volume, gib, 40 * MIB) == UINT64_MAX);

	assert_true(volume_range_is_reserved(&volume, 2 * gib + 128 * 1024, 4096));
	assert_true(volume_skip_reserved(&volume, 2 * gib, MIB) == 2 * gib + 192 * 1024);
	assert_true(volume_skip_reserved(&volume, 3 * gib - 4096, 4096) == 3 * gib - 4096);

	assert_true(volume_range_is_reserved(&volume, 5 * gib, 1));			/* in no chunk */
	assert_true(volume_range_is_reserved(&volume, gib + 64 * MIB - 4096, 8192));	/* leaves its chunk */
	assert_true(volume_skip_reserved(&volume, 5 * gib, 1) == UINT64_MAX);
	assert_true(volume_skip_reserved(&volume, gib, UINT64_MAX) == UINT64_MAX);
}

/* Stripes on one device are enough for this: the second row of the last one is where a superblock is. */
static struct chunk striped(uint64_t logical, uint64_t profile, uint64_t base)
{
	static struct chunk_stripe stripe[3];
	const unsigned n = profile == GROUP_RAID0 ? 2 : 3;

	for (unsigned i = 0; i < n; i++)
		stripe[i] = (struct chunk_stripe){ .devid = 1, .physical = i + 1 < n ? base + i * MIB : SUPER_OFFSET_1 - SUPER_STRIPE };
	return (struct chunk){ .logical = logical, .length = 2 * 4 * 64 * 1024, .type = GROUP_DATA | profile, .stripe_len = 64 * 1024,
			       .n_stripes = n, .sub_stripes = 1, .stripe = stripe };
}

static void looks_at_every_stripe(void **state)
{
	const uint64_t stripe = 64 * 1024;

	(void)state;
	add(striped(4 * MIB, GROUP_RAID0, 100 * MIB));
	assert_false(volume_range_is_reserved(&volume, 4 * MIB, 3 * stripe));
	assert_true(volume_range_is_reserved(&volume, 4 * MIB, 3 * stripe + 1));
	assert_true(volume_range_is_reserved(&volume, 4 * MIB + 3 * stripe, stripe));
	assert_false(volume_range_is_reserved(&volume, 4 * MIB + 4 * stripe, 4 * stripe));
	assert_true(volume_skip_reserved(&volume, 4 * MIB + stripe, 2 * stripe) == 4 * MIB + stripe);
	assert_true(volume_skip_reserved(&volume, 4 * MIB + stripe, 3 * stripe) == 4 * MIB + 4 * stripe);
}

/* In row 1 it is data of index 1 that are there; but all of the row is reserved. */
static void reserves_whole_rows(void **state)
{
	const uint64_t row = 2 * 64 * 1024;

	(void)state;
	add(striped(4 * MIB, GROUP_RAID5, 100 * MIB));
	assert_false(volume_range_is_reserved(&volume, 4 * MIB, row));
	assert_true(volume_range_is_reserved(&volume, 4 * MIB, row + 1));
	assert_true(volume_range_is_reserved(&volume, 4 * MIB + row, 1));
	assert_true(volume_range_is_reserved(&volume, 4 * MIB + 2 * row - 1, 1));
	assert_false(volume_range_is_reserved(&volume, 4 * MIB + 2 * row, 2 * row));
	assert_true(volume_skip_reserved(&volume, 4 * MIB + 4096, row) == 4 * MIB + 2 * row);
}

#define with_volume(test) cmocka_unit_test_setup_teardown(test, make_volume, free_volume)

int main(void)
{
	const struct CMUnitTest tests[] = {
		with_volume(maps_every_address_of_many_chunks_in_any_order),
		with_volume(refuses_what_cannot_be),
		with_volume(refuses_two_chunks_on_the_same_bytes),
		with_volume(reads_one_mirror_and_writes_all),
		with_volume(knows_what_is_reserved),
		with_volume(looks_at_every_stripe),
		with_volume(reserves_whole_rows),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the tests of writing with parity share: a chunk on devices in memory, whose data are known and have checksums. */
#ifndef TESTS_UNIT_PARITY_FIXTURE_H
#define TESTS_UNIT_PARITY_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "common/volume/chunk-map.h"
#include "common/volume/csum.h"
#include "common/volume/devices.h"
#include "common/volume/mirror.h"
#include "common/volume/parity-row.h"
#include "common/volume/parity-write.h"
#include "tests/unit/fault-device.h"
#include "tests/unit/memory-device.h"
#include "tests/unit/ok.h"

#define KIB 1024ull
#define MIB (1024 * KIB)
#define LOGICAL (100 * MIB)
#define ROWS 4u
#define N_MAX 6u
#define SIZE (7 * MIB)
#define SECTOR 4096u
#define STRIPE (64 * KIB)
#define SECTORS_MAX ((N_MAX - 1) * ROWS * 16)

static struct chunk_stripe stripes[N_MAX];
static struct memory_device *memory;
static struct volume volume;
static struct chunk chunk;
static uint8_t *want;			/* the data, by offset in the chunk */
static uint8_t *right;			/* those that checksums are of */
static bool known[SECTORS_MAX];		/* has a checksum */
static unsigned n_reports;
static char report[512];
static unsigned lose;			/* the device, from 1, that writes do not get to; 0: none */
static uint64_t seed;

static uint32_t random_below(uint32_t n)
{
	seed = seed * 6364136223846793005u + 1442695040888963407u;
	return (uint32_t)((seed >> 33) % n);
}

static bool lookup(struct volume *of, uint64_t logical, uint64_t len, volume_csum_visit *visit, void *context, struct error *err)
{
	const size_t first = (size_t)(logical - LOGICAL) / SECTOR;

	assert_ptr_equal(of, &volume);
	for (size_t i = first; i < first + len / SECTOR; i++) {
		uint8_t csum[CSUM_SIZE];

		csum_compute(CSUM_CRC32C, right + i * SECTOR, SECTOR, csum);
		if (known[i] && !visit(context, LOGICAL + i * SECTOR, 1, csum, err))
			return false;
	}
	return true;
}

static void take_report(void *context, const struct report *r)
{
	(void)context;
	n_reports++;
	snprintf(report, sizeof(report), "%s", r->text);
}

static bool lose_write(unsigned device, bool *lost)
{
	*lost = lose == device;
	return true;
}
#define LOSER(n) static bool lose_##n(const void *b, size_t l, uint64_t a, bool *lost, struct error *e) \
	{ (void)b, (void)l, (void)a, (void)e; return lose_write(n, lost); }
LOSER(1) LOSER(2) LOSER(3) LOSER(4) LOSER(5) LOSER(6)

/* A chunk of n devices with pseudorandom data that all have checksums. */
static void make(uint64_t profile, unsigned n)
{
	static const struct fault_hooks hooks[N_MAX] = {
		{ .write = lose_1 }, { .write = lose_2 }, { .write = lose_3 }, { .write = lose_4 }, { .write = lose_5 }, { .write = lose_6 },
	};
	const unsigned n_data = n - (profile & GROUP_RAID6 ? 2 : 1);

	seed = n * 2 + (profile == GROUP_RAID6);
	chunk = (struct chunk){ .logical = LOGICAL, .length = n_data * ROWS * STRIPE, .type = GROUP_DATA | profile,
				.stripe_len = STRIPE, .n_stripes = n, .sub_stripes = 1, .stripe = stripes };
	memory = calloc(N_MAX, sizeof(*memory));
	volume = (struct volume){ .super = { .devid = 1, .sector_size = SECTOR, .node_size = 4 * SECTOR, .n_devices = n, .csum_type = CSUM_CRC32C },
				  .csum_lookup = lookup, .reporter = { .take = take_report } };
	volume.devices = calloc(N_MAX, sizeof(*volume.devices));
	want = malloc(chunk.length);
	right = malloc(chunk.length);
	assert_true(memory && volume.devices && want && right);
	for (unsigned i = 0; i < n; i++) {
		struct volume_device *device = &volume.devices[i];

		stripes[i] = (struct chunk_stripe){ .devid = i + 1, .physical = (i + 1) * MIB, .dev_uuid = { (uint8_t)(i + 1) } };
		memory[i].bytes = calloc(1, memory[i].len = SIZE);
		assert_non_null(memory[i].bytes);
		device->device = fault_device(&hooks[i], "device", memory_device(&memory[i], "memory", SIZE, true));
		device->devid = i + 1;
		device->uuid[0] = (uint8_t)(i + 1);
		device->size = SIZE;
	}
	volume.n_devices = n;
	ok(chunk_map_add(&volume, &chunk, err));
	for (size_t i = 0; i < chunk.length; i++)
		want[i] = (uint8_t)random_below(256);
	memcpy(right, want, chunk.length);
	memset(known, true, sizeof(known));
	lose = n_reports = 0;
	ok(volume_write(&volume, LOGICAL, want, chunk.length, err));
}

static void unmake(void)
{
	parity_row_free(&volume);
	volume_devices_close(&volume);
	chunk_map_free(&volume);
	free(volume.row);
	for (unsigned i = 0; i < N_MAX; i++)
		free(memory[i].bytes);
	free(memory);
	free(want);
	free(right);
}

/* Every way but the first of (not) reads what is wanted. */
static void mirrors_have(uint64_t offset, size_t len, unsigned first)
{
	uint8_t *bytes = malloc(len);

	assert_non_null(bytes);
	for (unsigned mirror = first; mirror < chunk_n_mirrors(&chunk); mirror++) {
		ok(volume_read(&volume, LOGICAL + offset, bytes, len, mirror, err));
		if (memcmp(bytes, want + offset, len) != 0)
			fail_msg("mirror %u at %llu", mirror, (unsigned long long)offset);
	}
	free(bytes);
}

/* New bytes, whose checksums are known. */
static void change(uint64_t offset, size_t len)
{
	for (size_t i = 0; i < len; i++)
		want[offset + i] = right[offset + i] = (uint8_t)random_below(256);
}

static void write_new(uint64_t offset, size_t len)
{
	change(offset, len);
	ok(volume_write(&volume, LOGICAL + offset, want + offset, len, err));
}

static uint8_t *on_disk(uint64_t offset)
{
	const struct stripe_place place = stripe_place(&chunk, LOGICAL + offset, 0);

	return memory[place.stripe].bytes + place.physical;
}

static uint8_t *parity_on_disk(uint64_t offset, unsigned parity)
{
	const struct stripe_place place = stripe_parity(&chunk, LOGICAL + offset, parity);

	return memory[place.stripe].bytes + place.physical;
}

static void rot(uint8_t *bytes)
{
	for (unsigned i = 0; i < SECTOR; i += 7)
		bytes[i] ^= (uint8_t)(1 + random_below(255));
}

static bool is_on_disk(uint64_t offset)
{
	return memcmp(on_disk(offset), want + offset, SECTOR) == 0;
}

static bool settle(uint64_t offset, uint64_t len, enum parity_doubt doubt)
{
	bool changed = false;

	ok(volume_settle_parity(&volume, LOGICAL + offset, len, doubt, &changed, err));
	return changed;
}

static const struct form { uint64_t profile; unsigned n; } forms[] = { { GROUP_RAID5, 3 }, { GROUP_RAID5, 5 }, { GROUP_RAID6, 4 }, { GROUP_RAID6, 6 } };
#define each_form for (const struct form *form = forms; form < forms + 4; form++)

/* Row 1 begins here. Its first two sectors in a column: */
#define ONE ((chunk.n_stripes - stripe_n_parity(&chunk)) * STRIPE + 5 * SECTOR)
#define OTHER (ONE + STRIPE)

#endif /* TESTS_UNIT_PARITY_FIXTURE_H */

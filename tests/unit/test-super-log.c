/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The logs of superblocks of a zoned device: the newest is found in every state, with few reads, and nothing else is taken for one. */
#include "common/volume/super-log.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "common/volume/csum.h"
#include "common/volume/supers.h"
#include "tests/unit/fault-device.h"
#include "tests/unit/memory-device.h"

#define MIB (1ull << 20)
#define GIB (1ull << 30)

/* n superblocks that follow each other, of generations from first on; the rest of the device is zeros. */
static struct run {
	uint64_t at, n, first;
	uint64_t zone;		/* what its superblocks say */
	unsigned copy;
	bool is_plain;		/* of a filesystem that is not zoned */
} runs[4];
static uint64_t damaged[4];	/* addresses of superblocks whose checksum does not match */
static uint64_t wiped;		/* one that is zeros */

static void make_super(const struct run *run, uint64_t i, struct disk_superblock *disk)
{
	const struct disk_key key = { to_le64(FIRST_CHUNK_TREE_ID), KEY_CHUNK_ITEM, to_le64(MIB) };
	const struct disk_chunk chunk = { .length = to_le64(run->zone), .stripe_len = to_le64(65536), .num_stripes = to_le16(1),
					  .type = to_le64(GROUP_SYSTEM) };

	memset(disk, 0, sizeof(*disk));
	memcpy(disk->magic, SUPER_MAGIC, sizeof(disk->magic));
	disk->bytenr = to_le64(superblock_offset(run->copy));
	disk->generation = to_le64(run->first + i);
	disk->incompat_flags = to_le64(run->is_plain ? 0 : INCOMPAT_ZONED);
	disk->num_devices = to_le64(1);
	disk->sectorsize = disk->nodesize = to_le32(4096);
	disk->root = disk->chunk_root = to_le64(MIB);
	disk->sys_chunk_array_size = to_le32(sizeof(key) + sizeof(chunk) + sizeof(struct disk_stripe));
	memcpy(disk->sys_chunk_array, &key, sizeof(key));
	memcpy(disk->sys_chunk_array + sizeof(key), &chunk, sizeof(chunk));
	csum_block_update(CSUM_CRC32C, (uint8_t *)disk, SUPER_SIZE);
}

/* The device has no bytes of its own: they are made when they are read. */
static bool make_bytes(void *bytes, size_t len, uint64_t at, struct error *err)
{
	(void)err;
	assert_int_equal(len, SUPER_SIZE);
	for (size_t i = 0; i < sizeof(runs) / sizeof(runs[0]); i++)
		if (at >= runs[i].at && (at - runs[i].at) / SUPER_SIZE < runs[i].n && (at - runs[i].at) % SUPER_SIZE == 0)
			make_super(&runs[i], (at - runs[i].at) / SUPER_SIZE, bytes);
	for (size_t i = 0; i < sizeof(damaged) / sizeof(damaged[0]); i++)
		if (damaged[i] && damaged[i] == at)
			((uint8_t *)bytes)[3000] ^= 1;
	if (wiped == at)
		memset(bytes, 0, len);
	return true;
}

static struct super_copy copies[SUPER_COPIES];

static void find(uint64_t size)
{
	static const struct fault_hooks hooks = { .read = make_bytes };
	struct memory_device zeros = { 0 };
	struct device *device = fault_device(&hooks, "memory", memory_device(&zeros, "memory", size, false));

	super_copies_find(device, copies);
	device_close(device);
	assert_in_range(zeros.n_reads, 1, 400);
}

/* Copy 0 is at where, the only one. */
static void is_found(uint64_t size, uint64_t where)
{
	find(size);
	assert_true(copies[0].valid);
	assert_int_equal(copies[0].where, where);
	assert_false(copies[1].exists || copies[2].exists);
}

static int start(void **state)
{
	(void)state;
	memset(runs, 0, sizeof(runs));
	memset(damaged, 0, sizeof(damaged));
	wiped = UINT64_MAX;
	return 0;
}

/* Of every size that zones have, and every length that is an edge of halving. */
static void the_last_one_counts(void **state)
{
	(void)state;
	for (uint64_t zone = ZONE_SIZE_MIN; zone <= ZONE_SIZE_MAX; zone *= 2) {
		const uint64_t full = zone / SUPER_SIZE;
		const uint64_t lengths[] = { 1, 2, 3, 15, 16, 17, 18, 100, full - 1, full };

		for (size_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
			const uint64_t n = lengths[i];

			runs[0] = (struct run){ 0, n, 1000, zone, 0, false };
			runs[1] = (struct run){ 0 };
			is_found(20 * GIB, (n - 1) * SUPER_SIZE);
			/* In the second one, of which the first is full. */
			runs[0] = (struct run){ 0, full, 10, zone, 0, false };
			runs[1] = (struct run){ zone, n, 10 + full, zone, 0, false };
			is_found(20 * GIB, zone + (n - 1) * SUPER_SIZE);
			/* In the first one again. */
			runs[0] = (struct run){ 0, n, 10 + full, zone, 0, false };
			runs[1] = (struct run){ zone, full, 10, zone, 0, false };
			is_found(20 * GIB, (n - 1) * SUPER_SIZE);
			/* The first one emptied. */
			runs[0] = (struct run){ 0 };
			runs[1] = (struct run){ zone, n, 10, zone, 0, false };
			is_found(20 * GIB, zone + (n - 1) * SUPER_SIZE);
		}
	}
}

/* fsync writes superblocks of one generation: the zone that is not full has the newest. */
static void equal_generations_are_told_apart(void **state)
{
	const uint64_t full = 4 * MIB / SUPER_SIZE;

	(void)state;
	runs[0] = (struct run){ 0, full / 2, 10000, 4 * MIB, 0, false };
	runs[1] = (struct run){ 4 * MIB, full, 10000 + full / 2 - full, 4 * MIB, 0, false };
	is_found(GIB, (full / 2 - 1) * SUPER_SIZE);
	runs[0] = (struct run){ 0, full, 10000, 4 * MIB, 0, false };
	runs[1] = (struct run){ 4 * MIB, 1, 10000 + full - 1, 4 * MIB, 0, false };
	is_found(GIB, 4 * MIB);
}

static void damaged_ones_are_left_out(void **state)
{
	(void)state;
	runs[0] = (struct run){ 0, 1000, 10, 256 * MIB, 0, false };
	damaged[0] = 999 * SUPER_SIZE;
	is_found(GIB, 998 * SUPER_SIZE);
	assert_int_equal(copies[0].n_damaged, 1);
	assert_int_equal(copies[0].super.generation, 1008);
	damaged[1] = 998 * SUPER_SIZE;
	is_found(GIB, 997 * SUPER_SIZE);
	assert_int_equal(copies[0].n_damaged, 2);
	/* What is not even like one does not end the log, wherever it is. */
	start(NULL);
	for (uint64_t i = 0; i < 999; i++) {
		runs[0] = (struct run){ 0, 1000, 10, 256 * MIB, 0, false };
		wiped = i * SUPER_SIZE;
		is_found(GIB, 999 * SUPER_SIZE);
	}
}

/* A file of somebody can have anything, and can be where a zone of another size would begin. */
static void what_only_looks_like_one_is_not_taken(void **state)
{
	(void)state;
	runs[0] = (struct run){ 0, 20, 10, 256 * MIB, 0, false };
	runs[1] = (struct run){ 512 * MIB, 30, 5000, 512 * MIB, 0, false };
	is_found(GIB, 19 * SUPER_SIZE);
	/* In place of an emptied zone, only one that says the size itself. */
	runs[0] = (struct run){ 0 };
	runs[1] = (struct run){ 512 * MIB, 30, 5000, 256 * MIB, 0, false };
	find(GIB);
	assert_false(copies[0].valid || copies[1].valid || copies[2].valid);
	runs[2] = (struct run){ 256 * MIB, 5, 100, 256 * MIB, 0, false };
	is_found(GIB, 256 * MIB + 4 * SUPER_SIZE);
	/* Sizes that zones do not have. */
	runs[2] = (struct run){ 3 * MIB, 5, 100, 3 * MIB, 0, false };
	find(GIB);
	assert_false(copies[0].valid);
	runs[2] = (struct run){ 16 * GIB, 5, 100, 16 * GIB, 0, false };
	find(40 * GIB);
	assert_false(copies[0].valid);
}

/* A superblock where all others have theirs decides alone, unless it is part of a log. */
static void fixed_places_come_first(void **state)
{
	(void)state;
	runs[0] = (struct run){ SUPER_OFFSET_0, 1, 10, 256 * MIB, 0, true };
	runs[1] = (struct run){ 0, 3, 100, 256 * MIB, 0, false };
	is_found(SUPER_OFFSET_1, SUPER_OFFSET_0);
	/* Zoned, on an ordinary device. */
	runs[0].is_plain = false;
	runs[1] = (struct run){ 256 * MIB, 3, 100, 256 * MIB, 0, false };
	find(GIB);
	assert_int_equal(copies[0].where, SUPER_OFFSET_0);
	assert_true(copies[0].valid && copies[1].exists && !copies[1].valid);
	/* A primary that is not valid is no reason to look among somebody's data, where another copy is. */
	runs[0] = (struct run){ SUPER_OFFSET_1, 1, 10, 256 * MIB, 1, false };
	find(GIB);
	assert_true(copies[1].valid && !copies[0].valid);
	assert_int_equal(copies[1].where, SUPER_OFFSET_1);
	/* What an earlier filesystem left is none of the log's. */
	runs[1] = (struct run){ 0, 3, 100, 256 * MIB, 0, false };
	is_found(GIB, 2 * SUPER_SIZE);
}

static void each_copy_has_its_log(void **state)
{
	const uint64_t full = 256 * MIB / SUPER_SIZE;

	(void)state;
	runs[0] = (struct run){ 0, 3, 100, 256 * MIB, 0, false };
	runs[1] = (struct run){ 512 * GIB, full, 2, 256 * MIB, 1, false };
	runs[2] = (struct run){ 512 * GIB + 256 * MIB, 7, 2 + full, 256 * MIB, 1, false };
	runs[3] = (struct run){ 4096 * GIB, 1, 102, 256 * MIB, 2, false };
	find(5000 * GIB);
	assert_true(copies[0].valid && copies[1].valid && copies[2].valid);
	assert_int_equal(copies[0].where, 2 * SUPER_SIZE);
	assert_int_equal(copies[1].where, 512 * GIB + 256 * MIB + 6 * SUPER_SIZE);
	assert_int_equal(copies[2].where, 4096 * GIB);
	/* Cut off behind it. */
	find(512 * GIB + 4096);
	assert_true(copies[0].valid && copies[1].valid && !copies[2].exists);
	find(512 * GIB + 4095);
	assert_true(copies[0].valid && !copies[1].exists);
}

#define each(test) cmocka_unit_test_setup(test, start)

int main(void)
{
	const struct CMUnitTest tests[] = {
		each(the_last_one_counts),
		each(equal_generations_are_told_apart),
		each(damaged_ones_are_left_out),
		each(what_only_looks_like_one_is_not_taken),
		each(fixed_places_come_first),
		each(each_copy_has_its_log),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

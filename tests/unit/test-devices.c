/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Which devices make up a filesystem: superblocks in memory, in any order, of seeds and of strangers; devices that are only named. */
#include "common/volume/devices.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "common/volume/chunk-map.h"
#include "common/volume/device-extents.h"
#include "common/volume/csum.h"
#include "tests/unit/memory-device.h"

#define MIB (1ull << 20)
#define SIZE (8 * MIB)
#define N_MAX 4u

struct made {
	uint64_t devid, generation, flags, n_devices;
	uint8_t uuid, fsid;
	struct disk_superblock disk;	/* at 64 KiB; zeros elsewhere */
	struct memory_device memory;
};

static struct made made[N_MAX];
static struct volume volume;
static unsigned n_warnings;
static char warning[1024];

static void hear(void *context, const struct report *report)
{
	(void)context;
	n_warnings++;
	snprintf(warning, sizeof(warning), "%s", report->text);
}

static struct device *make(unsigned i)
{
	static const char *const names[N_MAX] = { "a", "b", "c", "d" };
	struct disk_superblock *disk = &made[i].disk;

	memset(disk, 0, sizeof(*disk));
	memcpy(disk->magic, SUPER_MAGIC, sizeof(disk->magic));
	memset(disk->fsid, made[i].fsid, FSID_SIZE);
	memset(disk->dev_item.uuid, made[i].uuid, UUID_SIZE);
	disk->bytenr = to_le64(SUPER_OFFSET_0);
	disk->generation = to_le64(made[i].generation);
	disk->flags = to_le64(made[i].flags);
	disk->root = disk->chunk_root = to_le64(16 * MIB);
	disk->num_devices = to_le64(made[i].n_devices);
	disk->sectorsize = to_le32(4096);
	disk->nodesize = to_le32(16384);
	disk->sys_chunk_array_size = to_le32(97);
	disk->dev_item.devid = to_le64(made[i].devid);
	disk->dev_item.total_bytes = to_le64(SIZE);
	csum_block_update(CSUM_CRC32C, (uint8_t *)disk, SUPER_SIZE);
	made[i].memory = (struct memory_device){ .bytes = (uint8_t *)disk, .at = SUPER_OFFSET_0, .len = sizeof(*disk) };
	return memory_device(&made[i].memory, names[i], SIZE, false);
}

/* Opens made[order[0]], [order[1]]... */
static bool open_in_order(const char *order, struct error *err)
{
	struct device *others[N_MAX];
	struct volume_options options = { .others = others };
	struct device *first = make((unsigned)(order[0] - 'a'));

	for (const char *at = order + 1; *at; at++)
		others[options.n_others++] = make((unsigned)(*at - 'a'));
	volume = (struct volume){ .reporter.take = hear };
	n_warnings = 0;
	return volume_devices_open(&volume, first, &options, err);
}

static void close_volume(void)
{
	volume_devices_close(&volume);
	chunk_map_free(&volume);
	for (unsigned i = 0; i < N_MAX; i++)
		assert_true(made[i].memory.n_closed > 0 || !made[i].memory.bytes);
}

static void opens(const char *order, const char *main)
{
	struct error err = { 0 };

	if (!open_in_order(order, &err))
		fail_msg("%s", err.text);
	assert_string_equal(volume.device->name, main);
	assert_ptr_equal(volume.super.sys_chunks.at, volume.super.disk.sys_chunk_array);
}

static void refused(const char *order, enum error_kind kind, const char *text)
{
	struct error err = { 0 };

	assert_false(open_in_order(order, &err));
	assert_int_equal(err.kind, kind);
	assert_string_equal(err.text, text);
	close_volume();
}

static int three(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 3; i++)
		made[i] = (struct made){ .devid = i + 1, .generation = 7, .n_devices = 3, .uuid = (uint8_t)(0x10 + i), .fsid = 0xf0 };
	made[3] = (struct made){ .devid = 1, .generation = 9, .n_devices = 1, .uuid = 0x20, .fsid = 0xf1 };
	return 0;
}

static void order_does_not_matter(void **state)
{
	static const char *const orders[] = { "abc", "acb", "bac", "bca", "cab", "cba" };
	uint8_t uuid[UUID_SIZE];

	(void)state;
	for (size_t i = 0; i < sizeof(orders) / sizeof(orders[0]); i++) {
		opens(orders[i], (char[]){ orders[i][0], '\0' });
		assert_int_equal(n_warnings, 0);
		for (uint64_t devid = 1; devid <= 3; devid++) {
			memset(uuid, 0x0f + (int)devid, sizeof(uuid));
			assert_string_equal(volume_device_find(&volume, devid, uuid)->device->name, ((char[]){ (char)('a' + devid - 1), '\0' }));
			assert_null(volume_device_find(&volume, devid + 1, uuid));
			uuid[15] ^= 1;
			assert_null(volume_device_find(&volume, devid, uuid));
		}
		close_volume();
	}
}

static void the_newest_counts(void **state)
{
	(void)state;
	made[1].generation = 8;
	opens("abc", "b");
	assert_int_equal(volume.super.generation, 8);
	assert_int_equal(n_warnings, 2);
	assert_string_equal(warning, "c: its generation is 7, that of b is 8: it was missing when the filesystem was last written to");
	close_volume();
}

static void strangers_are_refused(void **state)
{
	(void)state;
	refused("abd", ERROR_REFUSED, "a: belongs to the filesystem f0f0f0f0-f0f0-f0f0-f0f0-f0f0f0f0f0f0, but d to f1f1f1f1-f1f1-f1f1-f1f1-f1f1f1f1f1f1");
	refused("aba", ERROR_REFUSED, "a: is devid 1 of the filesystem, and so is a");
	made[2].devid = 2;	/* another uuid: replaced, perhaps */
	opens("abc", "a");
	close_volume();
	made[2].uuid = made[1].uuid;
	refused("abc", ERROR_REFUSED, "c: is devid 2 of the filesystem, and so is b");
}

/* A seed has a higher generation than it would have by itself, but what grew from it is the filesystem. */
static void seeds_belong_where_they_are_named(void **state)
{
	struct disk_dev_item item = { .devid = to_le64(1), .total_bytes = to_le64(SIZE) };
	struct cursor cursor = { (const uint8_t *)&item, sizeof(item), 0 };
	struct error err = { 0 };
	uint8_t fsid[FSID_SIZE];

	(void)state;
	made[3].flags = SUPER_FLAG_SEEDING;
	made[0].devid = 2;
	opens("da", "a");
	memset(fsid, 0xf1, sizeof(fsid));
	assert_true(volume_has_fsid(&volume, fsid));
	memset(fsid, 0xf2, sizeof(fsid));
	assert_false(volume_has_fsid(&volume, fsid));
	assert_false(volume_devices_check(&volume, &err));
	assert_string_equal(err.text, "d: is a seed of the filesystem f1f1f1f1-f1f1-f1f1-f1f1-f1f1f1f1f1f1, but not of that on a");
	memset(item.uuid, 0x20, UUID_SIZE);
	memset(item.fsid, 0xf1, FSID_SIZE);
	assert_true(volume_device_item(&volume, &cursor, &err));
	assert_true(volume_devices_check(&volume, &err));
	close_volume();
	opens("d", "d");	/* alone it is a filesystem */
	close_volume();
}

static void missing_ones_are_named(void **state)
{
	struct disk_dev_item item = { .devid = to_le64(5), .total_bytes = to_le64(SIZE) };
	struct cursor cursor = { (const uint8_t *)&item, sizeof(item), 0 };
	struct error err = { 0 };

	(void)state;
	opens("a", "a");
	memset(item.uuid, 0x55, UUID_SIZE);
	memset(item.fsid, 0xf0, FSID_SIZE);
	assert_true(volume_device_item(&volume, &cursor, &err));
	assert_true(volume_devices_check(&volume, &err));
	assert_string_equal(warning, "devid 5 (uuid 55555555-5555-5555-5555-555555555555) is missing");
	cursor = (struct cursor){ (const uint8_t *)&item, sizeof(item) - 1, 0 };
	assert_false(volume_device_item(&volume, &cursor, &err));
	assert_string_equal(err.text, "device item has 97 bytes, not 98");
	close_volume();

	made[0].n_devices = 1;
	opens("a", "a");
	cursor = (struct cursor){ (const uint8_t *)&item, sizeof(item), 0 };
	assert_false(volume_device_item(&volume, &cursor, &err));
	assert_int_equal(err.kind, ERROR_CORRUPT);
	close_volume();
}

/* Chunks on devices that nobody has: as many as an image can name, no more than can be kept. */
static void chunks_name_devices_without_end(void **state)
{
	static struct chunk_stripe stripes[CHUNK_STRIPES_MAX];
	struct chunk chunk = { .logical = MIB, .length = 64 * 1024, .type = GROUP_DATA | GROUP_RAID0, .stripe_len = 64 * 1024,
			       .n_stripes = CHUNK_STRIPES_MAX, .stripe = stripes };
	struct error err = { 0 };
	uint64_t devid = 10;
	bool ok = true;

	(void)state;
	opens("a", "a");
	while (ok && devid < 100000) {
		for (unsigned i = 0; i < CHUNK_STRIPES_MAX; i++)
			chunk.stripe[i] = (struct chunk_stripe){ .devid = devid++, .physical = UINT64_MAX - 4095 };
		chunk.logical += MIB;
		ok = chunk_map_add(&volume, &chunk, &err);
	}
	assert_false(ok);
	assert_int_equal(err.kind, ERROR_REFUSED);
	assert_non_null(strstr(err.text, "more than 4096 devices are named"));
	assert_true(device_extents_check(&volume, &err));
	assert_true(volume_devices_check(&volume, &err));
	assert_non_null(strstr(warning, "is missing, and named by chunks only"));
	close_volume();
}

/* What one device has twice is refused; the same place of two devices is not. */
static void overlaps_are_those_of_one_device(void **state)
{
	struct chunk_stripe stripes[2];
	struct chunk chunk = { .logical = MIB, .length = 2 * MIB, .type = GROUP_DATA | GROUP_RAID0, .stripe_len = 64 * 1024, .n_stripes = 2,
			       .stripe = stripes };
	struct error err = { 0 };

	(void)state;
	opens("ab", "a");
	for (unsigned i = 0; i < 2; i++) {
		chunk.stripe[i] = (struct chunk_stripe){ .devid = i + 1, .physical = MIB };
		memset(chunk.stripe[i].dev_uuid, 0x10 + (int)i, UUID_SIZE);
	}
	assert_true(chunk_map_add(&volume, &chunk, &err));
	assert_true(device_extents_check(&volume, &err));
	chunk.logical += 8 * MIB;
	chunk.stripe[0].physical = SIZE - MIB + 4096;
	assert_false(chunk_map_add(&volume, &chunk, &err));
	assert_string_equal(err.text, "chunk 9437184: stripe 0 is 1048576 bytes at 7344128, the device has 8388608");
	chunk.stripe[0].physical = 3 * MIB;
	chunk.stripe[1].physical = 2 * MIB - 4096;
	assert_true(chunk_map_add(&volume, &chunk, &err));
	assert_false(device_extents_check(&volume, &err));
	assert_string_equal(err.text, "chunk 9437184: its stripe at 2093056 of the device overlaps one of chunk 1048576");
	close_volume();
}

#define with_three(test) cmocka_unit_test_setup(test, three)

int main(void)
{
	const struct CMUnitTest tests[] = {
		with_three(order_does_not_matter),
		with_three(the_newest_counts),
		with_three(strangers_are_refused),
		with_three(seeds_belong_where_they_are_named),
		with_three(missing_ones_are_named),
		with_three(chunks_name_devices_without_end),
		with_three(overlaps_are_those_of_one_device),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

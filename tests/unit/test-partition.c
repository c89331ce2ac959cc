/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A part of a device as a device, and whether btrfs is in it.  Partition tables are made by tests/image/partitions.sh. */
#include "common/device/partition.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "format/superblock.h"
#include "tests/unit/memory-device.h"

#define SIZE (300u << 10)

static uint8_t bytes[SIZE];
static struct memory_device disk;

static struct device *make(void)
{
	disk = (struct memory_device){ .bytes = bytes, .len = SIZE };
	return memory_device(&disk, "disk", SIZE, false);
}

static void a_window_is_a_device(void **state)
{
	struct device *window;
	struct error err;
	uint8_t two[2];

	(void)state;
	memset(bytes, 0, SIZE);
	bytes[1000] = 'a';
	bytes[1999] = 'b';
	bytes[2000] = 'c';
	assert_true(device_window(make(), 1000, 1000, &window, &err));
	assert_string_equal(window->name, "disk@1000");
	assert_int_equal(window->size, 1000);
	assert_true(device_read(window, two, 1, 0, &err) && two[0] == 'a');
	assert_true(device_read(window, two, 1, 999, &err) && two[0] == 'b');
	assert_false(device_read(window, two, 2, 999, &err));
	assert_int_equal(err.kind, ERROR_CORRUPT);
	assert_string_equal(err.text, "disk@1000: 2 bytes at 0x3e7 are outside the device of 1000 bytes");
	assert_false(device_write(window, two, 1, 0, &err));
	assert_int_equal(err.kind, ERROR_REFUSED);
	assert_int_equal(window->ops->next_data(window->self, 0), 0);
	assert_int_equal(window->ops->next_data(window->self, 1), 999);
	bytes[1999] = 0;
	assert_int_equal(window->ops->next_data(window->self, 1), 1000);
	device_close(window);
	assert_int_equal(disk.n_closed, 1);
}

/* Everything arrives below, and nothing outside the window is touched. */
static void a_window_is_written_through(void **state)
{
	uint8_t outside[SIZE], two[2] = "xy";
	struct device *window;
	struct error err;

	(void)state;
	for (size_t i = 0; i < SIZE; i++)
		bytes[i] = (uint8_t)(i * 7 + i / 256 + 1);
	memcpy(outside, bytes, SIZE);
	disk = (struct memory_device){ .bytes = bytes, .len = SIZE };
	assert_true(device_window(memory_device(&disk, "disk", SIZE, true), 1000, 1000, &window, &err));
	assert_true(window->writable);
	assert_true(device_write(window, two, 1, 0, &err) && device_write(window, two + 1, 1, 999, &err));
	assert_true(device_flush(window, &err) && disk.n_flushes == 1);
	outside[1000] = 'x';
	outside[1999] = 'y';
	assert_memory_equal(bytes, outside, SIZE);
	assert_false(device_write(window, two, 2, 999, &err));
	assert_string_equal(err.text, "disk@1000: 2 bytes at 0x3e7 are outside the device of 1000 bytes");
	assert_false(device_write(window, two, 1, UINT64_MAX - 999, &err));
	assert_memory_equal(bytes, outside, SIZE);
	device_close(window);
}

/* Who is missing below is missing above: a server, of which nobody knows whether somebody else writes to it, stays one. */
static void what_is_missing_stays_missing(void **state)
{
	struct device *const below = make();
	const struct device_ops *const ops = below->ops;
	struct device *window;
	struct error err;

	(void)state;
	assert_true(device_window(below, 0, 10, &window, &err));
	assert_int_equal(!window->ops->still_ours, !ops->still_ours);
	assert_int_equal(!window->ops->read_medium, !ops->read_medium);
	assert_int_equal(!window->ops->punch, !ops->punch);
	assert_int_equal(!window->ops->next_hole, !ops->next_hole);
	assert_int_equal(!window->ops->locked_by, !ops->locked_by);
	assert_null(window->ops->still_ours);
	device_close(window);
}

static void a_window_is_inside(void **state)
{
	static const struct { uint64_t offset, length; } wrong[] = {
		{ SIZE, 1 }, { SIZE - 10, 11 }, { UINT64_MAX, 1 }, { 1, UINT64_MAX }, { UINT64_MAX, UINT64_MAX },
	};
	struct device *window;
	struct error err;

	(void)state;
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		assert_false(device_window(make(), wrong[i].offset, wrong[i].length, &window, &err));
		assert_int_equal(err.kind, ERROR_NOT_FOUND);
		assert_int_equal(disk.n_closed, 1);
	}
	assert_true(device_window(make(), SIZE, 0, &window, &err));
	device_close(window);
}

static void btrfs_is_known_by_its_magic(void **state)
{
	const uint64_t offset = 4096, at = offset + SUPER_OFFSET_0 + offsetof(struct disk_superblock, magic);
	struct device *device = make();

	(void)state;
	memset(bytes, 0, SIZE);
	assert_false(partition_is_btrfs(device, offset, SIZE - offset));
	memcpy(bytes + at, SUPER_MAGIC, 8);
	assert_true(partition_is_btrfs(device, offset, SIZE - offset));
	assert_false(partition_is_btrfs(device, 0, SIZE));
	assert_true(partition_is_btrfs(device, offset, SUPER_OFFSET_0 + SUPER_SIZE));
	assert_false(partition_is_btrfs(device, offset, SUPER_OFFSET_0 + SUPER_SIZE - 1));
	/* A length that the device does not have. */
	assert_true(partition_is_btrfs(device, offset, UINT64_MAX));
	assert_false(partition_is_btrfs(device, UINT64_MAX - 4095, UINT64_MAX));
	bytes[at] ^= 1;
	assert_false(partition_is_btrfs(device, offset, SIZE - offset));
	device_close(device);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_window_is_a_device),
		cmocka_unit_test(a_window_is_written_through),
		cmocka_unit_test(what_is_missing_stays_missing),
		cmocka_unit_test(a_window_is_inside),
		cmocka_unit_test(btrfs_is_known_by_its_magic),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

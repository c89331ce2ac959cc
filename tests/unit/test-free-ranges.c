/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Free space without the data's free ranges in memory: metadata alone, and range by range; and what no chunk uses. */
#include "common/tree/allocator.h"

#include "common/volume/device-extents.h"
#include "tests/unit/image.h"
#include "tests/unit/test.h"

#define MIB (1ull << 20)

static struct image image;
static struct volume *volume;
static struct allocator *allocator;
static struct error err;

#define ok(call) do { if (!(call)) fail_msg("%s", err.text); } while (0)

static int open_image(void **state)
{
	(void)state;
	image_make(&image, 300 * MIB, "-n 16384", 100);
	volume = image_volume(&image);
	ok(allocator_open(volume, &allocator, &err));
	return 0;
}

static int close_image(void **state)
{
	(void)state;
	allocator_close(allocator);
	volume_close(volume);
	image_remove(&image);
	return 0;
}

static void knows_metadata_alone(void **state)
{
	struct allocator *alone;
	size_t n = 0;

	(void)state;
	ok(allocator_open_metadata(volume, &alone, &err));
	for (size_t i = 0; i < allocator_n_groups(allocator); i++) {
		const struct group *group = allocator_group(allocator, i), *same = allocator_group_of(alone, group->logical);

		assert_int_equal(!!same, !(group->flags & GROUP_DATA));
		if (!same)
			continue;
		n++;
		assert_int_equal(same->used, group->used);
		assert_int_equal(same->n_free, group->n_free);
		assert_memory_equal(same->free, group->free, group->n_free * sizeof(*group->free));
	}
	assert_true(n > 1 && n < allocator_n_groups(allocator));
	assert_int_equal(allocator_n_groups(alone), n);
	assert_int_equal(allocator_n_free_blocks(alone), allocator_n_free_blocks(allocator));
	allocator_close(alone);
}

/* The ranges of the allocator, one by one. */
struct comparing {
	size_t group, range;
	uint64_t metadata, data;
};

static bool compare_free(void *context, const struct group *group, uint64_t logical, uint64_t length, struct error *why)
{
	struct comparing *at = context;

	(void)why;
	while (at->range == allocator_group(allocator, at->group)->n_free) {
		at->group++;
		at->range = 0;
		assert_true(at->group < allocator_n_groups(allocator));
	}

	const struct group *same = allocator_group(allocator, at->group);

	assert_int_equal(group->logical, same->logical);
	assert_int_equal(logical, same->free[at->range].logical);
	assert_int_equal(length, same->free[at->range++].length);
	*(group->flags & GROUP_METADATA ? &at->metadata : &at->data) += group->flags & GROUP_SYSTEM ? 0 : length;
	return true;
}

static bool refuse(void *context, const struct group *group, uint64_t logical, uint64_t length, struct error *why)
{
	(void)group, (void)logical, (void)length;
	++*(unsigned *)context;
	return error_set(why, ERROR_STOPPED, "enough");
}

static void visits_each_free_range(void **state)
{
	struct comparing at = { 0 };
	uint64_t metadata, data;
	unsigned n = 0;

	(void)state;
	ok(free_space_visit(volume, GROUP_METADATA | GROUP_DATA | GROUP_SYSTEM, compare_free, &at, &err));
	assert_int_equal(at.group, allocator_n_groups(allocator) - 1);
	ok(free_space_bytes(volume, GROUP_METADATA, 0, &metadata, &err) && free_space_bytes(volume, GROUP_DATA, GROUP_METADATA, &data, &err));
	assert_true(metadata > 0 && data > 0);
	assert_int_equal(metadata, at.metadata);
	assert_int_equal(data, at.data);
	assert_false(free_space_visit(volume, GROUP_DATA, refuse, &n, &err));
	assert_int_equal(err.kind, ERROR_STOPPED);
	assert_int_equal(n, 1);
}

/* Each byte of the device is reserved, or in a chunk, or in a gap, and in one only. */
static uint8_t *seen;	/* a byte for each 64 KiB */
#define SHIFT 16

static bool note(void *context, struct device *device, uint64_t at, uint64_t len, struct error *why)
{
	(void)context, (void)why;
	assert_ptr_equal(device, volume->device);
	assert_true(len > 0 && at % (1u << SHIFT) == 0 && len % (1u << SHIFT) == 0);
	for (uint64_t i = at >> SHIFT; i < (at + len) >> SHIFT; i++)
		seen[i]++;
	return true;
}

static void visits_what_no_chunk_uses(void **state)
{
	uint64_t gaps = 0;

	(void)state;
	seen = calloc(1, image.size >> SHIFT);
	assert_non_null(seen);
	ok(device_gaps(volume, note, NULL, &err));
	for (uint64_t i = 0; i < image.size >> SHIFT; i++)
		gaps += seen[i];
	for (unsigned i = 0; i < DEVICE_RESERVED_RANGES; i++) {
		for (uint64_t at = device_reserved[i].at; at < device_reserved[i].at + device_reserved[i].len && at < image.size; at += 1u << SHIFT)
			seen[at >> SHIFT]++;
	}
	for (size_t i = 0; i < volume->n_chunks; i++) {
		const struct chunk *chunk = &volume->chunks[i];

		for (unsigned s = 0; s < chunk->n_stripes; s++)
			note(NULL, volume->device, chunk->stripe[s].physical, chunk->length, &err);
	}
	assert_true(gaps > 16);
	for (uint64_t i = 0; i < image.size >> SHIFT; i++)
		assert_true(seen[i] == 1 || (seen[i] == 2 && i == SUPER_OFFSET_1 >> SHIFT));	/* a chunk may lie around a superblock */
	free(seen);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(knows_metadata_alone),
		cmocka_unit_test(visits_each_free_range),
		cmocka_unit_test(visits_what_no_chunk_uses),
	};

	return cmocka_run_group_tests(tests, open_image, close_image);
}

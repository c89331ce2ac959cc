/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copies without checksums: which of them is believed, and when it is said that nobody can know. */
#include "common/fs/copies.h"

#include <stdio.h>

#include <isa-l/erasure_code.h>

#include "common/volume/csum.h"
#include "common/volume/mirror.h"
#include "tests/unit/fs-image.h"

#define SECTOR 4096u
#define PLACE (1u << 20)	/* in the data chunk */
#define APART (512u << 10)	/* from one copy to the next: all lie in what was the one */
#define N 48u
#define FIRST 20u		/* sectors without checksums: from here, TWO of them */
#define TWO 2u

static struct chunk *chunk;
static struct chunk_stripe stripe[4], *stripes;	/* in place of its own, of which there is one */
static uint64_t data;
static uint8_t disk[4][N * SECTOR];
static struct volume_device device[2], *devices;
static struct copies_finding found;
static char found_text[1024];
static unsigned n_found;

static int open_it(void **state)
{
	fs_image_open(state);
	for (size_t i = 0; i < volume->n_chunks; i++) {
		if (volume->chunks[i].type & GROUP_DATA)
			chunk = &volume->chunks[i];
	}
	/* What the image's files have in it is left out. */
	chunk->logical += PLACE;
	stripes = chunk->stripe;
	stripe[0] = stripes[0];
	stripe[0].physical += PLACE;
	chunk->stripe = stripe;
	chunk->length = N * SECTOR;
	data = chunk->logical;
	for (unsigned c = 0; c < 4; c++)
		for (unsigned i = 0; i < sizeof(disk[c]); i += 16)
			snprintf((char *)disk[c] + i, 16, "place %08u", i);
	devices = volume->devices;
	n_found = 0;
	return 0;
}

static int close_it(void **state)
{
	volume->devices = devices;
	volume->n_devices = 1;
	chunk->stripe = stripes;
	return fs_image_close(state);
}

/* Copies of the chunk; what disk[] has is on the device. */
static void have_copies(uint64_t profile, unsigned n)
{
	chunk->type = GROUP_DATA | profile;
	chunk->n_stripes = (uint16_t)n;
	for (unsigned c = 0; c < n; c++) {
		stripe[c] = stripe[0];
		stripe[c].physical = stripe[0].physical + c * APART;
		image_patch(&image, stripe[c].physical, disk[c], sizeof(disk[c]));
	}
}

/* The second copy is on a device of its own. */
static void have_two_devices(void)
{
	device[0] = device[1] = devices[0];
	device[1].devid++;
	volume->devices = device;
	volume->n_devices = 2;
	stripe[1].devid++;
}

static void spoil(unsigned copy, unsigned first, unsigned n)
{
	for (unsigned i = first; i < first + n; i++)
		disk[copy][i * SECTOR + 77] ^= (uint8_t)(copy + 1);
}

/* Of what the first copy has before anybody spoils it: all but FIRST and FIRST + 1, of at most n sectors on each side. */
static void add_csums(unsigned n)
{
	uint8_t csums[4 * N];

	for (unsigned i = 0; i < N; i++)
		csum_compute(CSUM_CRC32C, disk[0] + i * SECTOR, SECTOR, csums + 4 * i);
	insert(CSUM_TREE_ID, EXTENT_CSUM_ID, KEY_EXTENT_CSUM, data + (FIRST - n) * SECTOR, csums + 4 * (FIRST - n), 4 * n);
	insert(CSUM_TREE_ID, EXTENT_CSUM_ID, KEY_EXTENT_CSUM, data + (FIRST + TWO) * SECTOR, csums + 4 * (FIRST + TWO), 4 * n);
}

static void tell(void *context, const struct copies_finding *finding)
{
	(void)context;
	found = *finding;
	snprintf(found_text, sizeof(found_text), "%s", finding->text);
	n_found++;
}

/* The bytes are those of this copy, and it was said from which sector to which, whether that is known, and why. */
static void takes(unsigned copy, unsigned from, unsigned to, bool is_known, const char *why)
{
	uint8_t bytes[TWO * SECTOR];

	ok(volume_read_any(volume, data + FIRST * SECTOR, bytes, sizeof(bytes), err));
	ok(copies_compare(&(struct copies){ .volume = volume, .chunk = chunk, .tell = tell }, data + FIRST * SECTOR, bytes, sizeof(bytes), err));
	assert_memory_equal(bytes, disk[copy] + FIRST * SECTOR, sizeof(bytes));
	assert_int_equal(n_found, 1);
	assert_int_equal((found.from - data) / SECTOR, from);
	assert_int_equal((found.to - data) / SECTOR, to);
	assert_int_equal(found.is_known, is_known);
	if (!strstr(found_text, why))
		fail_msg("\"%s\" does not say \"%s\"", found_text, why);
}

static void nothing_is_said_of_equal_ones(void **state)
{
	uint8_t bytes[TWO * SECTOR];

	(void)state;
	spoil(1, 0, FIRST);
	have_copies(GROUP_RAID1, 2);
	ok(volume_read_any(volume, data + FIRST * SECTOR, bytes, sizeof(bytes), err));
	ok(copies_compare(&(struct copies){ .volume = volume, .chunk = chunk, .tell = tell }, data + FIRST * SECTOR, bytes, sizeof(bytes), err));
	assert_int_equal(n_found, 0);
}

static void two_alone_are_not_known(void **state)
{
	(void)state;
	spoil(1, FIRST + 1, 1);
	have_copies(GROUP_RAID1, 2);
	takes(0, FIRST + 1, FIRST + 2, false, "have no checksum, and mirrors 1 and 2 differ (devid 1, physical ");
	assert_non_null(strstr(found_text, ": nothing tells which is right, mirror 1 is used"));
}

static const struct device_ops *whole;
static uint64_t broken;		/* physical: a sector that cannot be read */

static bool read_but_one(void *self, void *bytes, size_t len, uint64_t at, struct error *err)
{
	if (at < broken + SECTOR && broken < at + len)
		return error_set(err, ERROR_IO, "disk: cannot read %zu bytes at %llu", len, (unsigned long long)at);
	return whole->read(self, bytes, len, at, err);
}

static void a_sector_that_cannot_be_read_hides_no_other(void **state)
{
	struct device_ops ops;

	(void)state;
	spoil(1, FIRST + 1, 1);
	have_copies(GROUP_RAID1, 2);
	whole = volume->device->ops;
	ops = *whole;
	ops.read = read_but_one;
	volume->device->ops = &ops;
	broken = stripe[0].physical + FIRST * SECTOR;
	takes(0, FIRST + 1, FIRST + 2, false, "have no checksum, and mirrors 1 and 2 differ (devid 1, physical ");
	volume->device->ops = whole;
}

static void bad_neighbours_speak_against_it(void **state)
{
	(void)state;
	add_csums(16);
	spoil(0, 0, N);
	have_copies(GROUP_DUP, 2);
	takes(1, FIRST, FIRST + TWO, true, "all of the 32 sectors with checksums near it are right in one and wrong in the other, mirror 2 is used");
}

static void one_good_neighbour_leaves_it_open(void **state)
{
	(void)state;
	add_csums(16);
	spoil(0, 0, N);
	spoil(0, FIRST - 3, 1);		/* good again */
	have_copies(GROUP_DUP, 2);
	takes(1, FIRST, FIRST + TWO, false, "nothing tells which is right, mirror 2 is used");
}

static void bad_neighbours_on_both_sides_leave_it_open(void **state)
{
	(void)state;
	add_csums(16);
	spoil(0, FIRST, N - FIRST);
	spoil(1, 0, FIRST);
	have_copies(GROUP_RAID1, 2);
	takes(0, FIRST, FIRST + TWO, false, "nothing tells which is right, mirror 1 is used");
}

static void few_neighbours_say_nothing(void **state)
{
	(void)state;
	add_csums(3);
	spoil(0, 0, N);
	have_copies(GROUP_RAID1, 2);
	takes(1, FIRST, FIRST + TWO, false, "nothing tells which is right");
}

static void most_of_three_are_right(void **state)
{
	(void)state;
	spoil(0, FIRST, 1);
	have_copies(GROUP_RAID1C3, 3);
	takes(1, FIRST, FIRST + 1, true, "most copies agree, mirror 2 is used");
}

static void two_against_two_are_not_known(void **state)
{
	(void)state;
	spoil(2, FIRST, 1);
	memcpy(disk[3], disk[2], sizeof(disk[3]));
	have_copies(GROUP_RAID1C4, 4);
	takes(0, FIRST, FIRST + 1, false, "nothing tells which is right");
}

static void a_device_that_was_missing_is_not_asked(void **state)
{
	(void)state;
	add_csums(16);
	spoil(0, FIRST, TWO);
	have_copies(GROUP_RAID1, 2);
	have_two_devices();
	device[0].is_stale = true;
	takes(1, FIRST, FIRST + TWO, true, "the device of the other was missing when the filesystem was last written to, mirror 2 is used");
}

static void and_alone_it_may_be_old(void **state)
{
	(void)state;
	have_copies(GROUP_RAID1, 2);
	have_two_devices();
	device[0].is_stale = true;
	device[1].device = NULL;
	takes(0, FIRST, FIRST + TWO, false, "only on a device that was missing when the filesystem was last written to (devid 1, physical ");
}

static void one_copy_may_be_old(void **state)
{
	(void)state;
	have_copies(0, 1);
	device[0] = devices[0];
	device[0].is_stale = true;
	volume->devices = device;
	takes(0, FIRST, FIRST + TWO, false, "only on a device that was missing when the filesystem was last written to (devid 1, physical ");
}

/* Sector FIRST is the fifth of the second stripe, and spoiled there. */
static void have_parity(uint64_t profile)
{
	for (unsigned i = 0; i < sizeof(disk[2]); i++) {
		disk[2][i] = disk[0][i] ^ disk[1][i];
		disk[3][i] = disk[0][i] ^ gf_mul(2, disk[1][i]);
	}
	spoil(1, FIRST - 16, TWO);
	have_copies(profile, profile == GROUP_RAID5 ? 3 : 4);
}

static void takes_stripe(unsigned of, bool is_known, const char *why)
{
	uint8_t bytes[TWO * SECTOR];

	ok(volume_read_any(volume, data + FIRST * SECTOR, bytes, sizeof(bytes), err));
	ok(copies_compare(&(struct copies){ .volume = volume, .chunk = chunk, .tell = tell }, data + FIRST * SECTOR, bytes, sizeof(bytes), err));
	assert_memory_equal(bytes, disk[of] + (FIRST - 16) * SECTOR, sizeof(bytes));
	assert_int_equal(n_found, 1);
	assert_int_equal(found.is_known, is_known);
	if (!strstr(found_text, why))
		fail_msg("\"%s\" does not say \"%s\"", found_text, why);
}

static void a_stripe_that_is_old_is_computed(void **state)
{
	(void)state;
	have_parity(GROUP_RAID5);
	have_two_devices();	/* the second stripe is on one of its own */
	device[1].is_stale = true;
	takes_stripe(0, true, "(devid 2, physical ");	/* the first stripe has what the second one had */
	assert_non_null(strstr(found_text, "computed from parity, without devid 2"));
}

static void and_computed_from_it_another_may_be_old(void **state)
{
	(void)state;
	have_parity(GROUP_RAID5);
	have_two_devices();	/* the second stripe is on one of its own */
	device[0].is_stale = true;
	device[1].device = NULL;
	takes_stripe(0, false, "only on a device that was missing when the filesystem was last written to (computed from parity");
}

static void what_differs_from_one_parity_is_not_known(void **state)
{
	(void)state;
	have_parity(GROUP_RAID5);
	takes_stripe(1, false, "computed from parity, without devid 1): nothing tells which is right, mirror 1 is used");
}

static void what_differs_from_two_parities_is_bad(void **state)
{
	(void)state;
	have_parity(GROUP_RAID6);
	takes_stripe(0, true, "most copies agree, mirror 2 is used");
}

static void one_of_two_parities_may_be_bad(void **state)
{
	(void)state;
	have_parity(GROUP_RAID6);
	spoil(1, FIRST - 16, TWO);		/* good again */
	spoil(2, FIRST - 16, TWO);
	have_copies(GROUP_RAID6, 4);
	takes_stripe(0, true, "most copies agree, mirror 1 is used");
}

#define copies_test(f) cmocka_unit_test_setup_teardown(f, open_it, close_it)

int main(void)
{
	const struct CMUnitTest tests[] = {
		copies_test(nothing_is_said_of_equal_ones), copies_test(two_alone_are_not_known), copies_test(a_sector_that_cannot_be_read_hides_no_other),
		copies_test(bad_neighbours_speak_against_it),
		copies_test(one_good_neighbour_leaves_it_open), copies_test(bad_neighbours_on_both_sides_leave_it_open),
		copies_test(few_neighbours_say_nothing), copies_test(most_of_three_are_right), copies_test(two_against_two_are_not_known),
		copies_test(a_device_that_was_missing_is_not_asked), copies_test(and_alone_it_may_be_old),
		copies_test(one_copy_may_be_old), copies_test(a_stripe_that_is_old_is_computed),
		copies_test(and_computed_from_it_another_may_be_old),
		copies_test(what_differs_from_one_parity_is_not_known), copies_test(what_differs_from_two_parities_is_bad),
		copies_test(one_of_two_parities_may_be_bad),
	};

	return cmocka_run_group_tests(tests, fs_image_make, fs_image_remove);
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Writing with parity, on devices in memory: every way to read must give what was written, also where a sector went bad before. Reading is
 * tested by itself in test-stripe.c, with parity computed bit by bit.
 */
#include "tests/unit/parity-fixture.h"

/* --- all is well ---------------------------------------------------------------------------------------------------- */

static void writes_anything(uint64_t profile, unsigned n)
{
	make(profile, n);
	mirrors_have(0, chunk.length, 0);
	for (unsigned i = 0; i < 60; i++) {
		const uint32_t offset = random_below((uint32_t)chunk.length), most = (uint32_t)chunk.length - offset;
		uint32_t len = 1 + random_below(i % 3 == 0 ? 3 * SECTOR : i % 3 == 1 ? 70 << 10 : 300 << 10);

		len = len < most ? len : most;
		write_new(offset, len);
		ok(volume_read_back(&volume, LOGICAL + offset, want + offset, len, err));
		if (i % 10 == 9)
			mirrors_have(0, chunk.length, 0);
	}
	assert_false(settle(0, chunk.length, PARITY_MAKE));
	assert_int_equal(n_reports, 0);
	unmake();
}

static void every_mirror_follows(void **state)
{
	(void)state;
	for (unsigned n = 2; n <= N_MAX; n++)
		writes_anything(GROUP_RAID5, n);
	for (unsigned n = 3; n <= N_MAX; n++)
		writes_anything(GROUP_RAID6, n);
}

static void whole_rows_are_not_read(void **state)
{
	unsigned n = 0;

	(void)state;
	make(GROUP_RAID6, 4);
	write_new(2 * STRIPE, 4 * STRIPE);
	for (unsigned i = 0; i < 4; i++)
		n += memory[i].n_reads;
	assert_int_equal(n, 0);
	mirrors_have(0, chunk.length, 0);
	unmake();
}

/* --- bad sectors, nothing prepared --------------------------------------------------------------------------------------- */

static void a_bad_neighbour_still_comes_from_parity(void **state)
{
	(void)state;
	each_form {
		make(form->profile, form->n);
		rot(on_disk(OTHER));
		write_new(ONE - 1000, SECTOR + 2000);
		assert_false(is_on_disk(OTHER));	/* it was left alone */
		mirrors_have(OTHER, SECTOR, 1);
		write_new(ONE, SECTOR);
		ok(volume_read_back(&volume, LOGICAL + ONE, want + ONE, SECTOR, err));
		mirrors_have(OTHER, SECTOR, 1);
		assert_true(is_on_disk(ONE));
		assert_int_equal(n_reports, 0);
		unmake();
	}
}

static void what_was_bad_itself_harms_nobody(void **state)
{
	(void)state;
	each_form {
		make(form->profile, form->n);
		rot(on_disk(ONE));
		write_new(ONE, 3 * SECTOR);
		mirrors_have(0, chunk.length, 0);
		unmake();
	}
}

static void bad_parity_becomes_right(void **state)
{
	(void)state;
	each_form {
		make(form->profile, form->n);
		rot(parity_on_disk(ONE, stripe_n_parity(&chunk)));
		write_new(ONE, SECTOR);
		mirrors_have(0, chunk.length, 0);
		unmake();
	}
}

/* Two of RAID6 at once. */
static void two_bad_ones_are_two_less(void **state)
{
	(void)state;
	make(GROUP_RAID6, 5);
	rot(on_disk(ONE));
	rot(on_disk(OTHER));
	write_new(ONE, SECTOR);
	mirrors_have(OTHER, SECTOR, 1);
	assert_true(is_on_disk(ONE));
	rot(parity_on_disk(ONE, 1));	/* P: the neighbour now comes from Q */
	write_new(ONE, SECTOR);
	mirrors_have(OTHER, SECTOR, 1);
	unmake();
}

/* Its checksum is already that of what will be written next: parity must go on having what was there. */
static void what_nobody_knows_keeps_its_parity(void **state)
{
	(void)state;
	each_form {
		make(form->profile, form->n);
		rot(on_disk(OTHER));
		right[OTHER] ^= 1;
		write_new(ONE, SECTOR);
		mirrors_have(OTHER, SECTOR, chunk_n_mirrors(&chunk) == 2 ? 1 : chunk_n_mirrors(&chunk) - 1);
		right[OTHER] ^= 1;
		write_new(OTHER, SECTOR);
		mirrors_have(0, chunk.length, 0);
		unmake();
	}
}

/* The same, where parity cannot be read either: it is made from what is there. */
static void parity_that_cannot_be_read_is_made(void **state)
{
	(void)state;
	make(GROUP_RAID5, 3);
	rot(on_disk(OTHER));
	memcpy(want + OTHER, on_disk(OTHER), SECTOR);
	memory[stripe_parity(&chunk, LOGICAL + ONE, 1).stripe].fails = true;
	write_new(ONE, SECTOR);
	memory[stripe_parity(&chunk, LOGICAL + ONE, 1).stripe].fails = false;
	mirrors_have(ONE, SECTOR, 0);
	unmake();
}

static void without_checksums_the_data_count(void **state)
{
	(void)state;
	each_form {
		make(form->profile, form->n);
		memset(known, false, sizeof(known));
		rot(on_disk(OTHER));
		memcpy(want + OTHER, on_disk(OTHER), SECTOR);
		write_new(ONE, SECTOR);
		mirrors_have(OTHER, SECTOR, 0);
		mirrors_have(ONE, SECTOR, 0);
		unmake();
	}
}

static void an_unreadable_neighbour_comes_from_parity(void **state)
{
	(void)state;
	each_form for (unsigned with_csums = 0; with_csums < 2; with_csums++) {
		make(form->profile, form->n);
		memset(known, with_csums, sizeof(known));
		memory[stripe_place(&chunk, LOGICAL + OTHER, 0).stripe].fails = true;
		write_new(ONE, SECTOR);
		mirrors_have(OTHER, SECTOR, 1);
		unmake();
	}
}

/* With P on another such device, only Q can tell. */
static void two_unreadable_ones_come_from_q(void **state)
{
	(void)state;
	make(GROUP_RAID6, 6);
	memset(known, false, sizeof(known));
	memory[stripe_place(&chunk, LOGICAL + OTHER, 0).stripe].fails = true;
	memory[stripe_parity(&chunk, LOGICAL + OTHER, 1).stripe].fails = true;
	write_new(ONE, SECTOR);
	memory[stripe_parity(&chunk, LOGICAL + OTHER, 1).stripe].fails = false;
	mirrors_have(OTHER, SECTOR, 1);
	unmake();
}

/* --- reading back ------------------------------------------------------------------------------------------------------------- */

/* A write that gets to all devices but one is found, and made good. */
static void lost_writes_are_found(void **state)
{
	(void)state;
	each_form for (unsigned i = 0; i <= form->n; i++) {
		make(form->profile, form->n);
		lose = i;
		write_new(STRIPE - 3 * SECTOR, 100 << 10);
		lose = 0;
		ok(volume_read_back(&volume, LOGICAL + STRIPE - 3 * SECTOR, want + STRIPE - 3 * SECTOR, 100 << 10, err));
		mirrors_have(0, chunk.length, 0);
		assert_true(i == 0 ? n_reports == 0 : n_reports >= 1 || (form->n > 4 && i == 4));
		unmake();
	}
}

/* Also where what cannot be read would be zeros. */
static void unreadable_parity_is_found(void **state)
{
	struct error unread;

	(void)state;
	each_form {
		make(form->profile, form->n);
		memset(want, 0, chunk.length);
		memset(right, 0, chunk.length);
		ok(volume_write(&volume, LOGICAL, want, chunk.length, err));
		ok(volume_read_back(&volume, LOGICAL + ONE, want + ONE, SECTOR, err));
		memory[stripe_parity(&chunk, LOGICAL + ONE, stripe_n_parity(&chunk)).stripe].fails = true;
		assert_false(volume_read_back(&volume, LOGICAL + ONE, want + ONE, SECTOR, &unread));
		assert_int_equal(unread.kind, ERROR_IO);
		unmake();
	}
}

/* The parity of a bad neighbour, which only seems wrong, is left alone. */
static void reading_back_leaves_the_parity_of_bad_neighbours(void **state)
{
	(void)state;
	each_form {
		make(form->profile, form->n);
		rot(on_disk(OTHER));
		ok(volume_read_back(&volume, LOGICAL + ONE, want + ONE, SECTOR, err));
		mirrors_have(OTHER, SECTOR, 1);
		assert_int_equal(n_reports, 0);
		right[OTHER] ^= 1;	/* what is there has another checksum already: nobody knows */
		ok(volume_read_back(&volume, LOGICAL + ONE, want + ONE, SECTOR, err));
		mirrors_have(OTHER, SECTOR, 1);
		assert_int_equal(n_reports, 0);
		/* And a sector that is written again, because it is bad itself. */
		rot(on_disk(ONE + 4 * SECTOR));
		ok(volume_read_back(&volume, LOGICAL + ONE + 4 * SECTOR, want + ONE + 4 * SECTOR, SECTOR, err));
		mirrors_have(ONE + 4 * SECTOR, SECTOR, 0);
		assert_int_equal(n_reports, 1);
		unmake();
	}
}

/* --- missing devices ----------------------------------------------------------------------------------------------------------- */

static void a_missing_device_is_left_to_parity(void **state)
{
	(void)state;
	each_form for (unsigned i = 0; i < form->n; i++) {
		struct error refused;
		struct device *gone;

		make(form->profile, form->n);
		gone = volume.devices[i].device;
		volume.devices[i].device = NULL;
		assert_false(volume_write(&volume, LOGICAL, want, chunk.length, &refused));
		assert_int_equal(refused.kind, ERROR_REFUSED);
		volume.is_degraded = true;
		write_new(2 * SECTOR, STRIPE);
		write_new(ONE, 5 * STRIPE);
		write_new(3 * STRIPE - SECTOR, 2 * SECTOR);
		ok(volume_read_back(&volume, LOGICAL + ONE, want + ONE, 2 * SECTOR, err));
		for (uint64_t at = 0; at < chunk.length; at += SECTOR) {
			uint8_t bytes[SECTOR];

			ok(volume_read_any(&volume, LOGICAL + at, bytes, SECTOR, err));
			assert_memory_equal(bytes, want + at, SECTOR);
		}
		assert_int_equal(n_reports, 0);
		volume.devices[i].device = gone;
		unmake();
	}
}

/* --- rows --------------------------------------------------------------------------------------------------------------------- */

static void rows_are_told(void **state)
{
	uint64_t start, len;
	struct error outside;

	(void)state;
	make(GROUP_RAID6, 5);
	ok(volume_stripe_row(&volume, LOGICAL + 400 * KIB, &start, &len, err));
	assert_int_equal(start, LOGICAL + 384 * KIB);
	assert_int_equal(len, 192 * KIB);
	volume.chunks[0].type = GROUP_DATA | GROUP_RAID1;
	ok(volume_stripe_row(&volume, LOGICAL + 5000, &start, &len, err));
	assert_int_equal(start, LOGICAL + 4096);
	assert_int_equal(len, 4096);
	assert_false(volume_stripe_row(&volume, LOGICAL - 1, &start, &len, &outside));
	assert_int_equal(outside.kind, ERROR_CORRUPT);
	volume.chunks[0].type = chunk.type;
	unmake();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_mirror_follows),
		cmocka_unit_test(whole_rows_are_not_read),
		cmocka_unit_test(a_bad_neighbour_still_comes_from_parity),
		cmocka_unit_test(what_was_bad_itself_harms_nobody),
		cmocka_unit_test(bad_parity_becomes_right),
		cmocka_unit_test(two_bad_ones_are_two_less),
		cmocka_unit_test(what_nobody_knows_keeps_its_parity),
		cmocka_unit_test(parity_that_cannot_be_read_is_made),
		cmocka_unit_test(without_checksums_the_data_count),
		cmocka_unit_test(an_unreadable_neighbour_comes_from_parity),
		cmocka_unit_test(two_unreadable_ones_come_from_q),
		cmocka_unit_test(lost_writes_are_found),
		cmocka_unit_test(unreadable_parity_is_found),
		cmocka_unit_test(reading_back_leaves_the_parity_of_bad_neighbours),
		cmocka_unit_test(a_missing_device_is_left_to_parity),
		cmocka_unit_test(rows_are_told),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Rows are brought in order: before a write, so that a crash harms nobody, and after the crash. */
#include "tests/unit/parity-fixture.h"

/* --- a tree block is its own checksum --------------------------------------------------------------------------------------- */

static void make_node(uint64_t offset)
{
	struct disk_header *header = (void *)(want + offset);

	header->bytenr = to_le64(LOGICAL + offset);
	memcpy(header->fsid, volume.super.metadata_fsid, FSID_SIZE);
	csum_block_update(CSUM_CRC32C, want + offset, 4 * SECTOR);
	ok(volume_write(&volume, LOGICAL + offset, want + offset, 4 * SECTOR, err));
}

static void a_bad_tree_block_still_comes_from_parity(void **state)
{
	(void)state;
	each_form {
		uint64_t of_row[2];

		make(form->profile, form->n);
		of_row[0] = ONE - 5 * SECTOR;
		of_row[1] = of_row[0] + STRIPE;
		volume.chunks[0].type = chunk.type = GROUP_METADATA | form->profile;
		volume.csum_lookup = NULL;
		make_node(of_row[0]);
		make_node(of_row[1]);
		rot(on_disk(of_row[1] + 2 * SECTOR));
		for (unsigned i = 0; i < 4; i++) {
			want[of_row[0] + i * SECTOR + 200] ^= 1;
			make_node(of_row[0]);
		}
		mirrors_have(of_row[1], 4 * SECTOR, 1);
		assert_true(settle(of_row[0], SECTOR * 4, PARITY_MAKE));
		mirrors_have(0, chunk.length, 0);
		assert_int_equal(n_reports, 4);
		unmake();
	}
}

/* --- in order ------------------------------------------------------------------------------------------------------------------ */

static void what_parity_has_is_put_in_place(void **state)
{
	(void)state;
	each_form {
		make(form->profile, form->n);
		rot(on_disk(OTHER));
		rot(on_disk(ONE + 2 * SECTOR));
		rot(parity_on_disk(ONE + 3 * SECTOR, 1));
		rot(on_disk(ONE + 9 * SECTOR));			/* not asked for */
		assert_true(settle(ONE, 4 * SECTOR, PARITY_KEEP));
		assert_true(is_on_disk(OTHER));
		assert_int_equal(n_reports, 3);
		mirrors_have(0, chunk.length, 0);
		unmake();
	}
}

/* What nothing is known of: parity may be right, and is kept until somebody decides. */
static void doubt_is_kept(void **state)
{
	(void)state;
	each_form {
		uint8_t before[2 * SECTOR];

		make(form->profile, form->n);
		known[OTHER / SECTOR] = false;
		rot(on_disk(OTHER));
		memcpy(before, parity_on_disk(ONE, 1), SECTOR);
		memcpy(before + SECTOR, parity_on_disk(ONE, stripe_n_parity(&chunk)), SECTOR);
		assert_false(settle(ONE, SECTOR, PARITY_KEEP));
		assert_memory_equal(parity_on_disk(ONE, 1), before, SECTOR);
		assert_memory_equal(parity_on_disk(ONE, stripe_n_parity(&chunk)), before + SECTOR, SECTOR);
		assert_true(settle(ONE, SECTOR, PARITY_MAKE));
		memcpy(want + OTHER, on_disk(OTHER), SECTOR);
		mirrors_have(0, chunk.length, 0);
		assert_int_equal(n_reports, 0);
		unmake();
	}
}

/* A crash: of each write, some devices have it. The data are then written again, and parity made. */
static void after_a_crash_all_is_made(void **state)
{
	(void)state;
	each_form for (unsigned i = 1; i <= form->n; i++) {
		make(form->profile, form->n);
		rot(on_disk(OTHER));
		assert_true(settle(ONE, 20 * SECTOR, PARITY_KEEP));
		lose = i;
		write_new(ONE, 20 * SECTOR);
		lose = 0;
		ok(volume_write(&volume, LOGICAL + ONE, want + ONE, 20 * SECTOR, err));
		settle(ONE, 20 * SECTOR, PARITY_MAKE);
		mirrors_have(0, chunk.length, 0);
		unmake();
	}
}

/* Nothing has it: that is said, and the others get their parity. */
static void what_is_lost_is_named(void **state)
{
	(void)state;
	make(GROUP_RAID5, 3);
	rot(on_disk(OTHER));
	rot(parity_on_disk(OTHER, 1));
	assert_false(settle(ONE, SECTOR, PARITY_KEEP));
	assert_true(settle(ONE, SECTOR, PARITY_MAKE));
	assert_string_equal(report, "data at 105074688 (devid 3, physical 3231744): are bad, and parity does not have them either");
	assert_int_equal(n_reports, 1);
	mirrors_have(ONE, SECTOR, 0);
	unmake();
}

/* The row of the last stripe of the first MiB, which no chunk should be in: nothing of it is parity. */
static void rows_with_a_superblock_are_left_alone(void **state)
{
	uint8_t before[STRIPE];

	(void)state;
	make(GROUP_RAID5, 3);
	volume.chunks[0].stripe[2].physical = stripes[2].physical = MIB - STRIPE;
	rot(on_disk(5 * SECTOR));
	memcpy(before, memory[2].bytes + MIB - STRIPE, STRIPE);
	settle(0, chunk.length, PARITY_MAKE);
	assert_memory_equal(memory[2].bytes + MIB - STRIPE, before, STRIPE);
	assert_false(is_on_disk(5 * SECTOR));
	settle(0, chunk.length, PARITY_MAKE);
	unmake();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_bad_tree_block_still_comes_from_parity),
		cmocka_unit_test(what_parity_has_is_put_in_place),
		cmocka_unit_test(doubt_is_kept),
		cmocka_unit_test(after_a_crash_all_is_made),
		cmocka_unit_test(what_is_lost_is_named),
		cmocka_unit_test(rows_with_a_superblock_are_left_alone),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

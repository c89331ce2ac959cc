/* SPDX-License-Identifier: GPL-2.0-or-later */
/* All free space, and what no chunk uses, is overwritten where that was asked for: also by whoever goes on after a signal. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/tree/allocator.h"
#include "common/volume/device-extents.h"
#include "common/volume/device-range.h"
#include "common/volume/mirror.h"
#include "tests/crash/cut.h"
#include "tests/crash/key-run.h"
#include "tests/support/edit.h"
#include "tests/unit/image.h"
#include "tests/unit/ok.h"

static struct image image;
static struct keys keys;
static struct disk plain, sealed;

#define LEFT "left behind by somebody: "

static bool leave_at(void *context, struct device *device, uint64_t at, uint64_t len, struct error *err)
{
	unsigned *n = context;
	char text[64];

	for (uint64_t to = at; to < at + len; to += 64u << 10) {
		const int size = snprintf(text, sizeof(text), LEFT "%u", (*n)++);

		if (!device_write(device, text, (size_t)size, to, err))
			return false;
	}
	return true;
}

static bool leave_in_range(void *context, const struct device_range *range, struct error *err)
{
	return leave_at(context, range->device, range->physical, range->len, err);
}

static struct volume *filling;

static bool leave_in_free(void *context, const struct group *group, uint64_t logical, uint64_t length, struct error *err)
{
	(void)group;
	return volume_range_is_reserved(filling, logical, length) || device_ranges(filling, logical, length, leave_in_range, context, err);
}

static unsigned n_left(const struct disk *disk)
{
	unsigned n = 0;

	for (size_t i = 0; i < disk->n_pages; i++)
		n += !disk_page_is_zero(disk, i) && memmem(disk->page[i], DISK_PAGE, LEFT, strlen(LEFT));
	return n;
}

static bool stop_at_third(void *context)
{
	return ++*(unsigned *)context == 3;
}

/* The wish is in the state: whoever goes on after a signal wipes the rest, although he does not ask for it. */
static void wipes_all_free_space(void **state)
{
	unsigned n = 0, asked = 0;
	const struct convert_ui ui = { .context = &asked, .stop = stop_at_third, .wipe_free = true };
	struct slots slots = { .n = 1 };
	struct error why = { 0 };
	struct disk disk;

	(void)state;
	disk_clone(&sealed, &disk);
	slots.at[0] = key_run_slot(&disk, &keys, keys.passphrase, SLOT_PASSPHRASE, 0);
	ok(key_run_change(&disk, &keys, &slots, true, NULL, err));
	filling = key_run_open(&disk);
	ok(free_space_visit(filling, GROUP_METADATA | GROUP_DATA | GROUP_SYSTEM, leave_in_free, &n, err) && device_gaps(filling, leave_at, &n, err));
	volume_close(filling);
	assert_true(n > 100);
	assert_int_equal(n_left(&disk), n);

	assert_false(key_run_change(&disk, &keys, &slots, true, &ui, &why));
	assert_int_equal(why.kind, ERROR_STOPPED);
	assert_true(n_left(&disk) > 0);

	ok(run_continue(&disk, CONVERT_RESUME, &keys, false, NEVER, err));
	assert_int_equal(n_left(&disk), 0);
	ok(run_verify(&disk, &keys, err));

	/* Without the wish they stay. */
	n = 0;
	filling = key_run_open(&disk);
	ok(free_space_visit(filling, GROUP_METADATA | GROUP_DATA | GROUP_SYSTEM, leave_in_free, &n, err) && device_gaps(filling, leave_at, &n, err));
	volume_close(filling);
	ok(key_run_change(&disk, &keys, &slots, true, NULL, err));
	assert_true(n_left(&disk) > 20 && n_left(&disk) < n);
	disk_free(&disk);
}

/* --- what is free is not sure ------------------------------------------------------------------------------------------- */

enum lie { LIE_USED, LIE_CSUM };

/* The data block group claims a sector less than its extents take; or what it has free has a checksum. */
static void tell_lie(struct disk *disk, enum lie lie)
{
	struct allocator *allocator;
	struct transaction *tx;
	struct volume *volume = key_run_open(disk);
	const struct group *group = NULL;
	uint8_t csum[4] = { 0 };
	struct key key;
	uint8_t *bytes;
	uint32_t len;

	ok(allocator_open(volume, &allocator, err));
	for (size_t i = 0; i < allocator_n_groups(allocator) && !(group && group->flags & GROUP_DATA); i++)
		group = allocator_group(allocator, i);
	assert_true(group && group->flags & GROUP_DATA && group->used > 0 && group->n_free > 0);
	ok(transaction_begin(volume, allocator, &tx, err));
	if (lie == LIE_USED) {
		key = (struct key){ group->logical, KEY_BLOCK_GROUP_ITEM, group->length };
		ok(tree_edit_item(tx, EXTENT_TREE_ID, &key, &bytes, &len, err));
		((struct disk_block_group *)bytes)->used = to_le64(group->used - volume->super.sector_size);
	} else {
		key = (struct key){ EXTENT_CSUM_ID, KEY_EXTENT_CSUM, group->free[group->n_free - 1].logical };
		ok(tree_insert(tx, CSUM_TREE_ID, &key, csum, sizeof(csum), err));
	}
	ok(edit_commit(volume, tx, err));
	allocator_close(allocator);
	volume_close(volume);
}

/* What is free cannot be told for sure: wiping it is refused before anything is written, and key slots change without it, also after a crash. */
static void wipes_nothing_unsure(void **state)
{
	static const char *const texts[] = { [LIE_USED] = "bytes used, but its extents take", [LIE_CSUM] = "are free according to the extent tree, but have checksums" };
	const struct convert_ui ui = { .wipe_free = true };

	(void)state;
	for (unsigned lie = LIE_USED; lie <= LIE_CSUM; lie++) {
		struct slots slots = { .n = 1 };
		struct disk_log log = { 0 };
		struct error why = { 0 };
		struct disk lying, disk, cut_off;

		disk_clone(&sealed, &lying);
		tell_lie(&lying, (enum lie)lie);
		slots.at[0] = key_run_slot(&lying, &keys, keys.passphrase, SLOT_PASSPHRASE, 0);
		disk_clone(&lying, &disk);
		assert_false(key_run_change(&disk, &keys, &slots, true, &ui, &why));
		assert_int_equal(why.kind, ERROR_CORRUPT);
		if (!strstr(why.text, texts[lie]))
			fail_msg("%s", why.text);
		assert_int_equal(disk.n_writes, 0);

		disk.log = &log;
		ok(key_run_change(&disk, &keys, &slots, true, NULL, err));
		disk.log = NULL;
		ok(run_verify(&disk, &keys, err));
		for (size_t at = 0; at < log.n; at++) {
			const struct cut cut = { .kind = CUT_PREFIX, .at = at };

			cut_apply(&lying, &log, &cut, &cut_off);
			if (!run_continue(&cut_off, CONVERT_RESUME, &keys, false, NEVER, &why) && why.kind != ERROR_REFUSED)
				fail_msg("%s", why.text);
			ok(run_verify(&cut_off, &keys, err));
			disk_free(&cut_off);
		}
		disk_free(&disk);
		disk_free(&lying);
		disk_log_free(&log);
	}
}

/* The wish comes later, when it cannot be refused any more: what is not sure is left as it is, and the change ends. */
static void leaves_what_is_unsure(void **state)
{
	const struct key_source key = { .volume_key = keys.volume_key, .slot = KEY_SLOT_ANY };
	const struct convert_ui ui = { .wipe_free = true };
	const struct volume_options unfinished = { .unfinished = true };
	struct slots slots = { .n = 1 };
	struct convert_plan plan = { 0 };
	struct disk_log log = { 0 };
	struct disk lying, disk;
	struct volume *volume;
	unsigned n = 0;

	(void)state;
	disk_clone(&sealed, &lying);
	tell_lie(&lying, LIE_CSUM);
	filling = key_run_open(&lying);
	ok(free_space_visit(filling, GROUP_DATA, leave_in_free, &n, err));
	volume_close(filling);
	slots.at[0] = key_run_slot(&lying, &keys, keys.passphrase, SLOT_PASSPHRASE, 0);
	disk_clone(&lying, &disk);
	disk.log = &log;
	ok(key_run_change(&disk, &keys, &slots, true, NULL, err));
	disk_free(&disk);

	const struct cut cut = { .kind = CUT_PREFIX, .at = log.n - 8 };

	cut_apply(&lying, &log, &cut, &disk);
	ok(volume_open(disk_device(&disk, true), &unfinished, &volume, err));
	ok(convert_continue(volume, CONVERT_RESUME, &key, &ui, &plan, err));
	volume_close(volume);
	assert_int_equal(n_left(&disk), n);
	disk_free(&disk);
	disk_free(&lying);
	disk_log_free(&log);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(wipes_all_free_space),
		cmocka_unit_test(wipes_nothing_unsure),
		cmocka_unit_test(leaves_what_is_unsure),
	};
	int failed;

	ok(secret_init(err));
	set_name = "/";
	image_make(&image, 128 << 20, "-n 4096 -m dup", 20);
	keys_new(&keys);
	disk_load(image.path, &plain);
	disk_clone(&plain, &sealed);
	ok(run_encrypt(&sealed, &keys, NEVER, NULL, err));
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	disk_free(&sealed);
	disk_free(&plain);
	keys_free(&keys);
	image_remove(&image);
	return failed;
}

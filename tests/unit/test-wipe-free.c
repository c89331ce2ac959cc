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
#include "tests/crash/key-run.h"
#include "tests/unit/image.h"

#define ok(call) do { \
	struct error ok_err = { 0 }, *const err = &ok_err; \
	if (!(call)) \
		fail_msg("%s", ok_err.text); \
} while (0)

static struct image image;
static struct keys keys;
static struct disk plain, sealed;

static struct volume *open_volume(struct disk *disk)
{
	struct volume *volume = NULL;

	ok(volume_open(disk_device(disk, true), NULL, &volume, err));
	return volume;
}

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
	filling = open_volume(&disk);
	ok(free_space_visit(filling, leave_in_free, &n, err) && device_gaps(filling, leave_at, &n, err));
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
	filling = open_volume(&disk);
	ok(free_space_visit(filling, leave_in_free, &n, err) && device_gaps(filling, leave_at, &n, err));
	volume_close(filling);
	ok(key_run_change(&disk, &keys, &slots, true, NULL, err));
	assert_true(n_left(&disk) > 20 && n_left(&disk) < n);
	disk_free(&disk);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(wipes_all_free_space) };
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

/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Devices that lose or change what is written to them, and say that it is done; and flushes that fail. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/fs/scan.h"
#include "tests/crash/faults.h"
#include "tests/crash/run.h"
#include "tests/unit/image.h"

#define ok(call) do { \
	struct error ok_err = { 0 }, *const err = &ok_err; \
	if (!(call)) \
		fail_msg("%s", ok_err.text); \
} while (0)

#define NODE_SIZE 4096u

static struct image image;
static struct disk plain, sealed;
static struct keys keys;
static struct members members;
static struct content plain_content, sealed_content;

/* --- what is done, and what must come of it --------------------------------------------------------------------- */

enum way { SEALING, UNSEALING, UNDOING_SEALING, UNDOING_UNSEALING, WAYS };
static const char *const way_names[] = { "sealing", "unsealing", "undoing a sealing", "undoing an unsealing" };

static bool ends_sealed(enum way way)
{
	return way == SEALING || way == UNDOING_UNSEALING;
}

static const struct disk *start_of(enum way way)
{
	return way == SEALING || way == UNDOING_SEALING ? &plain : &sealed;
}

/* False where there are not that many points to stop at. */
static bool run_some(enum way way, unsigned stop, struct disk *disk)
{
	struct error err = { 0 };

	disk_clone(start_of(way), disk);
	if (way == UNDOING_SEALING ? run_encrypt(disk, &keys, stop, NULL, &err) : run_decrypt(disk, &keys, stop, &err))
		return false;
	assert_int_equal(err.kind, ERROR_STOPPED);
	return true;
}

/* Undoing: much of it is done on a good disk before. */
static void prepare(enum way way, struct disk *disk)
{
	unsigned n = 0;

	if (way == SEALING || way == UNSEALING) {
		disk_clone(start_of(way), disk);
		return;
	}
	while (run_some(way, n, disk)) {
		disk_free(disk);
		n++;
	}
	disk_free(disk);
	assert_true(n > 3);
	assert_true(run_some(way, n - 2, disk));
}

static bool run(enum way way, struct disk *disk, struct error *err)
{
	switch (way) {
	case SEALING:
		return run_encrypt(disk, &keys, NEVER, NULL, err);
	case UNSEALING:
		return run_decrypt(disk, &keys, NEVER, err);
	default:
		return run_continue(disk, CONVERT_ABORT, &keys, false, NEVER, err);
	}
}

/* False with what is wrong. */
static bool is_right(enum way way, struct disk *disk, struct error *err)
{
	const bool is_sealed = ends_sealed(way);
	struct content content;

	if (!content_read(disk, &members, is_sealed ? CONTENT_SEALED : CONTENT_PLAIN, &content, err))
		return false;

	const char *differs = content_compare(is_sealed ? &sealed_content : &plain_content, &content);

	if (differs)
		return error_set(err, ERROR_CORRUPT, "%s is not as it should be", differs);
	if (!is_sealed)
		return true;

	struct disk opened;
	bool right;

	if (!run_verify(disk, &keys, err))
		return false;
	disk_clone(disk, &opened);
	right = run_decrypt(&opened, &keys, NEVER, err) && is_right(UNSEALING, &opened, err);
	disk_free(&opened);
	return right;
}

/* The writes of a run without faults. */
static void record_run(enum way way, const struct disk *start, struct disk_log *log)
{
	struct disk disk;

	disk_clone(start, &disk);
	disk.log = log;
	ok(run(way, &disk, err));
	disk.log = NULL;
	ok(is_right(way, &disk, err));
	disk_free(&disk);
}

/* Data come in their extents, everything else is read back by itself. */
static bool is_data(const struct disk *start, uint64_t at)
{
	static struct volume *volume;
	static const struct disk *of;

	if (of != start) {
		const struct volume_options options = { .unfinished = true };

		volume_close(volume);
		ok(volume_open(disk_device((struct disk *)start, false), &options, &volume, err));
		of = start;
	}
	for (size_t i = 0; i < volume->n_chunks; i++) {
		const struct chunk *chunk = &volume->chunks[i];

		for (unsigned stripe = 0; stripe < chunk->n_stripes; stripe++) {
			if (at >= chunk->stripe[stripe].physical && at < chunk->stripe[stripe].physical + chunk->length)
				return chunk->type & GROUP_DATA;
		}
	}
	return false;
}

static bool is_wiping(const struct disk_write *write)
{
	for (size_t i = 0; i < write->len; i++) {
		if (write->bytes[i] != 0)
			return false;
	}
	return true;
}

/* --- lost and changed writes ---------------------------------------------------------------------------------------- */

static unsigned n_wrong;

static void wrong(enum way way, const struct faults *faults, const struct error *err)
{
	static const char *const kinds[FAULT_KINDS] = { "", "lost", "changed", "failing", "failing flush" };

	n_wrong++;
	if (n_wrong <= 20)
		print_error("%s, write %zu to %#llx %s: %s\n", way_names[way], faults->at, (unsigned long long)faults->place,
			    kinds[faults->kind], err->text);
}

/* One write does not get to the medium as it is; the run says that all is well, and it is. */
static void try_bad_write(enum way way, const struct disk *start, enum fault_kind kind, size_t at)
{
	struct faults faults = { .kind = kind, .at = at, .seed = at };
	struct error err = { 0 };
	struct disk disk, medium;

	disk_clone(start, &disk);
	disk_faults_begin(&disk, &faults, &medium);
	if (!run(way, &disk, &err) || (disk_faults_end(&disk), !is_right(way, &disk, &err)))
		wrong(way, &faults, &err);
	else
		assert_true(faults.happened);
	disk.faults = NULL;
	disk_free(&disk);
	disk_free(&medium);
}

static void try_bad_writes(enum fault_kind kind, bool data)
{
	n_wrong = 0;
	for (enum way way = 0; way < WAYS; way++) {
		struct disk_log log = { 0 };
		struct disk start;
		unsigned n = 0;

		prepare(way, &start);
		record_run(way, &start, &log);
		for (size_t i = 0; i < log.n; i++) {
			if (is_wiping(&log.write[i]) || is_data(&start, log.write[i].at) != data)
				continue;
			/* They are much the same. */
			if (n++ % 40 == 0 || i + 5 > log.n)
				try_bad_write(way, &start, kind, i);
		}
		assert_true(n > 20);
		disk_log_free(&log);
		disk_free(&start);
	}
	assert_int_equal(n_wrong, 0);
}

static void no_lost_tree_block_stays_lost(void **state)
{
	(void)state;
	try_bad_writes(FAULT_LOST, false);
}

static void no_changed_tree_block_stays_changed(void **state)
{
	(void)state;
	try_bad_writes(FAULT_CHANGED, false);
}

/* --- two profiles ------------------------------------------------------------------------------------------------------ */

static int make(const char *options)
{
	set_name = "/";
	image_make(&image, 114u << 20, options, 1200);
	ok(secret_init(err));
	keys_new(&keys);
	disk_load(image.path, &plain);
	disk_clone(&plain, &sealed);
	ok(run_encrypt(&sealed, &keys, NEVER, &members, err));
	ok(content_read(&plain, &members, CONTENT_PLAIN, &plain_content, err));
	ok(content_read(&sealed, &members, CONTENT_SEALED, &sealed_content, err));
	return 0;
}

static int make_dup(void **state)
{
	(void)state;
	return make("-m dup -d single -n 4096");
}

static int make_single(void **state)
{
	(void)state;
	return make("-m single -d single -n 4096");
}

static int unmake(void **state)
{
	(void)state;
	disk_free(&sealed);
	disk_free(&plain);
	image_remove(&image);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(no_lost_tree_block_stays_lost),
		cmocka_unit_test(no_changed_tree_block_stays_changed),
	};

	return cmocka_run_group_tests_name("DUP", tests, make_dup, unmake) + cmocka_run_group_tests_name("single", tests, make_single, unmake);
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Devices that lose or change what is written to them, and say that it is done; and flushes that fail. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/fs/scan.h"
#include "common/tree/allocator.h"
#include "tests/crash/faults.h"
#include "tests/crash/leak.h"
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
static const struct leaks *leaks;

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
	if (way == SEALING || way == UNDOING_SEALING ? run_encrypt(disk, &keys, stop, NULL, &err) : run_decrypt(disk, &keys, stop, &err))
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

static bool go_on(enum way way, struct disk *disk, struct error *err)
{
	const enum convert_goal goal = way == SEALING ? CONVERT_RESUME : way == UNSEALING ? CONVERT_RESUME_DECRYPT : CONVERT_ABORT;

	return run_continue(disk, goal, &keys, false, NEVER, err);
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
	uint64_t at;
	bool right;

	if (!leaks_none(leaks, disk, &at))
		return error_set(err, ERROR_CORRUPT, "plain text at %#llx", (unsigned long long)at);
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

/* Every step-th of those of data or of all others. */
static void try_bad_writes(enum fault_kind kind, bool data, unsigned step)
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
			if (n++ % step == 0 || i + 5 > log.n)
				try_bad_write(way, &start, kind, i);
		}
		assert_true(n > 2 * step);
		disk_log_free(&log);
		disk_free(&start);
	}
	assert_int_equal(n_wrong, 0);
}

static void no_lost_tree_block_stays_lost(void **state)
{
	(void)state;
	try_bad_writes(FAULT_LOST, false, 40);
}

static void no_changed_tree_block_stays_changed(void **state)
{
	(void)state;
	try_bad_writes(FAULT_CHANGED, false, 40);
}

/* Also where there is one copy only: what was lost is the other side of what is there. */
static void reading_data_back_finds_what_was_lost(void **state)
{
	(void)state;
	keys.read_back = true;
	try_bad_writes(FAULT_LOST, true, 3);
	keys.read_back = false;
}

/* Written twice, lost twice. */
static void a_device_that_loses_it_again_ends_the_run(void **state)
{
	struct disk_log log = { 0 };
	size_t at = 0;

	(void)state;
	record_run(UNSEALING, &sealed, &log);
	while (at < log.n / 3 || log.write[at].len != NODE_SIZE || is_data(&sealed, log.write[at].at))
		at++;

	struct faults faults = { .kind = FAULT_LOST, .at = at, .n_often = 1 };
	struct error failure = { 0 };
	struct disk disk, medium;

	disk_clone(&sealed, &disk);
	disk_faults_begin(&disk, &faults, &medium);
	assert_false(run(UNSEALING, &disk, &failure));
	assert_int_equal(failure.kind, ERROR_IO);
	assert_non_null(strstr(failure.text, "were written twice, and are not what was written"));
	/* And a resume writes it anyway. */
	ok(go_on(UNSEALING, &disk, err));
	disk_faults_end(&disk);
	ok(is_right(UNSEALING, &disk, err));
	disk_free(&disk);
	disk_free(&medium);
	disk_log_free(&log);
}

/* --- mirrors that differ when it comes to the end ----------------------------------------------------------------- */

/* To the last point where it can be stopped: in front of the cut, or of the seal. */
static void run_to_end(enum way way, struct disk *disk)
{
	unsigned n = 0;

	while (run_some(way, n, disk)) {
		disk_free(disk);
		n++;
	}
	disk_free(disk);
	assert_true(run_some(way, n - 1, disk));
}

/* The i-th leaf whose first inode was changed: on this mirror as it was before. */
static void put_old_leaf(enum way way, struct disk *disk, unsigned i, unsigned mirror)
{
	const struct volume_options options = { .unfinished = true };
	cleanup_volume struct volume *volume = NULL;
	cleanup_scan struct scan *scan = NULL;
	const struct chunk *chunk;

	ok(volume_open(disk_device(disk, false), &options, &volume, err));
	ok(scan_run(volume, members.id, members.n, &scan, err));
	for (size_t at = 0; at < scan->n_blocks; at++) {
		uint8_t before[NODE_SIZE], now[NODE_SIZE];
		uint64_t physical;

		ok(volume_chunk(volume, scan->block[at].logical, &chunk, err));
		physical = chunk_physical(chunk, scan->block[at].logical, mirror);
		disk_read(start_of(way), physical, before, sizeof(before));
		disk_read(disk, physical, now, sizeof(now));
		if (scan->block[at].level > 0 || memcmp(before, now, sizeof(now)) == 0 || i-- > 0)
			continue;
		disk_write(disk, physical, before, sizeof(before));
		return;
	}
	fail();
}

static unsigned n_mirrors;

static void an_old_leaf_on_one_mirror_is_told_by_the_digest(void **state)
{
	(void)state;
	for (enum way way = SEALING; way <= UNSEALING; way++) {
		for (unsigned mirror = 0; mirror < n_mirrors; mirror++) {
			struct error failure = { 0 };
			struct disk disk;

			run_to_end(way, &disk);
			put_old_leaf(way, &disk, 3, mirror);
			put_old_leaf(way, &disk, 8, mirror);
			if (n_mirrors > 1) {
				ok(go_on(way, &disk, err));
				ok(is_right(way, &disk, err));
			} else {
				assert_false(go_on(way, &disk, &failure));
				assert_int_equal(failure.kind, ERROR_CORRUPT);
				assert_non_null(strstr(failure.text, "what was written there is lost"));
			}
			disk_free(&disk);
		}
	}
}

static void two_that_nothing_decides_are_left_as_they_are(void **state)
{
	(void)state;
	for (enum way way = SEALING; way <= UNSEALING && n_mirrors > 1; way++) {
		struct error failure = { 0 };
		struct disk disk, before;

		run_to_end(way, &disk);
		put_old_leaf(way, &disk, 3, 0);
		put_old_leaf(way, &disk, 8, 1);
		disk_clone(&disk, &before);
		assert_false(go_on(way, &disk, &failure));
		assert_int_equal(failure.kind, ERROR_CORRUPT);
		assert_non_null(strstr(failure.text, "nothing tells which are right"));
		for (uint64_t at = 1 << 20; at < disk.size; at += DISK_PAGE) {
			uint8_t is[DISK_PAGE], was[DISK_PAGE];

			disk_read(&disk, at, is, sizeof(is));
			disk_read(&before, at, was, sizeof(was));
			/* Only what every resume writes: the journal's last records, superblocks. */
			if (memcmp(is, was, sizeof(is)) != 0)
				assert_true(is_data(&disk, at) || at == superblock_offset(1));
		}
		disk_free(&before);
		disk_free(&disk);
	}
}

/* Of a tree that is nobody's alone: the conversion ends, leaves both, and says so. */
static void other_blocks_that_nothing_decides_are_told(void **state)
{
	struct error failure = { 0 };
	struct content content;
	struct disk disk;

	(void)state;
	if (n_mirrors == 1)
		return;
	disk_clone(&sealed, &disk);

	cleanup_volume struct volume *volume = NULL;
	const struct chunk *chunk;
	uint8_t bytes[NODE_SIZE], left[NODE_SIZE];
	struct tree tree;

	ok(volume_open(disk_device(&disk, false), NULL, &volume, err));
	ok(tree_open(volume, DEV_TREE_ID, &tree, err));
	ok(volume_read(volume, tree.logical, bytes, sizeof(bytes), 1, err));
	bytes[sizeof(struct disk_header) + 1000] ^= 1;
	csum_block_update(volume->super.csum_type, bytes, sizeof(bytes));
	ok(volume_chunk(volume, tree.logical, &chunk, err));
	disk_write(&disk, chunk_physical(chunk, tree.logical, 1), bytes, sizeof(bytes));

	assert_false(run(UNSEALING, &disk, &failure));
	assert_int_equal(failure.kind, ERROR_CORRUPT);
	assert_non_null(strstr(failure.text, "the conversion has finished; but the mirrors of tree block"));
	disk_read(&disk, chunk_physical(chunk, tree.logical, 1), left, sizeof(left));
	assert_memory_equal(left, bytes, sizeof(left));
	disk_read(&disk, chunk_physical(chunk, tree.logical, 0), left, sizeof(left));
	disk_write(&disk, chunk_physical(chunk, tree.logical, 1), left, sizeof(left));
	ok(content_read(&disk, &members, CONTENT_PLAIN, &content, err));
	assert_null(content_compare(&plain_content, &content));
	disk_free(&disk);
}

/* --- flushes and writes that fail ---------------------------------------------------------------------------------------- */

/* The run says so, and whoever goes on, with the caches as they are, comes to the same end. */
static void try_failure(enum way way, const struct disk *start, enum fault_kind kind, size_t at)
{
	struct faults faults = { .kind = kind, .at = at, .seed = at * 7 + 1 };
	struct error err = { 0 };
	struct disk disk, medium;
	bool right;

	disk_clone(start, &disk);
	disk_faults_begin(&disk, &faults, &medium);
	assert_false(run(way, &disk, &err));
	assert_true(faults.happened);
	assert_int_equal(err.kind, ERROR_IO);
	faults.kind = FAULT_NONE;
	err = (struct error){ 0 };
	right = go_on(way, &disk, &err);
	disk_faults_end(&disk);
	if (!right && err.kind == ERROR_REFUSED) {	/* it had not begun, or had come to its end */
		struct error end;

		right = is_right(way, &disk, &end) || is_right(way == SEALING ? UNSEALING : SEALING, &disk, &err);
	} else {
		right = right && is_right(way, &disk, &err);
	}
	if (!right)
		wrong(way, &faults, &err);
	disk_free(&disk);
	disk_free(&medium);
}

static void try_failures(enum fault_kind kind, unsigned step)
{
	n_wrong = 0;
	for (enum way way = 0; way < WAYS; way++) {
		struct disk_log log = { 0 };
		struct disk start;

		prepare(way, &start);
		record_run(way, &start, &log);

		const size_t n = kind == FAULT_FLUSH_FAILS ? log.n_flushes : log.n;

		for (size_t i = 0; i < n; i += i < 4 || i + 12 > n ? 1 : step)
			try_failure(way, &start, kind, i);
		disk_log_free(&log);
		disk_free(&start);
	}
	assert_int_equal(n_wrong, 0);
}

static void what_a_failed_flush_lost_is_written_again(void **state)
{
	(void)state;
	try_failures(FAULT_FLUSH_FAILS, 3);
}

static void a_failed_write_is_written_again(void **state)
{
	(void)state;
	try_failures(FAULT_WRITE_FAILS, 100);
}

/* An old copy of a leaf with files in it, where only wiping comes to it. */
static void put_remains(struct disk *disk)
{
	const uint64_t top = FS_TREE_ID;
	cleanup_volume struct volume *volume = NULL;
	cleanup_scan struct scan *scan = NULL;
	struct allocator *allocator;
	uint8_t bytes[NODE_SIZE];
	const struct chunk *chunk;

	ok(volume_open(disk_device(disk, false), NULL, &volume, err));
	ok(scan_run(volume, &top, 1, &scan, err));
	ok(allocator_open(volume, &allocator, err));
	for (size_t i = 0; i < allocator_n_groups(allocator); i++) {
		const struct group *group = allocator_group(allocator, i);

		for (size_t j = 0; group->flags & GROUP_METADATA && j < group->n_free; j++) {
			const struct free_range *range = &group->free[j];

			/* One in every MiB, so that what a failed flush loses has some. */
			for (uint64_t at = range->logical; at + NODE_SIZE <= range->logical + range->length; at += 1 << 20) {
				if (volume_range_is_reserved(volume, at, NODE_SIZE))
					continue;
				ok(volume_read(volume, scan->block[scan->n_blocks / 2].logical, bytes, sizeof(bytes), 0, err));
				ok(volume_chunk(volume, at, &chunk, err));
				for (unsigned mirror = 0; mirror < chunk_n_mirrors(chunk); mirror++)
					disk_write(disk, chunk_physical(chunk, at, mirror), bytes, sizeof(bytes));
			}
		}
	}
	allocator_close(allocator);
}

/* --- two profiles ------------------------------------------------------------------------------------------------------ */

static int make(const char *options)
{
	set_name = "/";
	image_make(&image, 114u << 20, options, 1200);
	ok(secret_init(err));
	keys_new(&keys);
	disk_load(image.path, &plain);
	put_remains(&plain);
	disk_clone(&plain, &sealed);
	ok(run_encrypt(&sealed, &keys, NEVER, &members, err));
	leaks = leaks_learn(&plain, &members);
	n_mirrors = strstr(options, "-m dup") ? 2 : 1;
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
		cmocka_unit_test(reading_data_back_finds_what_was_lost),
		cmocka_unit_test(a_device_that_loses_it_again_ends_the_run),
		cmocka_unit_test(an_old_leaf_on_one_mirror_is_told_by_the_digest),
		cmocka_unit_test(two_that_nothing_decides_are_left_as_they_are),
		cmocka_unit_test(other_blocks_that_nothing_decides_are_told),
		cmocka_unit_test(what_a_failed_flush_lost_is_written_again),
		cmocka_unit_test(a_failed_write_is_written_again),
	};

	cmocka_set_test_filter(getenv("ONLY"));
	return cmocka_run_group_tests_name("DUP", tests, make_dup, unmake) + cmocka_run_group_tests_name("single", tests, make_single, unmake);
}

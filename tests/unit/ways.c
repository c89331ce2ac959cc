/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Runs of conversions on a disk in memory, and what must come of them. */
#include "tests/unit/ways.h"

#include <stdio.h>

#include "common/tree/allocator.h"
#include "common/volume/mirror.h"
#include "tests/crash/leak.h"
#include "tests/unit/image.h"

static struct image image;
struct disk disk_plain, disk_sealed;
struct keys keys;
struct members members;
struct content plain_content;
static struct content sealed_content;
static struct leaks *leaks;
unsigned n_mirrors;
/* Runs that were stopped, for way_stopped(): cloned from then on. */
#define STOPPED 2
static struct disk stopped[UNSEALING + 1][STOPPED];
/* Likewise for way_recorded(). */
static struct {
	struct disk start;
	struct disk_log log;
} recorded[WAYS];

/* --- what is done, and what must come of it --------------------------------------------------------------------- */

static const char *const way_names[] = { "sealing", "unsealing", "undoing a sealing", "undoing an unsealing" };

static bool ends_sealed(enum way way)
{
	return way == SEALING || way == UNDOING_UNSEALING;
}

const struct disk *way_start(enum way way)
{
	return way == SEALING || way == UNDOING_SEALING ? &disk_plain : &disk_sealed;
}

static void run_until(enum way way, unsigned stop, struct disk *disk)
{
	struct error err = { 0 };

	disk_clone(way_start(way), disk);
	assert_false(way == SEALING ? run_encrypt(disk, &keys, stop, NULL, &err) : run_decrypt(disk, &keys, stop, &err));
	assert_int_equal(err.kind, ERROR_STOPPED);
}

void way_stopped(enum way way, unsigned before_last, struct disk *disk)
{
	assert_true(way <= UNSEALING && before_last < STOPPED);

	struct disk *kept = &stopped[way][before_last];

	if (!kept->page) {
		/* As often as it asks when it is never told to. */
		disk_clone(way_start(way), disk);
		ok(way_run(way, disk, err));
		disk_free(disk);
		assert_true(run_n_asked > 3);
		run_until(way, run_n_asked - 1 - before_last, kept);
	}
	disk_clone(kept, disk);
}

/* Undoing: much of it is done on a good disk before. */
void way_prepare(enum way way, struct disk *disk)
{
	if (way == SEALING || way == UNSEALING)
		disk_clone(way_start(way), disk);
	else
		way_stopped(way == UNDOING_SEALING ? SEALING : UNSEALING, 1, disk);
}

bool way_run(enum way way, struct disk *disk, struct error *err)
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

bool way_go_on(enum way way, struct disk *disk, struct error *err)
{
	const enum convert_goal goal = way == SEALING ? CONVERT_RESUME : way == UNSEALING ? CONVERT_RESUME_DECRYPT : CONVERT_ABORT;

	return run_continue(disk, goal, &keys, false, NEVER, err);
}

/* False with what is wrong. */
bool way_is_right(enum way way, struct disk *disk, struct error *err)
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
	right = run_decrypt(&opened, &keys, NEVER, err) && way_is_right(UNSEALING, &opened, err);
	disk_free(&opened);
	return right;
}

/* The writes of a run without faults. */
void way_record(enum way way, const struct disk *start, struct disk_log *log)
{
	struct disk disk;

	disk_clone(start, &disk);
	disk.log = log;
	ok(way_run(way, &disk, err));
	disk.log = NULL;
	ok(way_is_right(way, &disk, err));
	disk_free(&disk);
}

const struct disk_log *way_recorded(enum way way, const struct disk **start)
{
	if (!recorded[way].start.page) {
		way_prepare(way, &recorded[way].start);
		way_record(way, &recorded[way].start, &recorded[way].log);
	}
	*start = &recorded[way].start;
	return &recorded[way].log;
}

/* Data come in their extents, everything else is read back by itself. */
bool write_is_data(const struct disk *start, uint64_t at)
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

bool write_is_wiping(const struct disk_write *write)
{
	for (size_t i = 0; i < write->len; i++) {
		if (write->bytes[i] != 0)
			return false;
	}
	return true;
}

unsigned n_wrong;

void way_wrong(enum way way, const struct faults *faults, const struct error *err)
{
	static const char *const kinds[FAULT_KINDS] = { "", "lost", "changed", "failing", "failing flush" };

	n_wrong++;
	if (n_wrong <= 20)
		print_error("%s, write %zu to %#llx %s: %s\n", way_names[way], faults->at, (unsigned long long)faults->place,
			    kinds[faults->kind], err->text);
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
	disk_load(image.path, &disk_plain);
	put_remains(&disk_plain);
	disk_clone(&disk_plain, &disk_sealed);
	ok(run_encrypt(&disk_sealed, &keys, NEVER, &members, err));
	leaks = leaks_learn(&disk_plain, &members);
	n_mirrors = strstr(options, "-m dup") ? 2 : 1;
	ok(content_read(&disk_plain, &members, CONTENT_PLAIN, &plain_content, err));
	ok(content_read(&disk_sealed, &members, CONTENT_SEALED, &sealed_content, err));
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
	for (enum way way = 0; way < WAYS; way++) {
		disk_free(&recorded[way].start);
		disk_log_free(&recorded[way].log);
	}
	for (unsigned i = 0; i < (UNSEALING + 1) * STOPPED; i++)
		disk_free(&stopped[i / STOPPED][i % STOPPED]);
	leaks_free(leaks);
	keys_free(&keys);
	disk_free(&disk_sealed);
	disk_free(&disk_plain);
	image_remove(&image);
	return 0;
}

int ways_run_tests(const struct CMUnitTest *tests, size_t n)
{
	return _cmocka_run_group_tests("DUP", tests, n, make_dup, unmake) +
	       (IS_SANITIZED ? 0 : _cmocka_run_group_tests("single", tests, n, make_single, unmake));
}

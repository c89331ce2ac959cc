/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The power goes between the copies of the superblock, or in the middle of one. */
#include "common/volume/csum.h"
#include "tests/unit/ways.h"

#define SUPERS_MAX 64u
#define HALF (SUPER_SIZE / 2)

enum torn { NOT_WRITTEN, ONLY_ITS_BEGINNING, ONLY_ITS_END, TORN_KINDS };

struct supers {
	size_t at[SUPERS_MAX];	/* in the log */
	size_t n;
};

static void find_supers(const struct disk_log *log, struct supers *supers)
{
	*supers = (struct supers){ 0 };
	for (size_t i = 0; i < log->n; i++) {
		if (log->write[i].at != superblock_offset(0) && log->write[i].at != superblock_offset(1))
			continue;
		assert_true(supers->n < SUPERS_MAX);
		assert_int_equal(log->write[i].len, SUPER_SIZE);
		supers->at[supers->n++] = i;
	}
	/* Copy 1 before copy 0, each time. */
	assert_true(supers->n >= 4 && supers->n % 2 == 0);
	for (size_t i = 0; i < supers->n; i++)
		assert_int_equal(log->write[supers->at[i]].at, superblock_offset(i % 2 == 0));
}

/* All writes before this one, and as much of it. */
static void cut_at(const struct disk *start, const struct disk_log *log, size_t at, enum torn torn, struct disk *disk)
{
	const struct disk_write *last = &log->write[at];

	disk_clone(start, disk);
	for (size_t i = 0; i < at; i++)
		disk_write(disk, log->write[i].at, log->write[i].bytes, log->write[i].len);
	if (torn == ONLY_ITS_BEGINNING)
		disk_write(disk, last->at, last->bytes, HALF);
	if (torn == ONLY_ITS_END)
		disk_write(disk, last->at + HALF, last->bytes + HALF, HALF);
}

static bool is_whole(enum way way, struct disk *disk, struct error *err)
{
	struct error end;

	return way_is_right(way, disk, &end) || way_is_right(way_start(way) == &disk_plain ? UNSEALING : SEALING, disk, err);
}

/* A kernel reads copy 0 alone, and writes copy 1 as well. */
static void write_copy_1(struct disk *disk)
{
	struct disk_superblock super;

	disk_read(disk, superblock_offset(0), &super, sizeof(super));
	super.bytenr = to_le64(superblock_offset(1));
	csum_block_update(le16(super.csum_type), (uint8_t *)&super, sizeof(super));
	disk_write(disk, superblock_offset(1), &super, sizeof(super));
}

/* It comes to its end, or says that nothing is unfinished: then it has not begun, or is done, and copy 1 may be torn. */
static void comes_to_an_end(enum way way, struct disk *disk, size_t at)
{
	struct error err = { 0 };
	bool right = way_go_on(way, disk, &err);

	if (!right && err.kind == ERROR_REFUSED && strstr(err.text, "there is no unfinished conversion")) {
		write_copy_1(disk);
		right = true;
	}
	if (!right || !is_whole(way, disk, &err))
		fail_msg("way %d, cut at write %zu: %s", way, at, err.text);
}

/* The first ones, which mark the image, and the last ones, which clear it: those between are written in the same way, and on one profile as on another. */
static void whatever_is_on_the_copies_it_is_gone_on_with(void **state)
{
	const size_t n_first = IS_SANITIZED ? 1 : 2, n_last = IS_SANITIZED ? 1 : 4;

	(void)state;
	for (enum way way = 0; way < WAYS && n_mirrors > 1; way++) {
		struct disk_log log = { 0 };
		struct supers supers;
		struct disk start;

		way_prepare(way, &start);
		way_record(way, &start, &log);
		find_supers(&log, &supers);
		for (size_t i = 0; i < supers.n; i++) {
			for (enum torn torn = 0; (i < n_first || i + n_last >= supers.n) && torn < TORN_KINDS; torn += ONLY_ITS_END) {
				struct disk disk;

				cut_at(&start, &log, supers.at[i], torn, &disk);
				comes_to_an_end(way, &disk, supers.at[i]);
				disk_free(&disk);
			}
		}
		disk_log_free(&log);
		disk_free(&start);
	}
}

/* Nobody's key is asked for, as there is nothing any more that it could be compared with. */
static bool go_on_without_key(enum way way, struct disk *disk, struct error *err)
{
	return run_continue(disk, way == SEALING ? CONVERT_RESUME : CONVERT_RESUME_DECRYPT, &keys, true, NEVER, err);
}

static void has_supers_of(const struct disk *disk, const struct disk_log *log, const struct supers *supers)
{
	for (size_t i = supers->n - 2; i < supers->n; i++) {
		const struct disk_write *wanted = &log->write[supers->at[i]];
		uint8_t bytes[SUPER_SIZE];

		disk_read(disk, wanted->at, bytes, sizeof(bytes));
		assert_memory_equal(bytes, wanted->bytes, sizeof(bytes));
	}
}

static void the_end_needs_no_key(void **state)
{
	(void)state;
	for (enum way way = SEALING; way <= UNSEALING && n_mirrors > 1; way++) {
		struct disk_log log = { 0 };
		struct supers supers;

		way_record(way, way_start(way), &log);
		find_supers(&log, &supers);
		/* Of an unsealing the state alone is left, in both copies or in copy 0; of either copy 0 alone is not there. */
		for (size_t i = supers.n - 2; i < supers.n; i++) {
			for (enum torn torn = 0; torn < TORN_KINDS; torn++) {
				struct error failure = { 0 };
				struct disk disk;

				if (way == SEALING && (i + 1 < supers.n || torn == NOT_WRITTEN))
					continue;
				cut_at(way_start(way), &log, supers.at[i], torn, &disk);
				if (!go_on_without_key(way, &disk, &failure))
					fail_msg("way %d, copy %d, torn %d: %s", way, i + 1 < supers.n, torn, failure.text);
				has_supers_of(&disk, &log, &supers);
				ok(way_is_right(way, &disk, err));
				disk_free(&disk);
			}
		}
		disk_log_free(&log);
	}
}

/* Everything is sealed, and copy 1 has the state that it had while it was being sealed: somebody put it back. */
static void a_state_that_is_dropped_is_dropped_whenever_the_power_goes(void **state)
{
	struct disk_log log = { 0 }, dropping = { 0 };
	struct supers supers, both;
	struct disk is_false, disk;

	(void)state;
	way_record(SEALING, &disk_plain, &log);
	find_supers(&log, &supers);
	cut_at(&disk_plain, &log, log.n - 1, NOT_WRITTEN, &is_false);
	disk_write(&is_false, log.write[log.n - 1].at, log.write[log.n - 1].bytes, log.write[log.n - 1].len);
	disk_write(&is_false, superblock_offset(1), log.write[supers.at[0]].bytes, SUPER_SIZE);

	disk_clone(&is_false, &disk);
	disk.log = &dropping;
	ok(way_go_on(SEALING, &disk, err));
	disk.log = NULL;
	has_supers_of(&disk, &log, &supers);
	disk_free(&disk);
	assert_int_equal(dropping.n, 2);
	both = (struct supers){ { 0, 1 }, 2 };
	for (size_t i = 0; i < both.n; i++) {
		for (enum torn torn = 0; torn < TORN_KINDS; torn++) {
			cut_at(&is_false, &dropping, i, torn, &disk);
			comes_to_an_end(SEALING, &disk, i);
			disk_free(&disk);
		}
	}
	disk_free(&is_false);
	disk_log_free(&dropping);
	disk_log_free(&log);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(whatever_is_on_the_copies_it_is_gone_on_with),
		cmocka_unit_test(the_end_needs_no_key),
		cmocka_unit_test(a_state_that_is_dropped_is_dropped_whenever_the_power_goes),
	};

	return ways_run_tests(tests, sizeof(tests) / sizeof(tests[0]));
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Devices that lose or change what is written to them, and say that it is done. */
#include "tests/unit/ways.h"

/* One write does not get to the medium as it is; the run says that all is well, and it is. */
static void try_bad_write(enum way way, const struct disk *start, enum fault_kind kind, size_t at)
{
	struct faults faults = { .kind = kind, .at = at, .seed = at };
	struct error err = { 0 };
	struct disk disk, medium;

	disk_clone(start, &disk);
	disk_faults_begin(&disk, &faults, &medium);
	if (!way_run(way, &disk, &err) || (disk_faults_end(&disk), !way_is_right(way, &disk, &err)))
		way_wrong(way, &faults, &err);
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

		way_prepare(way, &start);
		way_record(way, &start, &log);
		for (size_t i = 0; i < log.n; i++) {
			if (write_is_wiping(&log.write[i]) || write_is_data(&start, log.write[i].at) != data)
				continue;
			/* They are much the same. */
			if (n++ % step == 0 || i + 3 > log.n)
				try_bad_write(way, &start, kind, i);
		}
		assert_true(n > 10);
		disk_log_free(&log);
		disk_free(&start);
	}
	assert_int_equal(n_wrong, 0);
}

static void no_lost_tree_block_stays_lost(void **state)
{
	(void)state;
	try_bad_writes(FAULT_LOST, false, EVERY(600));
}

static void no_changed_tree_block_stays_changed(void **state)
{
	(void)state;
	try_bad_writes(FAULT_CHANGED, false, EVERY(600));
}

/* Also where there is one copy only: what was lost is the other side of what is there. */
static void reading_data_back_finds_what_was_lost(void **state)
{
	(void)state;
	keys.read_back = true;
	try_bad_writes(FAULT_LOST, true, EVERY(36));
	keys.read_back = false;
}

/* An extent that no tag confirms is looked at block by block. */
static void a_resume_writes_an_extent_that_was_lost(void **state)
{
	struct disk_log log = { 0 };
	struct disk stopped, disk;
	unsigned n = 0, n_tried = 0;

	(void)state;
	way_record(SEALING, &disk_plain, &log);
	way_prepare(UNDOING_SEALING, &stopped);		/* all data are sealed by then */
	for (size_t i = 0; i < log.n; i++) {
		const struct disk_write *write = &log.write[i];
		uint8_t *before;

		/* The journal lies among the data. */
		if (write_is_wiping(write) || !write_is_data(&disk_plain, write->at) || write->len % CRYPT_BLOCK != 0 || n++ % EVERY(120) != 0)
			continue;
		before = malloc(write->len);
		assert_non_null(before);
		disk_clone(&stopped, &disk);
		disk_read(&disk_plain, write->at, before, write->len);
		disk_write(&disk, write->at, before, write->len);
		ok(way_go_on(SEALING, &disk, err));
		ok(way_is_right(SEALING, &disk, err));
		disk_free(&disk);
		free(before);
		n_tried++;
	}
	assert_true(n_tried > 0);
	disk_free(&stopped);
	disk_log_free(&log);
}

/* Is write i one of a tree block (which has the fsid of the superblock in its header) whose place is written once only? */
static bool is_single_block(const struct disk *disk, const struct disk_log *log, size_t i)
{
	const struct disk_write *write = &log->write[i];
	uint8_t fsid[FSID_SIZE];

	disk_read(disk, superblock_offset(0) + offsetof(struct disk_superblock, fsid), fsid, sizeof(fsid));
	if (write->len != NODE_SIZE || memcmp(write->bytes + offsetof(struct disk_header, fsid), fsid, sizeof(fsid)) != 0)
		return false;
	for (size_t k = 0; k < log->n; k++) {
		if (k != i && log->write[k].at < write->at + write->len && write->at < log->write[k].at + log->write[k].len)
			return false;
	}
	return true;
}

/* Has the medium at that place what the cache shows? */
static bool medium_has(const struct disk *disk, const struct disk *medium, uint64_t place)
{
	uint8_t shown[NODE_SIZE], there[NODE_SIZE];

	disk_read(disk, place, shown, sizeof(shown));
	disk_read(medium, place, there, sizeof(there));
	return memcmp(shown, there, sizeof(shown)) == 0;
}

/*
 * Loses twice what is written to that place. False: that did no harm, because in this run the block lies elsewhere, or is written once more
 * before anybody reads it back.
 */
static bool loses_twice(uint64_t place)
{
	struct faults faults = { .kind = FAULT_LOST, .by_place = true, .place = place, .n_often = 1 };
	struct error failure = { 0 };
	struct disk disk, medium;
	bool ended;

	disk_clone(&disk_sealed, &disk);
	disk_faults_begin(&disk, &faults, &medium);
	ended = way_run(UNSEALING, &disk, &failure);
	if (ended) {
		assert_true(medium_has(&disk, &medium, place));
		disk_faults_end(&disk);
	} else {
		assert_true(faults.happened);
		assert_int_equal(failure.kind, ERROR_IO);
		assert_non_null(strstr(failure.text, "were written twice and still differ from what was written"));
		/* And a resume writes it anyway. */
		ok(way_go_on(UNSEALING, &disk, err));
		disk_faults_end(&disk);
	}
	ok(way_is_right(UNSEALING, &disk, err));
	disk_free(&disk);
	disk_free(&medium);
	return !ended;
}

/* Written twice, lost twice. */
static void a_device_that_loses_it_again_ends_the_run(void **state)
{
	struct disk_log log = { 0 };
	bool happened = false;

	(void)state;
	way_record(UNSEALING, &disk_sealed, &log);
	for (size_t at = log.n / 3; at < log.n && !happened; at++)
		happened = is_single_block(&disk_sealed, &log, at) && loses_twice(log.write[at].at);
	assert_true(happened);
	disk_log_free(&log);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(no_lost_tree_block_stays_lost),
		cmocka_unit_test(no_changed_tree_block_stays_changed),
		cmocka_unit_test(reading_data_back_finds_what_was_lost),
		cmocka_unit_test(a_resume_writes_an_extent_that_was_lost),
		cmocka_unit_test(a_device_that_loses_it_again_ends_the_run),
	};

	return ways_run_tests(tests, sizeof(tests) / sizeof(tests[0]));
}

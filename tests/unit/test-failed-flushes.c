/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Flushes and writes that fail, and what the page cache shows afterwards. */
#include "tests/unit/ways.h"

/* The run says so, and whoever goes on, with the caches as they are, comes to the same end. */
static void try_failure(enum way way, const struct disk *start, enum fault_kind kind, size_t at)
{
	struct faults faults = { .kind = kind, .at = at, .seed = at * 7 + 1 };
	struct error err = { 0 };
	struct disk disk, medium;
	bool right;

	disk_clone(start, &disk);
	disk_faults_begin(&disk, &faults, &medium);
	assert_false(way_run(way, &disk, &err));
	assert_true(faults.happened);
	assert_int_equal(err.kind, ERROR_IO);
	faults.kind = FAULT_NONE;
	err = (struct error){ 0 };
	right = way_go_on(way, &disk, &err);
	disk_faults_end(&disk);
	if (!right && err.kind == ERROR_REFUSED) {	/* it had not begun, or had come to its end */
		struct error end;

		right = way_is_right(way, &disk, &end) || way_is_right(way == SEALING ? UNSEALING : SEALING, &disk, &err);
	} else {
		right = right && way_is_right(way, &disk, &err);
	}
	if (!right)
		way_wrong(way, &faults, &err);
	disk_free(&disk);
	disk_free(&medium);
}

static void try_failures(enum fault_kind kind, unsigned step)
{
	const size_t n_first = IS_SANITIZED ? 1 : 2, n_last = IS_SANITIZED ? 1 : 3;

	n_wrong = 0;
	for (enum way way = 0; way < WAYS; way++) {
		struct disk_log log = { 0 };
		struct disk start;

		way_prepare(way, &start);
		way_record(way, &start, &log);

		const size_t n = kind == FAULT_FLUSH_FAILS ? log.n_flushes : log.n;

		for (size_t i = 0; i < n; i += i < n_first || i + n_last >= n ? 1 : step)
			try_failure(way, &start, kind, i);
		disk_log_free(&log);
		disk_free(&start);
	}
	assert_int_equal(n_wrong, 0);
}

static void what_a_failed_flush_lost_is_written_again(void **state)
{
	(void)state;
	try_failures(FAULT_FLUSH_FAILS, EVERY(36));
}

static void a_failed_write_is_written_again(void **state)
{
	(void)state;
	try_failures(FAULT_WRITE_FAILS, EVERY(1200));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_a_failed_flush_lost_is_written_again),
		cmocka_unit_test(a_failed_write_is_written_again),
	};

	return ways_run_tests(tests, sizeof(tests) / sizeof(tests[0]));
}

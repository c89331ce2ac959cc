/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The newest journal record, of data, is destroyed after it was carried out, wholly or in part. */
#include <stdio.h>

#include "common/convert/state.h"
#include "common/volume/mirror.h"
#include "format/journal.h"
#include "tests/crash/cut.h"
#include "tests/unit/ways.h"

/* Its sequence; 0 where the newest record is not of that phase, or was never whole. */
static uint64_t destroy_newest(struct disk *disk, enum crypt_phase phase)
{
	const struct volume_options options = { .unfinished = true };
	cleanup_volume struct volume *volume = NULL;
	struct journal_header newest = { 0 };
	struct crypt_state_tail tail;
	uint8_t noise[4096];
	struct error why = { 0 };

	if (!volume_open(disk_device(disk, true), &options, &volume, &why) || !state_newest(volume, &tail, &why))
		return 0;
	for (unsigned i = 0; i < CRYPT_JOURNAL_SLOTS; i++) {
		struct disk_journal_header header;
		struct cursor cursor = { (const uint8_t *)&header, sizeof(header), tail.slot[i].logical };
		struct journal_header read;

		if (volume_read(volume, tail.slot[i].logical, &header, sizeof(header), 0, &why) && journal_header_read(&cursor, &read, &why) &&
		    memcmp(read.op_id, tail.disk.op_id, sizeof(read.op_id)) == 0 && read.sequence > newest.sequence)
			newest = read;
	}
	if (newest.sequence < 2 || newest.phase != phase || (phase == CRYPT_PHASE_DATA && (newest.n_ranges == 0 || tail.phase != CRYPT_PHASE_DATA)))
		return 0;
	memset(noise, 0x5a, sizeof(noise));
	ok(volume_write(volume, newest.place, noise, sizeof(noise), err));
	return newest.sequence;
}

static bool stops_at_damage(const struct error *err)
{
	return err->kind == ERROR_CORRUPT && strstr(err->text, "no copy of the data");
}

/* A tree block that the record was writing when the power went, on the only mirror, or on both: nobody has it any more. */
static bool is_torn(const struct error *err)
{
	if (err->kind == ERROR_STATE && strstr(err->text, "the new tree block ") && strstr(err->text, "of a journal record is not there"))
		return true;
	return (n_mirrors == 1 || strstr(err->text, "none of 2 mirrors is right")) && (err->kind == ERROR_CORRUPT || err->kind == ERROR_STATE) &&
	       strstr(err->text, "checksum does not match");
}

/*
 * The power went while the next record was written, and the page with its header was not: what was there, two before the lost one, is no longer whole
 * either, and with one valid record alone nobody can go on.
 */
static bool is_overwritten(const struct error *err, uint64_t lost)
{
	char text[80];

	snprintf(text, sizeof(text), "journal record %llu is missing or fails authentication", (unsigned long long)lost - 2);
	return err->kind == ERROR_STATE && strcmp(err->text, text) == 0;
}

static unsigned n_refused, n_taken, n_counted, n_nothing;

static bool begins_plain(enum way way)
{
	return way == SEALING || way == UNDOING_SEALING;
}

/* Where something of the record is in place, nobody goes on unasked; asked, all comes out right, or nothing is changed. */
static bool try_lost(enum way way, const struct disk *lost, uint64_t sequence, struct error *err)
{
	struct error refusal = { 0 };
	struct disk disk;
	bool right;

	disk_clone(lost, &disk);
	right = way_go_on(way, &disk, &refusal);
	if (right)
		right = way_is_right(way, &disk, err);
	else if (refusal.kind == ERROR_STATE ? disk.n_writes == 0 : (begins_plain(way) && stops_at_damage(&refusal)) || is_torn(&refusal))
		right = true;	/* where nothing but data is in place, it stops in front of them */
	else
		*err = refusal;
	disk_free(&disk);
	if (!right)
		return false;
	n_refused += refusal.kind == ERROR_STATE;
	n_nothing += refusal.kind == ERROR_NONE;

	disk_clone(lost, &disk);
	keys.skip = true;
	right = way_go_on(way, &disk, err);
	keys.skip = false;
	if (right) {
		n_taken++;
		right = way_is_right(way, &disk, err);
	} else if (begins_plain(way) && err->kind == ERROR_CORRUPT && strstr(err->text, " blocks, listed above") && disk.n_writes == 0) {
		n_counted++;
		right = true;
	} else {
		right = is_torn(err) || (is_overwritten(err, sequence) && disk.n_writes == 0);
	}
	disk_free(&disk);
	return right;
}

static bool write_is_record(const struct disk_write *write, bool has_ranges)
{
	const struct disk_journal_header *header = (const struct disk_journal_header *)write->bytes;

	return write->len > sizeof(*header) && memcmp(header->magic, JOURNAL_MAGIC, sizeof(header->magic)) == 0 &&
	       (!has_ranges || le32(header->n_ranges) > 0);
}

/* From the first record of data to the one behind the last. */
static void writes_of_data(const struct disk_log *log, size_t *first, size_t *end)
{
	*first = 0;
	while (!write_is_record(&log->write[*first], true))
		++*first;
	*end = log->n;
	while (!write_is_record(&log->write[*end - 1], true))
		--*end;
	while (*end < log->n && !write_is_record(&log->write[*end], false))
		++*end;
}

/* About so many of the writes of data of a run. */
static void try_cuts(enum cut_kind kind, unsigned n_tries)
{
	struct rng rng = { 4711 };

	n_refused = n_taken = n_counted = n_nothing = 0;
	for (enum way way = 0; way < WAYS; way++) {
		const struct disk *start;
		const struct disk_log *log = way_recorded(way, &start);
		struct disk lost;
		size_t first, end;

		writes_of_data(log, &first, &end);
		for (size_t i = first; i < end; i += 1 + rng_below(&rng, 2 * (end - first) / n_tries + 1)) {
			const struct cut cut = { kind, i, rng_next(&rng) };
			char text[CUT_TEXT_SIZE];
			struct error err = { 0 };

			cut_apply(start, log, &cut, &lost);
			cut_text(&cut, text);

			const uint64_t sequence = destroy_newest(&lost, CRYPT_PHASE_DATA);

			if (sequence != 0 && !try_lost(way, &lost, sequence, &err))
				fail_msg("way %d, %s: %s", way, text, err.text);
			disk_free(&lost);
		}
	}
	print_message("%u refused, %u with nothing in place, %u taken over, %u counted\n", n_refused, n_nothing, n_taken, n_counted);
	assert_true(n_taken > 0);
}

static void what_a_lost_record_did_is_taken_over(void **state)
{
	(void)state;
	try_cuts(CUT_PREFIX, TRIES(4));
}

static void in_part_it_is_never_taken_for_something_else(void **state)
{
	(void)state;
	try_cuts(CUT_SUBSET, TRIES(4));
}

static void cut_going_on(enum way way, const struct disk *lost, struct rng *rng)
{
	struct disk_log second = { 0 };
	struct disk disk;
	struct error why = { 0 };
	unsigned n = 0;

	disk_clone(lost, &disk);
	disk.log = &second;
	keys.skip = true;
	ok(way_go_on(way, &disk, err));
	disk_free(&disk);
	for (size_t i = 0; i < second.n; i += 1 + rng_below(rng, second.n / 2)) {
		const struct cut cut = { rng_below(rng, 2) ? CUT_PREFIX : CUT_SUBSET, i, rng_next(rng) };
		char text[CUT_TEXT_SIZE];

		cut_apply(lost, &second, &cut, &disk);
		cut_text(&cut, text);
		if (!way_go_on(way, &disk, &why) && why.kind != ERROR_REFUSED)	/* there may be nothing left to go on with */
			fail_msg("way %d, %s: %s", way, text, why.text);
		if (!way_is_right(way, &disk, &why))
			fail_msg("way %d, %s: %s", way, text, why.text);
		disk_free(&disk);
		n++;
	}
	keys.skip = false;
	assert_true(n > 1);
	disk_log_free(&second);
}

/* It has changed, in place, new blocks of the record before it: that is known by them alone no more, but by the state. */
static void the_first_record_of_data_is_like_others(void **state)
{
	static const enum way goals[] = { SEALING, UNDOING_SEALING };
	struct disk_log log = { 0 };
	struct rng rng = { 4713 };
	size_t first = 0, end;

	(void)state;
	n_refused = n_taken = n_counted = n_nothing = 0;
	keys.large_records = true;
	way_record(SEALING, &disk_plain, &log);
	while (!write_is_record(&log.write[first], true))
		first++;
	for (end = first + n_mirrors; !write_is_record(&log.write[end], false); end++)
		;
	for (size_t back = 1; back <= end - first - n_mirrors + 1; back += EVERY(12)) {
		const size_t i = end - back;

		for (unsigned n = 0; n < 4; n++) {
			const struct cut cut = { n < 2 ? CUT_PREFIX : CUT_SUBSET, i, 4711 * i + n };
			struct error err = { 0 };
			char text[CUT_TEXT_SIZE];
			struct disk lost;

			cut_apply(&disk_plain, &log, &cut, &lost);
			cut_text(&cut, text);

			const uint64_t sequence = destroy_newest(&lost, CRYPT_PHASE_DATA);

			if (sequence != 0 && !try_lost(goals[n % 2], &lost, sequence, &err))
				fail_msg("goal %u, %s: %s", n % 2, text, err.text);
			if (i + 1 == end && cut.kind == CUT_PREFIX)
				cut_going_on(goals[n % 2], &lost, &rng);
			disk_free(&lost);
		}
	}
	print_message("%u refused, %u with nothing in place, %u taken over, %u counted\n", n_refused, n_nothing, n_taken, n_counted);
	assert_true(n_refused > 0 && n_taken > n_nothing);
	keys.large_records = false;
	disk_log_free(&log);
}

/* The power goes while it is gone on with. */
static void going_on_can_be_cut_off(void **state)
{
	struct rng rng = { 4712 };

	(void)state;
	for (enum way way = 0; way < WAYS; way += IS_SANITIZED ? 2 : 1) {
		const struct disk *start;
		const struct disk_log *log = way_recorded(way, &start);
		struct disk lost;

		for (size_t i = log->n; i-- > 0;) {
			const struct cut cut = { CUT_PREFIX, i, 0 };

			cut_apply(start, log, &cut, &lost);
			if (destroy_newest(&lost, CRYPT_PHASE_DATA))
				break;
			disk_free(&lost);
			assert_true(i > 0);
		}
		cut_going_on(way, &lost, &rng);
		disk_free(&lost);
	}
}

static void changes_nothing(enum way way, const struct disk *lost, const char *text)
{
	struct error err = { 0 };
	struct disk disk;

	disk_clone(lost, &disk);
	if (way_go_on(way, &disk, &err)) {
		n_nothing++;
		if (!way_is_right(way, &disk, &err))
			fail_msg("way %d, %s: %s", way, text, err.text);
	} else if (err.kind == ERROR_STATE || is_torn(&err)) {
		n_refused++;
		if (disk.n_writes != 0)
			fail_msg("way %d, %s: changed, and then %s", way, text, err.text);
	} else {
		fail_msg("way %d, %s: %s", way, text, err.text);
	}
	disk_free(&disk);
}

/* Whatever of it is in place: who goes on or back comes out right, or changes nothing. */
static void without_a_record_of_leaves_nothing_is_changed(void **state)
{
	struct rng rng = { 4714 };

	(void)state;
	n_refused = n_nothing = 0;
	for (enum way way = 0; way < WAYS; way++) {
		const enum way back = way == SEALING ? UNDOING_SEALING : UNDOING_UNSEALING;
		const struct disk *start;
		const struct disk_log *log = way_recorded(way, &start);
		struct disk lost;

		for (size_t i = 0; i < log->n; i += 1 + rng_below(&rng, EVERY(36))) {
			const struct cut cut = { CUT_SUBSET, i, rng_next(&rng) };
			char text[CUT_TEXT_SIZE];

			cut_apply(start, log, &cut, &lost);
			cut_text(&cut, text);
			if (destroy_newest(&lost, CRYPT_PHASE_LEAVES)) {
				changes_nothing(way, &lost, text);
				if (way == SEALING || way == UNSEALING)
					changes_nothing(back, &lost, text);
			}
			disk_free(&lost);
		}
	}
	print_message("%u refused, %u with nothing in place\n", n_refused, n_nothing);
	assert_true(n_refused > 0);
}

static uint64_t owner_of(const struct disk_write *write)
{
	const struct disk_header *header = (const struct disk_header *)write->bytes;

	return write->len == NODE_SIZE && !write_is_wiping(write) ? le64(header->owner) : 0;
}

/* Between two flushes a checksum changes, and with it data, or what tells of it; never both: the power could take the latter alone. */
static void tags_are_durable_before_data_change(void **state)
{
	(void)state;
	for (enum way way = 0; way < WAYS; way++) {
		const struct disk *start;
		const struct disk_log *log = way_recorded(way, &start);
		unsigned n = 0;

		for (size_t i = 0; i < log->n; i++) {
			if (owner_of(&log->write[i]) != CSUM_TREE_ID)
				continue;
			n++;
			for (size_t j = i; j-- > 0 && log->write[j].epoch == log->write[i].epoch;) {
				if (owner_of(&log->write[j]) == ROOT_TREE_ID)
					fail_msg("way %d: writes %zu and %zu, of the root tree and of a checksum, are not kept apart", way, j, i);
			}
		}
		assert_true(n > 2);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(tags_are_durable_before_data_change),
		cmocka_unit_test(what_a_lost_record_did_is_taken_over),
		cmocka_unit_test(the_first_record_of_data_is_like_others),
		cmocka_unit_test(in_part_it_is_never_taken_for_something_else),
		cmocka_unit_test(without_a_record_of_leaves_nothing_is_changed),
		cmocka_unit_test(going_on_can_be_cut_off),
	};

	return ways_run_tests(tests, sizeof(tests) / sizeof(tests[0]));
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Key slots are changed: whole, cut off anywhere, gone on with and undone. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/convert/key-change.h"
#include "common/convert/replay.h"
#include "common/convert/state.h"
#include "common/volume/mirror.h"
#include "tests/crash/cut.h"
#include "tests/unit/key-fixture.h"
#include "tests/unit/ok.h"

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))
#define SUBSETS 3u	/* cuts that leave some of what was not flushed, after each write */

static void slots_come_and_go(void **state)
{
	struct disk disk;

	(void)state;
	disk_clone(&key_fixture.sealed, &disk);
	assert_false(opens(&disk, FIRST));
	set_slots(&disk, true, false);
	assert_true(opens(&disk, FIRST));
	assert_false(opens(&disk, SECOND));
	set_slots(&disk, true, true);
	assert_true(opens(&disk, FIRST));
	assert_true(opens(&disk, SECOND));
	set_slots(&disk, false, true);
	assert_false(opens(&disk, FIRST));
	assert_true(opens(&disk, SECOND));
	ok(run_verify(&disk, &key_fixture.keys, err));
	disk_free(&disk);
}

/*
 * Wherever the power goes: either key goes on, in either direction, and afterwards one of them opens it, never both, never none; the slot
 * of the other is nowhere on the disk.
 */
static void power_cuts(void **state)
{
	static const struct {
		enum convert_goal goal;
		unsigned with;
	} ways[] = { { CONVERT_RESUME, FIRST }, { CONVERT_RESUME, SECOND }, { CONVERT_ABORT, FIRST }, { CONVERT_ABORT, SECOND } };
	unsigned n_end[ARRAY_SIZE(ways)][PHRASES] = { { 0 } }, n_refused = 0;
	struct disk_log log = { 0 };
	struct disk before, disk;
	struct slots old, new;

	(void)state;
	disk_clone(&key_fixture.sealed, &before);
	set_slots(&before, true, false);
	disk_clone(&before, &disk);
	disk.log = &log;
	set_slots(&disk, false, true);
	disk.log = NULL;
	key_run_slots(&before, &old);
	key_run_slots(&disk, &new);
	assert_true(old.n == 1 && new.n == 1);
	assert_true(disk_has_slot(&before, &old.at[0]) && disk_has_slot(&disk, &new.at[0]));
	assert_false(disk_has_slot(&disk, &old.at[0]));
	disk_free(&disk);
	for (size_t at = 0; at <= log.n; at++) {
		for (unsigned i = 0; i < (at < log.n ? 1 + SUBSETS : 1u); i++) {
			const struct cut cut = { .kind = i == 0 ? CUT_PREFIX : CUT_SUBSET, .at = at, .seed = i };
			const size_t way = (at + i) % ARRAY_SIZE(ways);
			bool refused;

			cut_apply(&before, &log, &cut, &disk);

			bool has_begun = go_on(&disk, ways[way].goal, ways[way].with, &refused);

			n_refused += refused;
			if (refused)
				has_begun = go_on(&disk, CONVERT_RESUME, SECOND, &refused);

			const bool is_new = opens(&disk, SECOND);

			assert_int_equal(opens(&disk, FIRST), !is_new);
			if (has_begun)
				assert_false(disk_has_slot(&disk, is_new ? &old.at[0] : &new.at[0]));
			n_end[way][is_new]++;
			disk_free(&disk);
		}
	}
	for (size_t i = 0; i < ARRAY_SIZE(ways); i++)
		assert_true(n_end[i][0] > 1 && n_end[i][1] > 1);
	assert_true(n_refused > 1);
	disk_log_free(&log);
	disk_free(&before);
}

/* --- what is refused ----------------------------------------------------------------------------------------------- */

/* The same once record 1 is durable, opened; tail: its state. */
static struct volume *stopped_at_record(const struct disk *before, const struct disk_log *log, struct disk *disk, struct crypt_state_tail *tail)
{
	struct error ignored = { 0 };
	struct volume *volume;

	stopped_in(before, log, CRYPT_PHASE_STRUCTURE, CRYPT_TO_SEALED, disk);
	volume = key_run_open(disk);
	assert_true(state_newest(volume, tail, &ignored));
	return volume;
}

/* The root tree of another disk: blocks are changed in place, so it is where the superblock says. A node takes a page. */
static void take_trees(struct disk *disk, const struct disk *from)
{
	for (size_t i = 0; i < disk->n_pages; i++) {
		struct error ignored = { 0 };
		struct node node;

		if (memcmp(disk->page[i], from->page[i], DISK_PAGE) != 0 &&
		    node_read(from->page[i], DISK_PAGE, le64(((const struct disk_header *)from->page[i])->bytenr), &node, &ignored) &&
		    node.owner == ROOT_TREE_ID)
			disk_write(disk, i * DISK_PAGE, from->page[i], DISK_PAGE);
	}
}

/*
 * The power went when copy 1 of the superblock had the last state and copy 0 still the one before, which names a record. Whoever goes on from
 * copy 1 wipes that record, and tears copy 1 in a second power cut: copy 0 must be enough then.
 */
static void survives_a_torn_superblock_twice(void **state)
{
	struct disk_log log = { 0 }, going_on = { 0 };
	struct disk before, stopped, disk;
	unsigned n_torn = 0;
	bool refused;

	(void)state;
	record_change(&before, &log);
	stopped_in(&before, &log, CRYPT_PHASE_FINISH, CRYPT_TO_SEALED, &stopped);
	disk_clone(&stopped, &disk);
	disk.log = &going_on;
	assert_true(go_on(&disk, CONVERT_RESUME, SECOND, &refused));
	disk.log = NULL;
	disk_free(&disk);
	for (size_t at = 0; at < going_on.n; at++) {
		for (unsigned seed = 0; going_on.write[at].at == SUPER_OFFSET_1 && seed < 4; seed++) {
			const struct cut cut = { .kind = CUT_TORN, .at = at, .seed = seed };

			cut_apply(&stopped, &going_on, &cut, &disk);
			go_on(&disk, CONVERT_RESUME, SECOND, &refused);
			assert_false(refused);
			assert_true(opens(&disk, SECOND) && !opens(&disk, FIRST));
			disk_free(&disk);
			n_torn++;
		}
	}
	assert_true(n_torn >= 8);
	disk_free(&stopped);
	disk_free(&before);
	disk_log_free(&going_on);
	disk_log_free(&log);
}

static void has_words_for_each_refusal(void **state)
{
	struct disk_log log = { 0 }, undoing = { 0 };
	struct disk before, disk, stopped;
	bool refused;

	(void)state;
	record_change(&before, &log);

	stopped_in(&before, &log, CRYPT_PHASE_STRUCTURE, CRYPT_TO_SEALED, &disk);
	expect_refusal(&disk, CONVERT_RESUME_DECRYPT, ERROR_REFUSED, "what is unfinished is a change of key slots, not an unsealing");
	disk_clone(&disk, &stopped);
	stopped.log = &undoing;
	assert_true(go_on(&stopped, CONVERT_ABORT, FIRST, &refused));
	disk_free(&stopped);
	stopped_in(&disk, &undoing, CRYPT_PHASE_STRUCTURE, CRYPT_TO_PLAIN, &stopped);
	expect_refusal(&stopped, CONVERT_RESUME, ERROR_REFUSED, "the unfinished change of key slots is being undone: it can only be finished");
	assert_true(go_on(&stopped, CONVERT_ABORT, SECOND, &refused));
	assert_true(opens(&stopped, FIRST) && !opens(&stopped, SECOND));
	disk_free(&stopped);
	disk_free(&disk);

	stopped_in(&before, &log, CRYPT_PHASE_FINISH, CRYPT_TO_SEALED, &disk);
	expect_refusal(&disk, CONVERT_ABORT, ERROR_REFUSED, "there is nothing to undo: the key slots are changed, only the cleanup is left");
	disk_clone(&disk, &stopped);
	take_trees(&stopped, &before);
	expect_refusal(&stopped, CONVERT_RESUME, ERROR_STATE, "no authentic header of sealing 1 has epoch");
	disk_free(&stopped);
	disk_free(&disk);
	disk_log_free(&undoing);
	disk_log_free(&log);
	disk_free(&before);
}

/* Both copies of header and slots are lost: the root tree has the new slots, but the old ones are gone. */
static void goes_on_without_the_copies(void **state)
{
	static const uint8_t zeros[64 << 10];
	struct disk_log log = { 0 };
	struct crypt_state_tail tail;
	struct disk before, disk;
	struct volume *volume;
	bool refused;

	(void)state;
	record_change(&before, &log);
	volume = stopped_at_record(&before, &log, &disk, &tail);
	ok(volume_write(volume, tail.keys.logical, zeros, tail.keys.length, err));
	volume_close(volume);
	expect_refusal(&disk, CONVERT_ABORT, ERROR_KEY_HEADER, "the copies of the old key slots are damaged; the change cannot be undone");
	/* The root tree still has the old slots, for the record was not carried out. */
	assert_true(go_on(&disk, CONVERT_RESUME, FIRST, &refused));
	assert_true(opens(&disk, SECOND) && !opens(&disk, FIRST));
	disk_free(&disk);
	disk_log_free(&log);
	disk_free(&before);
}

/* The copies have a right hash over old slots that the header does not vouch for: an abort must not put them into the root tree. */
static void abort_refuses_slots_that_were_not_there(void **state)
{
	struct disk_log log = { 0 };
	struct crypt_state_tail tail;
	struct error why = { 0 };
	struct disk_crypt_slot slots[PHRASES];
	struct domain *domain = NULL;
	struct disk before, disk;
	struct volume *volume;
	uint8_t *bytes;
	size_t len;
	bool refused;

	(void)state;
	record_change(&before, &log);
	volume = stopped_at_record(&before, &log, &disk, &tail);
	ok(domain_read_unfinished(volume, &domain, err));
	slots[0] = slots[1] = domain->slots[1].disk;
	ok(domain_keys_encode(&domain->header, slots, 2, &bytes, &len, err));
	ok(volume_write(volume, tail.keys.logical, bytes, len, err));
	ok(volume_write(volume, tail.keys.logical + domain_keys_second(tail.keys.length), bytes, len, err));
	free(bytes);
	domain_free(domain);
	volume_close(volume);

	const struct key_source key = { .volume_key = key_fixture.keys.volume_key, .slot = KEY_SLOT_ANY };
	struct convert_plan plan = { 0 };

	volume = key_run_open(&disk);
	assert_false(convert_continue(volume, CONVERT_ABORT, &key, NULL, &plan, &why));
	assert_int_equal(why.kind, ERROR_KEY_HEADER);
	assert_non_null(strstr(why.text, "the copies of the old key slots are damaged; the change cannot be undone"));
	volume_close(volume);
	assert_true(go_on(&disk, CONVERT_RESUME, SECOND, &refused));
	assert_true(opens(&disk, SECOND) && !opens(&disk, FIRST));
	disk_free(&disk);
	disk_log_free(&log);
	disk_free(&before);
}

/* The records of a conversion that is converting data: nobody but a conversion knows what to do with them. */
static void refuses_data(void **state)
{
	static const struct replay_owner nobody;
	const struct key_source key = { .volume_key = key_fixture.keys.volume_key, .slot = KEY_SLOT_ANY };
	struct crypt_state_tail tail = { 0 };
	struct error why = { 0 };
	struct replay replay = { 0 };
	bool found = false;

	(void)state;
	for (unsigned stop = 0; !found; stop++) {
		struct error stopped = { 0 };
		struct disk disk;

		disk_clone(&key_fixture.plain, &disk);
		assert_false(run_encrypt(&disk, &key_fixture.keys, stop, NULL, &stopped));
		assert_int_equal(stopped.kind, ERROR_STOPPED);

		struct volume *volume = key_run_open(&disk);
		struct domain *domain = NULL;

		ok(state_open(volume, &key, &tail, &domain, err));

		struct operation op = { .volume = volume, .header = &domain->header, .schedule = domain->schedule, .state = tail.disk };

		ok(operation_open_journal(&op, err));
		ok(replay_load(&op, &nobody, &replay, err));
		found = replay.record[replay.n - 1].header.n_ranges > 0;
		if (found) {
			assert_false(replay_check(&op, &replay, &why));
			assert_int_equal(why.kind, ERROR_STATE);
			assert_string_equal(why.text, "a journal record changes data, which this operation does not");
		}
		replay_free(&replay);
		operation_close(&op);
		domain_free(domain);
		volume_close(volume);
		disk_free(&disk);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(slots_come_and_go),
		cmocka_unit_test(power_cuts),
		cmocka_unit_test(survives_a_torn_superblock_twice),
		cmocka_unit_test(has_words_for_each_refusal),
		cmocka_unit_test(goes_on_without_the_copies),
		cmocka_unit_test(abort_refuses_slots_that_were_not_there),
		cmocka_unit_test(refuses_data),
	};

	return (int)key_fixture_run(tests, ARRAY_SIZE(tests));
}

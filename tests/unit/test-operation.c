/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A change of key slots by the transaction that conversions are made of, without a conversion: whole, cut off anywhere, and replayed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/convert/preflight.h"
#include "common/convert/replay.h"
#include "common/convert/state.h"
#include "common/sealed/domain-write.h"
#include "tests/crash/cut.h"
#include "tests/crash/run.h"
#include "tests/unit/image.h"

#define ok(call) do { \
	struct error ok_err = { 0 }, *const err = &ok_err; \
	if (!(call)) \
		fail_msg("%s", ok_err.text); \
} while (0)

#define SUBSETS 3u	/* cuts that leave some of what was not flushed, after each write */

enum { FIRST, SECOND, PHRASES };

static struct image image;
static struct keys keys;
static struct disk plain, sealed;	/* sealed: with no slot but the volume key */
static struct secret *phrase[PHRASES];

static struct volume *open_volume(struct disk *disk)
{
	const struct volume_options options = { .unfinished = true };
	struct volume *volume = NULL;

	ok(volume_open(disk_device(disk, true), &options, &volume, err));
	return volume;
}

static struct disk_crypt_slot make_slot(const struct domain *domain, unsigned number)
{
	const struct kdf_cost cost = { .kdf = KDF_PBKDF2_SHA512, .iterations = KDF_ITERATIONS_NEW_MIN };
	struct disk_crypt_slot slot;

	ok(key_slot_create(phrase[number], &cost, domain->header.domain_uuid, (uint16_t)number, SLOT_PASSPHRASE, NULL, keys.volume_key, &slot,
			   err));
	return slot;
}

/* The direction and phase that stand in its state and record are of no matter to it. */
static const struct journal_point here = { .direction = CRYPT_TO_SEALED, .phase = CRYPT_PHASE_STRUCTURE };

/* One record, then the clear: the domain has these slots and no others. */
static void set_slots(struct disk *disk, bool first, bool second)
{
	const struct key_source key = { .volume_key = keys.volume_key, .slot = KEY_SLOT_ANY };
	cleanup_volume struct volume *volume = open_volume(disk);
	cleanup_domain struct domain *domain = NULL;
	struct disk_crypt_slot slots[PHRASES];
	struct domain_items items = { .slots = slots };
	const struct scan nothing = { .volume = volume };
	struct journal_point point = here;
	struct operation_places places;
	struct allocator *allocator;
	struct transaction *tx;

	ok(domain_read(volume, 1, &domain, err));
	ok(domain_open(domain, &key, err));
	if (first)
		slots[items.n_slots++] = make_slot(domain, FIRST);
	if (second)
		slots[items.n_slots++] = make_slot(domain, SECOND);

	struct operation op = { .volume = volume, .header = &domain->header, .schedule = domain->schedule };

	ok(crypto_random(domain->header.op_id, sizeof(domain->header.op_id), err));
	ok(allocator_open(volume, &allocator, err));
	ok(preflight_places(allocator, &nothing, &places, err));
	operation_begin(&op, CRYPT_OP_ENCRYPT, &places);
	ok(operation_open_journal(&op, err));
	ok(operation_write_keys(&op, slots, items.n_slots, err));
	ok(transaction_begin(volume, allocator, &tx, err));
	ok(domain_write(tx, volume, domain->schedule, &items, &domain->header, err));
	ok(operation_commit_first(&op, tx, &point, err));
	ok(operation_clear(&op, &here, true, err));
	operation_close(&op);
	allocator_close(allocator);
}

/* Goes on after a power cut. Returns false if nothing had begun. */
static bool go_on(struct disk *disk)
{
	static const struct replay_owner nobody;
	const struct key_source key = { .volume_key = keys.volume_key, .slot = KEY_SLOT_ANY };
	cleanup_volume struct volume *volume = open_volume(disk);
	cleanup_domain struct domain *domain = NULL;
	struct crypt_state_tail tail;
	struct replay replay;
	struct error why = { 0 };

	if (!state_newest(volume, &tail, &why))
		return false;
	ok(state_open(volume, &key, &tail, &domain, err));

	struct operation op = { .volume = volume, .header = &domain->header, .schedule = domain->schedule, .state = tail.disk };

	if (tail.phase < CRYPT_PHASE_FINISHED) {
		ok(operation_open_journal(&op, err));
		ok(replay_load(&op, &nobody, &replay, err));
		ok(replay_check(&op, &replay, err));
		ok(operation_claim(&op, err));
		ok(replay_write(&op, &replay, err));
		replay_free(&replay);
	} else {
		ok(operation_claim(&op, err));
	}
	ok(operation_clear(&op, &here, true, err));
	operation_close(&op);
	return true;
}

static bool opens(struct disk *disk, unsigned which)
{
	const struct key_source key = { .secret = phrase[which], .slot = KEY_SLOT_ANY };
	cleanup_volume struct volume *volume = open_volume(disk);
	cleanup_domain struct domain *domain = NULL;
	struct error why = { 0 };

	assert_false(volume_is_unfinished(volume));
	ok(domain_read(volume, 1, &domain, err));
	if (domain_open(domain, &key, &why))
		return true;
	assert_int_equal(why.kind, ERROR_KEY);
	return false;
}

static void slots_come_and_go(void **state)
{
	struct disk disk;

	(void)state;
	disk_clone(&sealed, &disk);
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
	ok(run_verify(&disk, &keys, err));
	disk_free(&disk);
}

/* Wherever the power goes: either key or the other opens it afterwards, never both, never none. */
static void power_cuts(void **state)
{
	struct disk_log log = { 0 };
	struct disk before, disk;
	unsigned n_old = 0, n_new = 0, n_gone_on = 0;

	(void)state;
	disk_clone(&sealed, &before);
	set_slots(&before, true, false);
	disk_clone(&before, &disk);
	disk.log = &log;
	set_slots(&disk, false, true);
	disk.log = NULL;
	disk_free(&disk);
	for (size_t at = 0; at <= log.n; at++) {
		for (unsigned i = 0; i < (at < log.n ? 1 + SUBSETS : 1u); i++) {
			const struct cut cut = { .kind = i == 0 ? CUT_PREFIX : CUT_SUBSET, .at = at, .seed = i };

			cut_apply(&before, &log, &cut, &disk);
			n_gone_on += go_on(&disk);

			const bool is_new = opens(&disk, SECOND);

			assert_int_equal(opens(&disk, FIRST), !is_new);
			n_new += is_new;
			n_old += !is_new;
			disk_free(&disk);
		}
	}
	assert_true(n_old > 0 && n_new > 1 && n_gone_on > 1);
	disk_log_free(&log);
	disk_free(&before);
}

/* The records of a conversion that is converting data: nobody but a conversion knows what to do with them. */
static void refuses_data(void **state)
{
	static const struct replay_owner nobody;
	const struct key_source key = { .volume_key = keys.volume_key, .slot = KEY_SLOT_ANY };
	struct crypt_state_tail tail = { 0 };
	struct error why = { 0 };
	struct replay replay = { 0 };
	bool found = false;

	(void)state;
	for (unsigned stop = 0; !found; stop++) {
		struct error stopped = { 0 };
		struct disk disk;

		disk_clone(&plain, &disk);
		assert_false(run_encrypt(&disk, &keys, stop, NULL, &stopped));
		assert_int_equal(stopped.kind, ERROR_STOPPED);

		struct volume *volume = open_volume(&disk);
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

static struct secret *secret_of(const char *text)
{
	struct secret *secret;

	ok(secret_new(strlen(text), &secret, err));
	memcpy(secret_bytes(secret), text, strlen(text));
	return secret;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(slots_come_and_go),
		cmocka_unit_test(power_cuts),
		cmocka_unit_test(refuses_data),
	};
	int failed;

	ok(secret_init(err));
	set_name = "/";
	image_make(&image, 128 << 20, "-n 4096 -m dup", 20);
	keys_new(&keys);
	phrase[FIRST] = secret_of("first");
	phrase[SECOND] = secret_of("second");
	disk_load(image.path, &plain);
	disk_clone(&plain, &sealed);
	ok(run_encrypt(&sealed, &keys, NEVER, NULL, err));
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	secret_free(phrase[FIRST]);
	secret_free(phrase[SECOND]);
	disk_free(&sealed);
	disk_free(&plain);
	keys_free(&keys);
	image_remove(&image);
	return failed;
}

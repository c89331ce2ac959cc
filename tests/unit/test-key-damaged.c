/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Changes of key slots while one of them is damaged, cut off anywhere. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "common/sealed/domain-slots.h"
#include "common/tree/transaction.h"
#include "common/tree/tree.h"
#include "common/volume/mirror.h"
#include "tests/crash/cut.h"
#include "tests/unit/key-fixture.h"
#include "tests/unit/ok.h"

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))

/* One byte of the slot item of this number is another one, on every mirror, with right checksums. */
static void spoil(struct disk *disk, unsigned number)
{
	const struct key key = crypt_key(1, CRYPT_SLOT, number);
	struct volume *const volume = key_run_open(disk);
	struct allocator *allocator;
	struct transaction *tx;
	uint8_t *bytes;
	uint32_t len;

	ok(allocator_open(volume, &allocator, err));
	ok(transaction_begin(volume, allocator, &tx, err));
	ok(tree_edit_item(tx, ROOT_TREE_ID, &key, &bytes, &len, err));
	bytes[180] ^= 1;
	ok(transaction_settle(tx, err));
	/* Without the superblocks, of which only one may have the newest state. */
	for (size_t i = 0; i < transaction_n_changed(tx); i++)
		ok(volume_write(volume, transaction_changed(tx, i)->logical, transaction_changed(tx, i)->bytes, volume->super.node_size, err));
	transaction_drop(tx);
	allocator_close(allocator);
	volume_close(volume);
}

static enum domain_slot slot_is(struct disk *disk, unsigned number)
{
	const struct key_source key = { .volume_key = key_fixture.keys.volume_key, .slot = KEY_SLOT_ANY };
	cleanup_volume struct volume *volume = key_run_open(disk);
	cleanup_domain struct domain *domain = NULL;

	assert_false(volume_is_unfinished(volume));
	ok(domain_read(volume, 1, &domain, err));
	ok(domain_open(domain, &key, err));
	return domain_slot_is(domain, number);
}

/*
 * The slot of SECOND is damaged. A change that has nothing to do with it leaves it as it is, wherever the power goes; one that removes or replaces it
 * gives it up with its first record, in either direction. FIRST opens whatever comes.
 */
static void a_damaged_slot_is_left_alone_or_given_up(void **state)
{
	static const struct {
		bool kept, replaced;
	} ways[] = { { true, false }, { false, false }, { false, true } };
	struct disk before, disk;

	(void)state;
	disk_clone(&key_fixture.sealed, &before);
	set_slots(&before, true, true);
	spoil(&before, SECOND);
	assert_int_equal(slot_is(&before, SECOND), DOMAIN_SLOT_DAMAGED);
	for (size_t way = 0; way < ARRAY_SIZE(ways); way++) {
		struct slots slots = { .n = 1, .kept = ways[way].kept ? 1u << SECOND : 0 };
		unsigned n_end[4] = { 0 };
		struct disk_log log = { 0 };

		slots.at[0] = key_run_slot(&before, &key_fixture.keys, key_fixture.phrase[FIRST], SLOT_PASSPHRASE, FIRST);
		if (ways[way].replaced)
			slots.at[slots.n++] = key_run_slot(&before, &key_fixture.keys, key_fixture.phrase[SECOND], SLOT_PASSPHRASE, SECOND);
		disk_clone(&before, &disk);
		disk.log = &log;
		ok(key_run_change(&disk, &key_fixture.keys, &slots, true, NULL, err));
		disk.log = NULL;
		disk_free(&disk);
		for (size_t at = 0; at <= log.n; at++) {
			const struct cut cut = { .kind = CUT_PREFIX, .at = at };
			const bool undo = at % 2;
			bool refused;

			cut_apply(&before, &log, &cut, &disk);

			const bool has_begun = go_on(&disk, undo ? CONVERT_ABORT : CONVERT_RESUME, FIRST, &refused) ||
					       (refused && go_on(&disk, CONVERT_RESUME, FIRST, &refused));
			const enum domain_slot is = slot_is(&disk, SECOND);

			assert_true(opens(&disk, FIRST));
			assert_int_equal(opens(&disk, SECOND), is == DOMAIN_SLOT_RIGHT);
			if (ways[way].kept)
				assert_int_equal(is, DOMAIN_SLOT_DAMAGED);
			else if (has_begun)
				assert_true(is == DOMAIN_SLOT_FREE || (ways[way].replaced && is == DOMAIN_SLOT_RIGHT));
			n_end[is]++;
			disk_free(&disk);
		}
		assert_true(n_end[DOMAIN_SLOT_DAMAGED] > 1 && n_end[DOMAIN_SLOT_GONE] == 0);
		assert_true(ways[way].kept || n_end[DOMAIN_SLOT_FREE] > 1);
		assert_true(!ways[way].replaced || n_end[DOMAIN_SLOT_RIGHT] > 1);
		disk_log_free(&log);
	}
	disk_free(&before);
}

/* The end wipes the copies of the key slots: not if only they still have a slot. */
static void does_not_wipe_the_only_copy_of_a_slot(void **state)
{
	struct disk_log log = { 0 };
	struct disk before, disk;
	bool refused;

	(void)state;
	record_change(&before, &log);
	stopped_in(&before, &log, CRYPT_PHASE_FINISH, CRYPT_TO_SEALED, &disk);
	spoil(&disk, SECOND);
	expect_refusal(&disk, CONVERT_RESUME, ERROR_KEY_HEADER, "key slot 1 is damaged, and the end would remove its only copy");
	spoil(&disk, SECOND);
	assert_true(go_on(&disk, CONVERT_RESUME, SECOND, &refused));
	assert_true(opens(&disk, SECOND));
	disk_free(&disk);
	disk_log_free(&log);
	disk_free(&before);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_damaged_slot_is_left_alone_or_given_up),
		cmocka_unit_test(does_not_wipe_the_only_copy_of_a_slot),
	};

	return (int)key_fixture_run(tests, ARRAY_SIZE(tests));
}

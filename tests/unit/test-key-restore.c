/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A header is put back from its backup: whole, cut off anywhere, gone on with and undone. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/convert/convert.h"
#include "common/convert/key-change.h"
#include "common/convert/key-restore.h"
#include "common/convert/state.h"
#include "common/sealed/domain-slots.h"
#include "common/sealed/header-backup.h"
#include "tests/crash/cut.h"
#include "tests/crash/key-run.h"
#include "tests/support/edit.h"
#include "tests/unit/image.h"
#include "tests/unit/ok.h"

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))
#define SUBSETS 2u	/* cuts that leave some of what was not flushed, after each write */

enum { OLD, NEW, PHRASES };

static struct image image;
static struct keys keys;
static struct disk sealed;			/* slot 0 is opened by OLD */
static struct header_backup *backup, *short_backup;	/* of that; without slots */
static struct secret *phrase[PHRASES];
static struct disk_crypt_header old_header;	/* of long before */

/* The one slot of the domain becomes that of this passphrase. */
static void set_slot(struct disk *disk, unsigned which)
{
	struct slots slots = { .n = 1 };

	slots.at[0] = key_run_slot(disk, &keys, phrase[which], SLOT_PASSPHRASE, 0);
	ok(key_run_change(disk, &keys, &slots, true, NULL, err));
}

/* --- damage ---------------------------------------------------------------------------------------------------------- */

enum { BOTH_HEADERS, EVERYTHING, NO_ROOM, MEMBER, SLOT_BYTE, HEADER_BYTE, OLD_HEADERS, NEWER, STRAY_SLOT, DAMAGES };
/* Items of no kind take the room of those that are gone, so that a leaf has to be split; as many as choose_fillers() finds. */
static unsigned n_fillers;
#define FILLERS_MAX 64u

static void drop(struct transaction *tx, struct key key)
{
	ok(tree_remove(tx, ROOT_TREE_ID, &key, err));
}

static uint8_t *item(struct transaction *tx, struct key key)
{
	uint8_t *bytes;
	uint32_t len;

	ok(tree_edit_item(tx, ROOT_TREE_ID, &key, &bytes, &len, err));
	return bytes;
}

static void edit(struct transaction *tx, unsigned damage)
{
	const struct key first = crypt_key(1, CRYPT_HEADER, 0), second = crypt_second_header_key(1), slot = crypt_key(1, CRYPT_SLOT, 0);
	const struct key member = crypt_key(1, CRYPT_MEMBER, 0), stray = crypt_key(1, CRYPT_SLOT, 7);

	if (damage == BOTH_HEADERS || damage == EVERYTHING || damage == NO_ROOM) {
		drop(tx, first);
		drop(tx, second);
	}
	if (damage == EVERYTHING || damage == NO_ROOM)
		drop(tx, slot);
	if (damage == EVERYTHING || damage == NO_ROOM || damage == MEMBER)
		drop(tx, member);
	for (unsigned i = 0; damage == NO_ROOM && i < n_fillers; i++) {
		const struct key filler = { CRYPT_ID, KEY_PERSISTENT_ITEM, 1ull << 48 | 9ull << 44 | i };

		ok(tree_insert(tx, ROOT_TREE_ID, &filler, NULL, 100, err));
	}
	if (damage == SLOT_BYTE)
		item(tx, slot)[180] ^= 1;
	if (damage == HEADER_BYTE) {
		item(tx, first)[33] ^= 1;
		item(tx, second)[260] ^= 1;
	}
	if (damage == OLD_HEADERS) {
		memcpy(item(tx, first), &old_header, sizeof(old_header));
		memcpy(item(tx, second), &old_header, sizeof(old_header));
	}
	if (damage == STRAY_SLOT)
		ok(tree_insert(tx, ROOT_TREE_ID, &stray, "no key slot at all", 18, err));
}

static void damaged(unsigned damage, struct disk *disk)
{
	struct allocator *allocator;
	struct transaction *tx;
	struct volume *volume;

	disk_clone(&sealed, disk);
	if (damage == NEWER) {
		set_slot(disk, NEW);
		return;
	}
	volume = key_run_open(disk);
	ok(allocator_open(volume, &allocator, err));
	ok(transaction_begin(volume, allocator, &tx, err));
	edit(tx, damage);
	ok(edit_commit(volume, tx, err));
	allocator_close(allocator);
	volume_close(volume);
}

/* --- what is there ------------------------------------------------------------------------------------------------- */

/* All items of the domain, byte for byte, and the size of the tree. */
static void items_hash(struct disk *disk, uint8_t hash[32])
{
	const struct key begin = crypt_key(1, CRYPT_HEADER, 0);
	cleanup_volume struct volume *volume = key_run_open(disk);
	struct tree_iter iter = { 0 };
	uint8_t bytes[32 + 32 + 17 + 8];
	struct tree tree;

	memset(hash, 0, 32);
	ok(tree_open(volume, ROOT_TREE_ID, &tree, err));
	ok(tree_seek(&tree, &begin, &iter, err));
	while (iter.valid && iter.key.objectid == CRYPT_ID) {
		memcpy(bytes, hash, 32);
		ok(crypto_sha256(iter.item.at, iter.item.left, bytes + 32, err));
		memcpy(bytes + 64, &iter.key.offset, 8);
		memcpy(bytes + 72, &volume->super.bytes_used, 8);
		memset(bytes + 80, volume->super.root_level, sizeof(bytes) - 80);
		ok(crypto_sha256(bytes, sizeof(bytes), hash, err));
		ok(tree_next(&iter, err));
	}
	tree_iter_close(&iter);
}

static void note_fault(void *context, unsigned number, const char *text)
{
	(void)number, (void)text;
	*(bool *)context = true;
}

/* With nothing to say about it. */
static bool opens(struct disk *disk, unsigned which)
{
	const struct key_source key = { .secret = phrase[which], .slot = KEY_SLOT_ANY };
	cleanup_volume struct volume *volume = key_run_open(disk);
	cleanup_domain struct domain *domain = NULL;
	struct error why = { 0 };
	bool any_fault = false;

	assert_false(volume_is_unfinished(volume));
	if (!domain_read(volume, 1, &domain, &why) || !domain_open(domain, &key, &why))
		return false;
	domain_slot_faults(domain, note_fault, &any_fault);
	return !domain->one_header_bad && !any_fault;
}

static uint64_t epoch_of(struct disk *disk)
{
	cleanup_volume struct volume *volume = key_run_open(disk);
	cleanup_domain struct domain *domain = NULL;

	ok(domain_read(volume, 1, &domain, err));
	return domain->header.epoch;
}

static bool restore(struct disk *disk, const struct header_backup *from, struct error *why)
{
	const struct key_source key = { .volume_key = keys.volume_key, .slot = KEY_SLOT_ANY };
	cleanup_volume struct volume *volume = key_run_open(disk);
	cleanup_domain struct domain *domain = NULL;
	struct domain_remains remains;

	ok(domain_read_backup(volume, from, &domain, err));
	ok(domain_open(domain, &key, err));
	ok(domain_remains_read(domain, &remains, err));
	assert_int_equal(remains.seal, SEAL_IS_OWN);
	return key_restore(volume, domain, &remains, NULL, why);
}

static bool has_slot(const struct disk *disk, const struct disk_crypt_slot *slot)
{
	for (size_t i = 0; i < disk->n_pages; i++)
		if (!disk_page_is_zero(disk, i) && memmem(disk->page[i], DISK_PAGE, slot->header.salt, sizeof(slot->header.salt)))
			return true;
	return false;
}

static struct disk_crypt_slot slot_of(struct disk *disk)
{
	cleanup_volume struct volume *volume = key_run_open(disk);
	cleanup_domain struct domain *domain = NULL;

	ok(domain_read(volume, 1, &domain, err));
	assert_int_equal(domain->n_slots, 1);
	return domain->slots[0].disk;
}

static uint64_t bytes_used(struct disk *disk)
{
	struct volume *const volume = key_run_open(disk);
	const uint64_t used = volume->super.bytes_used;

	volume_close(volume);
	return used;
}

static void choose_fillers(void)
{
	bool splits = false;

	for (n_fillers = 0; !splits && n_fillers < FILLERS_MAX; n_fillers++) {
		struct error why = { 0 };
		struct disk disk;
		uint64_t before;

		damaged(NO_ROOM, &disk);
		before = bytes_used(&disk);
		assert_true(restore(&disk, backup, &why));
		splits = bytes_used(&disk) != before;
		disk_free(&disk);
	}
	n_fillers--;
	assert_true(splits);
}

/* --- tests ----------------------------------------------------------------------------------------------------------- */

static void puts_back_whatever_is_gone(void **state)
{
	struct error why = { 0 };
	struct disk disk;

	(void)state;
	assert_true(opens(&sealed, OLD));
	for (unsigned damage = 0; damage < DAMAGES; damage++) {
		damaged(damage, &disk);
		assert_false(opens(&disk, OLD));
		if (!restore(&disk, backup, &why))
			fail_msg("damage %u: %s", damage, why.text);
		assert_true(opens(&disk, OLD));
		assert_false(opens(&disk, NEW));
		assert_int_equal(epoch_of(&disk), epoch_of(&sealed) + (damage == NEWER ? 2 : 1));
		ok(run_verify(&disk, &keys, err));
		disk_free(&disk);
	}
}

static void hashes_of_slots_keep_those_that_fit(void **state)
{
	struct error why = { 0 };
	struct disk disk;

	(void)state;
	damaged(BOTH_HEADERS, &disk);
	assert_true(restore(&disk, short_backup, &why));
	assert_true(opens(&disk, OLD));
	disk_free(&disk);
	damaged(SLOT_BYTE, &disk);
	assert_true(restore(&disk, short_backup, &why));
	assert_false(opens(&disk, OLD));
	ok(run_verify(&disk, &keys, err));
	disk_free(&disk);
}

static bool go_on(struct disk *disk, enum convert_goal goal, bool *refused)
{
	const struct key_source key = { .secret = phrase[OLD], .slot = KEY_SLOT_ANY };
	cleanup_volume struct volume *volume = key_run_open(disk);
	struct convert_plan plan = { 0 };
	struct error why = { 0 };

	*refused = false;
	if (convert_continue(volume, goal, &key, NULL, &plan, &why))
		return true;
	*refused = why.kind == ERROR_REFUSED && strstr(why.text, "nothing to undo");
	if (!*refused && strcmp(why.text, "there is no unfinished conversion") != 0)
		fail_msg("%s", why.text);
	return false;
}

/* Until nobody else can mount it only free space is written to, where no record is yet: no block of a tree, be it as it was. */
static void changes_nothing_before_the_superblocks(const struct disk *before, const struct disk_log *log)
{
	uint8_t there[DISK_PAGE];
	size_t i;

	for (i = 0; i < log->n && log->write[i].at != 64 << 20; i++) {
		const struct disk_write *const write = &log->write[i];

		if (write->len != DISK_PAGE)
			continue;
		disk_read(before, write->at, there, sizeof(there));
		assert_memory_not_equal(there, write->bytes, sizeof(there));
	}
	assert_true(i > 1 && i < log->n);
}

/* Wherever the power goes: a passphrase of the backup goes on, or back; the image is as restored, or as it was, damage included. */
static void cut_everywhere(unsigned damage)
{
	unsigned n_restored[2] = { 0 }, n_found[2] = { 0 }, n_refused = 0;
	struct disk_crypt_slot newer = { 0 };
	struct disk_log log = { 0 };
	struct disk before, disk;
	struct error why = { 0 };
	uint8_t found[32], have[32];

	damaged(damage, &before);
	items_hash(&before, found);
	if (damage == NEWER)
		newer = slot_of(&before);
	disk_clone(&before, &disk);
	disk.log = &log;
	assert_true(restore(&disk, backup, &why));
	disk.log = NULL;
	changes_nothing_before_the_superblocks(&before, &log);
	assert_true(damage != NEWER || (has_slot(&before, &newer) && !has_slot(&disk, &newer)));
	disk_free(&disk);
	for (size_t at = 0; at <= log.n; at++) {
		for (unsigned i = 0; i < (at < log.n ? 1 + SUBSETS : 1u); i++) {
			const struct cut cut = { .kind = i == 0 ? CUT_PREFIX : CUT_SUBSET, .at = at, .seed = i };
			const bool undoes = (at + i) % 2;
			bool refused, has_begun;

			cut_apply(&before, &log, &cut, &disk);
			has_begun = go_on(&disk, undoes ? CONVERT_ABORT : CONVERT_RESUME, &refused);
			n_refused += refused;
			if (refused)
				has_begun = go_on(&disk, CONVERT_RESUME, &refused);
			items_hash(&disk, have);

			const bool is_found = memcmp(have, found, sizeof(have)) == 0;

			n_found[undoes] += is_found;
			n_restored[undoes] += !is_found;
			if (!is_found) {
				assert_true(opens(&disk, OLD));
				ok(run_verify(&disk, &keys, err));
				assert_true(damage != NEWER || !has_begun || !has_slot(&disk, &newer));
			}
			disk_free(&disk);
		}
	}
	assert_true(n_restored[false] > 1 && n_found[true] > 1 && n_refused > 1);
	disk_log_free(&log);
	disk_free(&before);
}

static void power_cuts(void **state)
{
	(void)state;
	cut_everywhere(EVERYTHING);
	cut_everywhere(NO_ROOM);
	cut_everywhere(NEWER);
	cut_everywhere(OLD_HEADERS);
}

/* An abort is cut as well: it goes on, and gives back the same. */
static void power_cuts_of_an_abort(void **state)
{
	struct disk_log log = { 0 }, undoing = { 0 };
	struct disk before, stopped, disk;
	struct error why = { 0 };
	uint8_t found[32], have[32];
	bool refused, is_stopped = false;

	(void)state;
	damaged(EVERYTHING, &before);
	items_hash(&before, found);
	disk_clone(&before, &disk);
	disk.log = &log;
	assert_true(restore(&disk, backup, &why));
	disk_free(&disk);
	/* The last moment when it can be undone: record 2 is in place, and the state does not say so. */
	for (size_t at = log.n; at > 0 && !is_stopped; at--) {
		const struct cut cut = { .kind = CUT_PREFIX, .at = at };
		struct crypt_state_tail tail;
		struct error ignored = { 0 };
		struct volume *volume;

		cut_apply(&before, &log, &cut, &stopped);
		volume = key_run_open(&stopped);
		is_stopped = state_newest(volume, &tail, &ignored) && tail.phase == CRYPT_PHASE_STRUCTURE;
		volume_close(volume);
		if (!is_stopped)
			disk_free(&stopped);
	}
	assert_true(is_stopped);
	disk_clone(&stopped, &disk);
	disk.log = &undoing;
	assert_true(go_on(&disk, CONVERT_ABORT, &refused));
	disk.log = NULL;
	items_hash(&disk, have);
	assert_memory_equal(have, found, sizeof(have));
	disk_free(&disk);
	for (size_t at = 0; at <= undoing.n; at++) {
		const struct cut cut = { .kind = at % 2 ? CUT_PREFIX : CUT_SUBSET, .at = at < undoing.n || at % 2 ? at : at - 1, .seed = at };

		cut_apply(&stopped, &undoing, &cut, &disk);
		(void)!go_on(&disk, CONVERT_ABORT, &refused);
		assert_false(refused);
		items_hash(&disk, have);
		assert_memory_equal(have, found, sizeof(have));

		struct volume *const volume = key_run_open(&disk);

		assert_false(volume_is_unfinished(volume));
		volume_close(volume);
		disk_free(&disk);
	}
	disk_log_free(&undoing);
	disk_log_free(&log);
	disk_free(&stopped);
	disk_free(&before);
}

static void keep_header(struct disk *disk)
{
	cleanup_volume struct volume *volume = key_run_open(disk);
	cleanup_domain struct domain *domain = NULL;

	ok(domain_read(volume, 1, &domain, err));
	crypt_header_write(&domain->header, &old_header);
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
		cmocka_unit_test(puts_back_whatever_is_gone),
		cmocka_unit_test(hashes_of_slots_keep_those_that_fit),
		cmocka_unit_test(power_cuts),
		cmocka_unit_test(power_cuts_of_an_abort),
	};
	int failed;

	ok(secret_init(err));
	set_name = "/";
	image_make(&image, 128 << 20, "-n 4096 -m dup", 20);
	keys_new(&keys);
	phrase[OLD] = secret_of("old");
	phrase[NEW] = secret_of("new");
	disk_load(image.path, &sealed);
	ok(run_encrypt(&sealed, &keys, NEVER, NULL, err));
	keep_header(&sealed);
	for (unsigned i = 0; i < 4; i++)
		set_slot(&sealed, OLD);
	backup = key_run_backup(&sealed, false);
	short_backup = key_run_backup(&sealed, true);
	choose_fillers();
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	header_backup_free(backup);
	header_backup_free(short_backup);
	secret_free(phrase[OLD]);
	secret_free(phrase[NEW]);
	disk_free(&sealed);
	keys_free(&keys);
	image_remove(&image);
	return failed;
}

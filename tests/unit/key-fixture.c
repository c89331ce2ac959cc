/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "tests/unit/key-fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/convert/state.h"
#include "tests/crash/cut.h"
#include "tests/unit/image.h"
#include "tests/unit/ok.h"

static struct image image;
struct key_fixture key_fixture;

void set_slots(struct disk *disk, bool first, bool second)
{
	struct slots slots = { .n = 0 };

	if (first)
		slots.at[slots.n++] = key_run_slot(disk, &key_fixture.keys, key_fixture.phrase[FIRST], SLOT_PASSPHRASE, FIRST);
	if (second)
		slots.at[slots.n++] = key_run_slot(disk, &key_fixture.keys, key_fixture.phrase[SECOND], SLOT_PASSPHRASE, SECOND);
	ok(key_run_change(disk, &key_fixture.keys, &slots, true, NULL, err));
}

/* Only the superblocks are left to clear. */
static bool is_finished(const struct volume *volume)
{
	struct crypt_state_tail tail;
	struct error ignored = { 0 };

	return state_newest(volume, &tail, &ignored) && tail.phase == CRYPT_PHASE_FINISHED;
}

bool go_on(struct disk *disk, enum convert_goal goal, unsigned with, bool *refused)
{
	const struct key_source key = { .secret = key_fixture.phrase[with], .slot = KEY_SLOT_ANY };
	cleanup_volume struct volume *volume = key_run_open(disk);
	struct convert_plan plan = { 0 };
	struct error why = { 0 };

	*refused = false;
	if (convert_continue(volume, goal, &key, NULL, &plan, &why)) {
		assert_true(plan.keys_changed || !volume->copy[0].valid || plan.undone == UNDONE_NOTHING);
		return true;
	}
	*refused = (why.kind == ERROR_REFUSED && strstr(why.text, "nothing to undo")) ||
		   (why.kind == ERROR_KEY && with == FIRST && is_finished(volume));
	if (!*refused && strcmp(why.text, "there is no unfinished conversion") != 0)
		fail_msg("%s", why.text);
	return false;
}

bool opens(struct disk *disk, unsigned which)
{
	const struct key_source key = { .secret = key_fixture.phrase[which], .slot = KEY_SLOT_ANY };
	cleanup_volume struct volume *volume = key_run_open(disk);
	cleanup_domain struct domain *domain = NULL;
	struct error why = { 0 };

	assert_false(volume_is_unfinished(volume));
	ok(domain_read(volume, 1, &domain, err));
	if (domain_open(domain, &key, &why))
		return true;
	assert_int_equal(why.kind, ERROR_KEY);
	return false;
}

void record_change(struct disk *before, struct disk_log *log)
{
	struct disk disk;

	disk_clone(&key_fixture.sealed, before);
	set_slots(before, true, false);
	disk_clone(before, &disk);
	disk.log = log;
	set_slots(&disk, false, true);
	disk_free(&disk);
}

void stopped_in(const struct disk *before, const struct disk_log *log, enum crypt_phase phase, enum crypt_direction direction, struct disk *disk)
{
	for (size_t at = 0; at <= log->n; at++) {
		const struct cut cut = { .kind = CUT_PREFIX, .at = at };
		struct crypt_state_tail tail;
		struct error ignored = { 0 };

		cut_apply(before, log, &cut, disk);

		struct volume *volume = key_run_open(disk);
		const bool found = state_newest(volume, &tail, &ignored) && tail.phase == phase && tail.direction == direction;

		volume_close(volume);
		if (found)
			return;
		disk_free(disk);
	}
	fail_msg("no prefix is in phase %d", phase);
}

void expect_refusal(struct disk *disk, enum convert_goal goal, enum error_kind kind, const char *text)
{
	const struct key_source key = { .volume_key = key_fixture.keys.volume_key, .slot = KEY_SLOT_ANY };
	cleanup_volume struct volume *volume = key_run_open(disk);
	struct convert_plan plan = { 0 };
	struct error why = { 0 };
	const uint64_t n_writes = disk->n_writes;

	assert_false(convert_continue(volume, goal, &key, NULL, &plan, &why));
	if (!strstr(why.text, text))
		fail_msg("%s", why.text);
	assert_int_equal(why.kind, kind);
	assert_int_equal(disk->n_writes, n_writes);
}

static struct secret *secret_of(const char *text)
{
	struct secret *secret;

	ok(secret_new(strlen(text), &secret, err));
	memcpy(secret_bytes(secret), text, strlen(text));
	return secret;
}

int key_fixture_run(const struct CMUnitTest *tests, size_t n)
{
	int failed;

	ok(secret_init(err));
	set_name = "/";
	image_make(&image, 128 << 20, "-n 4096 -m dup", 20);
	keys_new(&key_fixture.keys);
	key_fixture.phrase[FIRST] = secret_of("first");
	key_fixture.phrase[SECOND] = secret_of("second");
	disk_load(image.path, &key_fixture.plain);
	disk_clone(&key_fixture.plain, &key_fixture.sealed);
	ok(run_encrypt(&key_fixture.sealed, &key_fixture.keys, NEVER, NULL, err));
	failed = _cmocka_run_group_tests("key slots", tests, n, NULL, NULL);
	secret_free(key_fixture.phrase[FIRST]);
	secret_free(key_fixture.phrase[SECOND]);
	disk_free(&key_fixture.sealed);
	disk_free(&key_fixture.plain);
	keys_free(&key_fixture.keys);
	image_remove(&image);
	return failed;
}

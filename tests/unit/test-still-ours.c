/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Somebody else comes in while a conversion begins: what is on the disk at each of the moments at which that is asked. */
#include "common/volume/still-ours.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/convert/convert.h"
#include "common/volume/block.h"
#include "common/volume/csum.h"
#include "tests/unit/fault-device.h"
#include "tests/unit/image.h"
#include "tests/unit/memory-device.h"
#include "tests/unit/ok.h"

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))
#define NEVER 0
#define PIECE 4096u

static struct image image;
static uint8_t *disk, *before;	/* all of it, in memory; and as it was made */
static struct secret *key;

/* --- a disk that others may use ------------------------------------------------------------------------------- */

static unsigned n_asked, comes_at, n_shared, n_writes, n_writes_shared;
static bool writes_only;	/* whoever comes writes a superblock, and is gone again */
static bool primary_marked;	/* at the first write to what is in use */
static uint64_t first_in_place;
static bool (*is_used)(uint64_t at);

static struct disk_superblock *super_at(unsigned n)
{
	return (struct disk_superblock *)(disk + superblock_offset(n));
}

static bool is_marked(unsigned n)
{
	return le64(super_at(n)->incompat_flags) & INCOMPAT_CRYPT_UNFINISHED;
}

/* A commit by a kernel: both copies, one generation later. */
static void commit_by_others(void)
{
	for (unsigned n = 0; n < 2; n++) {
		super_at(n)->generation = to_le64(le64(super_at(n)->generation) + 1);
		csum_block_update(le16(super_at(n)->csum_type), (uint8_t *)super_at(n), SUPER_SIZE);
	}
}

static bool see_write(const void *bytes, size_t len, uint64_t at, bool *lost, struct error *err)
{
	(void)bytes, (void)len, (void)lost, (void)err;
	n_writes++;
	n_writes_shared += n_shared > 0;
	if (!first_in_place && is_used && is_used(at)) {
		first_in_place = at;
		primary_marked = is_marked(0);
	}
	return true;
}

static bool still_ours(struct error *err)
{
	if (++n_asked != comes_at)
		return true;
	if (!writes_only)
		return error_set(err, ERROR_BUSY, "somebody is here");
	commit_by_others();
	return true;
}

static void share(void)
{
	n_shared++;
}

static struct volume *open_volume(void)
{
	static const struct fault_hooks hooks = { .write = see_write, .still_ours = still_ours, .share = share };
	static struct memory_device memory;
	const struct volume_options options = { .unfinished = true, .to_convert = true };
	struct volume *volume = NULL;

	n_asked = n_shared = n_writes = n_writes_shared = 0;
	first_in_place = 0;
	memory = (struct memory_device){ .bytes = disk, .len = image.size };
	ok(volume_open(fault_device(&hooks, "disk", memory_device(&memory, "disk", image.size, true)), &options, &volume, err));
	return volume;
}

/* --- what is done to it --------------------------------------------------------------------------------------------- */

static const char *const names[] = { "/", NULL };

static bool seal(struct error *err)
{
	const struct convert_encrypt_options options = { .cipher = CIPHER_CHACHA20_POLY1305, .key = &(const struct key_source){ .volume_key = key } };
	cleanup_volume struct volume *volume = open_volume();
	struct convert_plan plan = { 0 };
	const bool done = convert_encrypt(volume, names, &options, NULL, &plan, err);

	convert_plan_free(&plan);
	return done;
}

static bool unseal(struct error *err)
{
	const struct convert_decrypt_options options = { .key = &(const struct key_source){ .volume_key = key, .slot = KEY_SLOT_ANY } };
	cleanup_volume struct volume *volume = open_volume();
	struct convert_plan plan = { 0 };
	const bool done = convert_decrypt(volume, names[0], &options, NULL, &plan, err);

	convert_plan_free(&plan);
	return done;
}

static bool go_on(enum convert_goal goal, struct error *err)
{
	const struct key_source with = { .volume_key = key, .slot = KEY_SLOT_ANY };
	cleanup_volume struct volume *volume = open_volume();
	struct convert_plan plan = { 0 };
	const bool done = convert_continue(volume, goal, &with, NULL, &plan, err);

	convert_plan_free(&plan);
	return done;
}

static bool resume(struct error *err)
{
	return go_on(CONVERT_RESUME, err);
}

static bool resume_decrypt(struct error *err)
{
	return go_on(CONVERT_RESUME_DECRYPT, err);
}

static bool abort_it(struct error *err)
{
	return go_on(CONVERT_ABORT, err);
}

static void begin_again(bool sealed)
{
	struct error err = { 0 };

	memcpy(disk, before, image.size);
	comes_at = NEVER;
	writes_only = false;
	is_used = NULL;
	if (sealed && !seal(&err))
		fail_msg("%s", err.text);
}

/* Free before and after: where anything may be written before the superblocks tell of it. */
static const uint8_t *old;

static bool had_bytes(uint64_t at)
{
	static const uint8_t zeros[PIECE];

	for (unsigned n = 0; n < SUPER_COPIES; n++)
		if (at == superblock_offset(n))
			return false;
	return memcmp(old + at / PIECE * PIECE, zeros, PIECE) != 0;
}

static uint8_t *copy_disk(void)
{
	uint8_t *copy = malloc(image.size);

	assert_non_null(copy);
	memcpy(copy, disk, image.size);
	return copy;
}

/* Everything that had bytes has them, but for the superblocks where they may be marked. */
static void nothing_in_place_changed(bool supers_too)
{
	for (uint64_t at = 0; at < image.size; at += PIECE) {
		bool is_super = false;

		for (unsigned n = 0; n < SUPER_COPIES; n++)
			is_super = is_super || at == superblock_offset(n);
		if ((is_super ? supers_too : had_bytes(at)) && memcmp(disk + at, old + at, PIECE) != 0)
			fail_msg("the block at %#llx was changed", (unsigned long long)at);
	}
}

static void refused(bool (*action)(struct error *err), unsigned at, bool by_writing, const char *text)
{
	struct error err = { 0 };

	comes_at = at;
	writes_only = by_writing;
	assert_false(action(&err));
	assert_int_equal(err.kind, ERROR_BUSY);
	if (!strstr(err.text, text))
		fail_msg("\"%s\" is not in \"%s\"", text, err.text);
	assert_int_equal(n_asked, at);
	assert_int_equal(n_shared, 0);
	comes_at = NEVER;
	writes_only = false;
}

/* --- the tests ------------------------------------------------------------------------------------------------------ */

static const struct {
	bool (*action)(struct error *err), (*undo)(struct error *err);
	bool sealed;	/* before */
} beginnings[] = {
	{ seal, abort_it, false },
	{ unseal, abort_it, true },
};

static void nothing_is_written_where_somebody_came_while_a_key_was_asked_for(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(beginnings); i++) {
		begin_again(beginnings[i].sealed);
		old = copy_disk();
		refused(beginnings[i].action, 1, false, "somebody is here");
		assert_int_equal(n_writes, 0);
		refused(beginnings[i].action, 1, true, "somebody else has written to it since it was opened: the superblock at 0x10000");
		assert_int_equal(n_writes, 0);
		free((void *)old);
	}
}

static void the_superblocks_are_not_marked_where_somebody_came_during_the_first_record(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(beginnings); i++) {
		begin_again(beginnings[i].sealed);
		old = copy_disk();
		refused(beginnings[i].action, 2, false, "somebody is here");
		assert_true(n_writes > 0);
		nothing_in_place_changed(true);
		refused(beginnings[i].action, 2, true, "somebody else has written to it");
		assert_false(is_marked(0) || is_marked(1));
		nothing_in_place_changed(false);
		free((void *)old);
	}
}

static void nothing_is_changed_in_place_where_somebody_came_while_they_were_marked(void **state)
{
	struct error err = { 0 };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(beginnings); i++) {
		begin_again(beginnings[i].sealed);
		old = copy_disk();
		refused(beginnings[i].action, 3, false, "somebody is here");
		assert_true(is_marked(0) && is_marked(1));
		nothing_in_place_changed(false);
		if (!beginnings[i].undo(&err))
			fail_msg("%s", err.text);
		assert_false(is_marked(0) || is_marked(1));
		free((void *)old);

		begin_again(beginnings[i].sealed);
		old = copy_disk();
		refused(beginnings[i].action, 3, true, "somebody else has written to it");
		nothing_in_place_changed(false);
		free((void *)old);
	}
}

/* And is not asked again: others may read what nobody else can mount. */
static void it_is_shared_before_the_first_change_in_place(void **state)
{
	struct error err = { 0 };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(beginnings); i++) {
		begin_again(beginnings[i].sealed);
		old = copy_disk();
		is_used = had_bytes;
		if (!beginnings[i].action(&err))
			fail_msg("%s", err.text);
		assert_int_equal(n_asked, 3);
		assert_int_equal(n_shared, 1);
		assert_true(first_in_place && primary_marked);
		assert_true(n_writes_shared < n_writes);
		free((void *)old);
	}
}

static void going_on_and_going_back_ask_as_well(void **state)
{
	bool (*const actions[])(struct error *err) = { resume, abort_it, resume_decrypt, abort_it };
	struct error err = { 0 };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(actions); i++) {
		const bool decrypting = i >= 2;

		begin_again(decrypting);
		refused(decrypting ? unseal : seal, 3, false, "somebody is here");
		old = copy_disk();
		refused(actions[i], 1, false, "somebody is here");
		assert_int_equal(n_writes, 0);
		assert_memory_equal(disk, old, image.size);
		refused(actions[i], 1, true, "somebody else has written to it");
		assert_int_equal(n_writes, 0);
		memcpy(disk, old, image.size);
		if (!actions[i](&err))
			fail_msg("%s", err.text);
		assert_int_equal(n_shared, 1);
		free((void *)old);
	}
}

/* The power went before copy 0 was marked: a kernel mounts that, so it is marked before anything is changed that a kernel reads. */
static void a_primary_that_is_not_marked_is_marked_first(void **state)
{
	bool (*const actions[])(struct error *err) = { resume, abort_it };
	struct disk_superblock primary;
	struct error err = { 0 };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(actions); i++) {
		begin_again(false);
		old = copy_disk();
		primary = *super_at(0);
		refused(seal, 3, false, "somebody is here");
		*super_at(0) = primary;
		is_used = had_bytes;
		if (!actions[i](&err))
			fail_msg("%s", err.text);
		assert_true(first_in_place && primary_marked);
		free((void *)old);
	}
}

static int make(void **state)
{
	(void)state;
	image_make(&image, 128u << 20, "-d single -m single -n 4096", 40);
	disk = malloc(image.size);
	before = malloc(image.size);
	assert_true(disk && before);
	image_read(&image, 0, before, image.size);
	ok(secret_init(err));
	ok(secret_random(CRYPT_KEY_SIZE, &key, err));
	return 0;
}

static int unmake(void **state)
{
	(void)state;
	secret_free(key);
	free(disk);
	free(before);
	image_remove(&image);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nothing_is_written_where_somebody_came_while_a_key_was_asked_for),
		cmocka_unit_test(the_superblocks_are_not_marked_where_somebody_came_during_the_first_record),
		cmocka_unit_test(nothing_is_changed_in_place_where_somebody_came_while_they_were_marked),
		cmocka_unit_test(it_is_shared_before_the_first_change_in_place),
		cmocka_unit_test(going_on_and_going_back_ask_as_well),
		cmocka_unit_test(a_primary_that_is_not_marked_is_marked_first),
	};

	return cmocka_run_group_tests(tests, make, unmake);
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Sealing on a device that cannot read some sectors until they are written to: another copy is taken; without one, nothing makes up what is there. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/convert/convert.h"
#include "common/convert/state.h"
#include "common/fs/csum-lookup.h"
#include "common/volume/csum.h"
#include "common/volume/mirror.h"
#include "tests/crash/disk.h"
#include "tests/unit/fault-device.h"
#include "tests/unit/image.h"
#include "tests/unit/ok.h"

#define FILE_NAME "dir0/file00000"	/* four blocks */
#define N_FILES 40u

static struct disk start, disk;
static struct secret *key;
static uint64_t broken[2];	/* physical; what cannot be read, a sector each */
static unsigned n_broken;
static unsigned n_told;
static char told[512];

/* --- the device ------------------------------------------------------------------------------------------------- */

static bool is_broken(uint64_t at, size_t len)
{
	for (unsigned i = 0; i < n_broken; i++) {
		if (broken[i] && at < broken[i] + CRYPT_BLOCK && broken[i] < at + len)
			return true;
	}
	return false;
}

static bool fail_broken(void *bytes, size_t len, uint64_t at, struct error *err)
{
	(void)bytes;
	if (is_broken(at, len))
		return error_set(err, ERROR_IO, "disk: cannot read %zu bytes at %llu", len, (unsigned long long)at);
	return true;
}

/* As disks do, it has another sector in store for what is written. */
static bool mend(const void *bytes, size_t len, uint64_t at, bool *lost, struct error *err)
{
	(void)bytes, (void)lost, (void)err;
	for (unsigned i = 0; i < n_broken; i++) {
		if (at <= broken[i] && broken[i] + CRYPT_BLOCK <= at + len)
			broken[i] = 0;
	}
	return true;
}

static struct volume *open_disk(bool unfinished)
{
	static const struct fault_hooks hooks = { .read = fail_broken, .write = mend };
	const struct volume_options options = { .unfinished = unfinished, .to_convert = true };
	struct volume *volume = NULL;

	ok(volume_open(fault_device(&hooks, "disk", disk_device(&disk, true)), &options, &volume, err));
	return volume;
}

/* --- the image --------------------------------------------------------------------------------------------------- */

static void make(const char *options)
{
	struct image image;

	image_make(&image, 300u << 20, options, N_FILES);
	image_let_go(&image);
	disk_load(image.path, &start);
	image_take(&image);
	image_remove(&image);
}

static uint64_t file_logical(uint64_t offset)
{
	cleanup_volume struct volume *volume = open_disk(true);

	return image_file_logical(volume, FILE_NAME, offset);
}

static uint64_t file_place(uint64_t offset, unsigned mirror)
{
	cleanup_volume struct volume *volume = open_disk(true);
	const uint64_t found = file_logical(offset);
	const struct chunk *chunk;

	ok(volume_chunk(volume, found, &chunk, err));
	assert_true(mirror < chunk_n_mirrors(chunk));
	return chunk_physical(chunk, found, mirror);
}

static bool take_csum(void *context, uint64_t logical, size_t n_sectors, const uint8_t *csums, struct error *err)
{
	(void)logical, (void)n_sectors, (void)err;
	memcpy(context, csums, sizeof(uint32_t));
	return true;
}

/* Whoever reads this block of the file, once its sectors can be read again, is told that it is not right. */
static void expect_wrong_checksum(uint64_t offset)
{
	cleanup_volume struct volume *volume = open_disk(true);
	uint8_t bytes[CRYPT_BLOCK], stored[CSUM_SIZE] = { 0 }, computed[CSUM_SIZE] = { 0 };

	ok(csum_lookup(volume, file_logical(offset), CRYPT_BLOCK, take_csum, stored, err));
	for (unsigned mirror = 0; mirror < 2; mirror++) {
		disk_read(&disk, file_place(offset, mirror), bytes, sizeof(bytes));
		csum_compute(CSUM_CRC32C, bytes, sizeof(bytes), computed);
		assert_memory_not_equal(stored, computed, sizeof(uint32_t));
	}
}

/* The file is as it was, on this mirror. */
static void expect_file(unsigned mirror)
{
	for (uint64_t offset = 0; offset < 4 * CRYPT_BLOCK; offset += CRYPT_BLOCK) {
		const uint64_t at = file_place(offset, mirror);
		uint8_t want[CRYPT_BLOCK], have[CRYPT_BLOCK];

		disk_read(&start, at, want, sizeof(want));
		disk_read(&disk, at, have, sizeof(have));
		assert_memory_equal(have, want, sizeof(want));
	}
}

/* --- conversions -------------------------------------------------------------------------------------------------- */

static void tell(void *context, const struct convert_bad_block *block)
{
	(void)context;
	n_told++;
	snprintf(told, sizeof(told), "%s: %llu to %llu%s", block->path ? block->path : "?", (unsigned long long)block->first,
		 (unsigned long long)block->last, block->is_carried ? ", carried" : "");
}

static bool seal(bool carry, struct error *err)
{
	static const char *const names[] = { "/", NULL };
	const struct convert_encrypt_options options = { .cipher = CIPHER_AES_256_GCM, .key = &(const struct key_source){ .volume_key = key } };
	const struct convert_ui ui = { .damage.carry = carry, .bad_block = tell };
	cleanup_volume struct volume *volume = open_disk(false);
	struct convert_plan plan = { 0 };
	const bool done = convert_encrypt(volume, names, &options, &ui, &plan, err);

	convert_plan_free(&plan);
	return done;
}

static bool go_on(enum convert_goal goal, struct convert_damage damage, struct error *err)
{
	const struct convert_ui ui = { .damage = damage, .bad_block = tell };
	const struct key_source with = { .volume_key = key, .slot = KEY_SLOT_ANY };
	cleanup_volume struct volume *volume = open_disk(true);
	struct convert_plan plan = { 0 };
	const bool done = convert_continue(volume, goal, &with, &ui, &plan, err);

	convert_plan_free(&plan);
	return done;
}

static bool unseal_with(bool skip, struct error *err)
{
	const struct convert_decrypt_options options = { .key = &(const struct key_source){ .volume_key = key, .slot = KEY_SLOT_ANY } };
	const struct convert_ui ui = { .damage.skip = skip, .bad_block = tell };
	cleanup_volume struct volume *volume = open_disk(false);
	struct convert_plan plan = { 0 };
	const bool done = convert_decrypt(volume, "/", &options, &ui, &plan, err);

	convert_plan_free(&plan);
	return done;
}

static bool unseal(struct error *err)
{
	return unseal_with(false, err);
}

static bool is_unfinished(void)
{
	cleanup_volume struct volume *volume = open_disk(true);

	return volume_is_unfinished(volume);
}

static void begin(void)
{
	n_broken = n_told = 0;
	disk_free(&disk);
	disk_clone(&start, &disk);
}

static void break_copy(uint64_t offset, unsigned mirror)
{
	const uint64_t at = file_place(offset, mirror);

	broken[n_broken++] = at;
}

/* --- what must come of it ------------------------------------------------------------------------------------------ */

static void another_copy_is_taken(void **state)
{
	(void)state;
	for (unsigned mirror = 0; mirror < 2; mirror++) {
		begin();
		break_copy(CRYPT_BLOCK, mirror);
		ok(seal(false, err));
		ok(unseal(err));
		expect_file(0);
		expect_file(1);
		assert_int_equal(n_told, 0);
	}
}

static void each_copy_has_what_the_other_lacks(void **state)
{
	(void)state;
	begin();
	break_copy(CRYPT_BLOCK, 0);
	break_copy(2 * CRYPT_BLOCK, 1);
	ok(seal(false, err));
	ok(unseal(err));
	expect_file(0);
	expect_file(1);
	assert_int_equal(n_told, 0);
}

static void expect_refused(bool carry)
{
	struct error why = { 0 };

	assert_false(seal(carry, &why));
	assert_int_equal(why.kind, ERROR_IO);
	if (!strstr(why.text, FILE_NAME ": the data at ") || !strstr(why.text, "cannot be read from any copy, and so cannot be sealed"))
		fail_msg("%s", why.text);
	if (!strstr(why.hint, "--on-error=continue seals only what can be read"))
		fail_msg("%s", why.hint);
	assert_true(is_unfinished());
}

/* Neither is it sealed, nor is it said that it was. */
static void without_a_copy_it_stops(void **state)
{
	const struct convert_damage carry = { .carry = true }, none = { 0 };

	(void)state;
	for (unsigned i = 0; i < 2; i++) {
		struct error why = { 0 };

		begin();
		break_copy(CRYPT_BLOCK, 0);
		break_copy(CRYPT_BLOCK, 1);
		expect_refused(i == 1);
		assert_false(go_on(CONVERT_RESUME, i == 1 ? carry : none, &why));
		assert_int_equal(why.kind, ERROR_IO);
		ok(go_on(CONVERT_ABORT, none, err));
		assert_false(is_unfinished());
		assert_int_equal(n_told, 0);
		n_broken = 0;
		expect_file(0);
		expect_file(1);
	}
}

/* The sector may be read again later. */
static void it_goes_on_when_it_can_be_read(void **state)
{
	const struct convert_damage none = { 0 };

	(void)state;
	begin();
	break_copy(CRYPT_BLOCK, 0);
	break_copy(CRYPT_BLOCK, 1);
	expect_refused(false);
	n_broken = 1;
	ok(go_on(CONVERT_RESUME, none, err));
	ok(unseal(err));
	expect_file(0);
	expect_file(1);
}

/* What was in the record nobody can say, and so whether it was carried out. */
static void a_journal_that_cannot_be_read_stops_it(void **state)
{
	const struct convert_damage none = { 0 }, skip = { .skip = true };

	(void)state;
	begin();
	break_copy(CRYPT_BLOCK, 0);
	break_copy(CRYPT_BLOCK, 1);
	expect_refused(false);
	{
		cleanup_volume struct volume *volume = open_disk(true);
		struct crypt_state_tail tail;
		const struct chunk *chunk;
		struct error why = { 0 };

		if (!state_newest(volume, &tail, &why))
			fail_msg("%s", why.text);
		const uint64_t place = tail.slot[tail.sequence % CRYPT_JOURNAL_SLOTS].logical;

		ok(volume_chunk(volume, place, &chunk, err));
		assert_in_range(chunk_n_mirrors(chunk), 1, 2);
		for (unsigned mirror = 0; mirror < chunk_n_mirrors(chunk); mirror++)
			broken[mirror] = chunk_physical(chunk, place, mirror);
		n_broken = chunk_n_mirrors(chunk);
	}
	for (enum convert_goal goal = CONVERT_RESUME; goal <= CONVERT_ABORT; goal += CONVERT_ABORT - CONVERT_RESUME) {
		const uint64_t n_writes = disk.n_writes;
		struct error why = { 0 };

		assert_false(go_on(goal, goal == CONVERT_ABORT ? skip : none, &why));
		assert_int_equal(why.kind, ERROR_IO);
		if (!strstr(why.text, "journal slot ") || !strstr(why.hint, "a copy of the whole device, made with ddrescue"))
			fail_msg("%s; %s", why.text, why.hint);
		assert_int_equal(disk.n_writes, n_writes);
	}
	n_broken = 0;
	ok(go_on(CONVERT_ABORT, none, err));
	expect_file(0);
	expect_file(1);
}

static void it_is_left_as_it_is_where_that_is_asked_for(void **state)
{
	const struct convert_damage skip = { .skip = true }, both = { .skip = true, .carry = true };

	(void)state;
	for (unsigned i = 0; i < 2; i++) {
		begin();
		break_copy(CRYPT_BLOCK, 0);
		break_copy(CRYPT_BLOCK, 1);
		expect_refused(false);
		ok(go_on(CONVERT_RESUME, i == 1 ? both : skip, err));
		assert_int_equal(n_told, 1);
		assert_string_equal(told, FILE_NAME ": 4096 to 8191");
		assert_true(broken[0] != 0 && broken[1] != 0);	/* not written to */
		expect_wrong_checksum(CRYPT_BLOCK);
		ok(unseal(err));
		expect_wrong_checksum(CRYPT_BLOCK);
		n_broken = 0;
		expect_file(0);
		expect_file(1);
	}
}

/* And found again as ciphertext that no key opens any more. */
static void what_is_left_sealed_has_no_checksum_that_matches(void **state)
{
	(void)state;
	begin();
	ok(seal(false, err));
	break_copy(CRYPT_BLOCK, 0);
	break_copy(CRYPT_BLOCK, 1);
	ok(unseal_with(true, err));
	assert_string_equal(told, FILE_NAME ": 4096 to 8191");
	n_broken = 0;
	expect_wrong_checksum(CRYPT_BLOCK);
}

static int set_up(void **state)
{
	(void)state;
	ok(secret_init(err));
	ok(secret_random(CRYPT_KEY_SIZE, &key, err));
	make("-d dup -m dup");
	disk_clone(&start, &disk);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	disk_free(&disk);
	disk_free(&start);
	secret_free(key);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(another_copy_is_taken),
		cmocka_unit_test(each_copy_has_what_the_other_lacks),
		cmocka_unit_test(without_a_copy_it_stops),
		cmocka_unit_test(it_goes_on_when_it_can_be_read),
		cmocka_unit_test(a_journal_that_cannot_be_read_stops_it),
		cmocka_unit_test(it_is_left_as_it_is_where_that_is_asked_for),
		cmocka_unit_test(what_is_left_sealed_has_no_checksum_that_matches),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Going on behind a power cut whose last journal record cannot be read: it was committed all the same. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/convert/convert.h"
#include "common/sealed/scan.h"
#include "common/volume/mirror.h"
#include "format/journal.h"
#include "tests/unit/fault-device.h"
#include "tests/unit/image.h"
#include "tests/unit/ok.h"

#define NODE_SIZE 4096u
#define MIRRORS 2u

static struct image image;
static struct secret *key;
static uint8_t fsid[FSID_SIZE];		/* of the tree blocks */

/* The power cut: behind the flush of a record data reach the disk, tree blocks do not; the next record fails. */
static unsigned records_left;		/* with data, until that one; 0: no power cut */
static bool loses, broken;
static uint64_t record_at[MIRRORS];	/* where its mirrors are */
static unsigned n_record_at;
static unsigned unreadable;		/* bit n: mirror n of it cannot be read until it is written again */

/* --- the device ------------------------------------------------------------------------------------------------- */

static bool cut_read(void *bytes, size_t len, uint64_t at, struct error *err)
{
	(void)bytes, (void)len;
	for (unsigned i = 0; i < n_record_at; i++) {
		if (unreadable & 1u << i && at == record_at[i])
			return error_set(err, ERROR_IO, "cannot be read");
	}
	return true;
}

static void note_record(const uint8_t *bytes, size_t len, uint64_t at)
{
	struct cursor cursor = { bytes, len, 0 };
	struct journal_header header;
	struct error ignored;

	if (!journal_header_read(&cursor, &header, &ignored))
		return;
	broken = loses;
	if (broken || header.n_ranges == 0)
		return;
	if (n_record_at == MIRRORS) {
		records_left--;
		n_record_at = 0;
	}
	record_at[n_record_at++] = at;
}

static bool is_tree_block(const uint8_t *bytes, size_t len)
{
	return len == NODE_SIZE && memcmp(bytes + offsetof(struct disk_header, fsid), fsid, FSID_SIZE) == 0;
}

static bool cut_write(const void *bytes, size_t len, uint64_t at, bool *lost, struct error *err)
{
	if (records_left > 0)
		note_record(bytes, len, at);
	if (broken)
		return error_set(err, ERROR_IO, "the power is off");
	for (unsigned i = 0; i < n_record_at; i++) {
		if (at == record_at[i])
			unreadable &= ~(1u << i);
	}
	*lost = loses && is_tree_block(bytes, len);
	return true;
}

static bool cut_flush(struct error *err)
{
	if (loses) {	/* before anybody could look whether what is lost is there */
		broken = true;
		return error_set(err, ERROR_IO, "the power is off");
	}
	loses = records_left == 1 && n_record_at == MIRRORS;
	return true;
}

static struct volume *open_volume(void)
{
	static const struct fault_hooks hooks = { .read = cut_read, .write = cut_write, .flush = cut_flush };
	const struct volume_options options = { .unfinished = true };
	struct device *real;
	struct volume *volume = NULL;

	ok(device_open(image.path, DEVICE_WRITABLE, &real, err));
	ok(volume_open(fault_device(&hooks, "disk.img", real), &options, &volume, err));
	memcpy(fsid, volume->super.metadata_fsid, FSID_SIZE);
	return volume;
}

/* --- what is done ----------------------------------------------------------------------------------------------- */

static unsigned asked;

static bool stop(void *context)
{
	(void)context;
	return asked++ > 0;	/* the first time, nothing is written yet */
}

static void encrypt_until_power_cut(unsigned records)
{
	const char *const names[] = { "/", NULL };
	const struct convert_encrypt_options options = { .cipher = CIPHER_CHACHA20_POLY1305, .key = &(const struct key_source){ .volume_key = key } };
	const struct convert_ui ui = { .batch_bytes = 4 * CRYPT_BLOCK };
	cleanup_volume struct volume *volume = open_volume();
	struct convert_plan plan = { 0 };
	struct error err = { 0 };

	records_left = records;
	assert_false(convert_encrypt(volume, names, &options, &ui, &plan, &err));
	assert_string_equal(err.text, "disk.img: the power is off");
	assert_int_equal(records_left, 1);
	records_left = 0;
	loses = broken = false;
	convert_plan_free(&plan);
}

/* What it ends with. */
static enum error_kind go_on(const struct convert_ui *ui)
{
	const struct key_source with = { .volume_key = key, .slot = KEY_SLOT_ANY };
	cleanup_volume struct volume *volume = open_volume();
	struct convert_plan plan = { 0 };
	struct error err = { 0 };
	const bool went = convert_continue(volume, CONVERT_RESUME, &with, ui, &plan, &err);

	assert_true(went == (err.kind == ERROR_NONE));
	convert_plan_free(&plan);
	return err.kind;
}

static void decrypt(void)
{
	const struct convert_decrypt_options options = { .key = &(const struct key_source){ .volume_key = key, .slot = KEY_SLOT_ANY } };
	cleanup_volume struct volume *volume = open_volume();
	struct convert_plan plan = { 0 };

	ok(convert_decrypt(volume, "/", &options, NULL, &plan, err));
	convert_plan_free(&plan);
}

/* The data of all extents, one behind the other. */
static uint8_t *all_data(size_t *len)
{
	const uint64_t top = FS_TREE_ID;
	cleanup_volume struct volume *volume = open_volume();
	cleanup_scan struct scan *scan = NULL;
	uint8_t *bytes;

	ok(scan_run(volume, &top, 1, &scan, err));
	bytes = malloc(scan->data_bytes);
	assert_non_null(bytes);
	*len = 0;
	for (size_t i = 0; i < scan->n_extents; *len += scan->extent[i++].length)
		ok(volume_read(volume, scan->extent[i].logical, bytes + *len, scan->extent[i].length, 0, err));
	return bytes;
}

/* --- tests ------------------------------------------------------------------------------------------------------- */

static void a_record_that_cannot_be_read_was_committed(void **state)
{
	const struct convert_ui stopping = { .stop = stop, .batch_bytes = 4 * CRYPT_BLOCK };
	uint8_t *before, *after;
	size_t len, len_after;

	(void)state;
	/* Nothing but the journal tells that data are ciphertext already. */
	image_do_without_csums(&image);
	image_drop_csums(&image);
	before = all_data(&len);
	encrypt_until_power_cut(3);
	unreadable = 3;
	assert_int_equal(go_on(NULL), ERROR_IO);
	assert_int_equal(unreadable, 3);
	/* One mirror is enough, and what is on that one only is on both before anything else is written. */
	unreadable = 2;
	assert_int_equal(go_on(&stopping), ERROR_STOPPED);
	assert_int_equal(unreadable, 0);
	assert_int_equal(go_on(NULL), ERROR_NONE);
	decrypt();
	after = all_data(&len_after);
	assert_int_equal(len_after, len);
	assert_memory_equal(after, before, len);
	free(before);
	free(after);
}

static int make(void **state)
{
	(void)state;
	image_make(&image, 300u << 20, "-d dup -m dup -n 4096", 40);
	image_let_go(&image);
	ok(secret_init(err));
	ok(secret_random(CRYPT_KEY_SIZE, &key, err));
	return 0;
}

static int unmake(void **state)
{
	(void)state;
	secret_free(key);
	image_remove(&image);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_record_that_cannot_be_read_was_committed),
	};

	return cmocka_run_group_tests(tests, make, unmake);
}

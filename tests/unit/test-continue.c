/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Going on with a conversion on a device whose mirrors differ: one right mirror is enough. */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/convert/convert.h"
#include "common/sealed/scan.h"
#include "common/volume/csum.h"
#include "common/volume/mirror.h"
#include "format/journal.h"
#include "tests/unit/fault-device.h"
#include "tests/unit/image.h"
#include "tests/unit/ok.h"

#define NODE_SIZE 4096u

static struct image image;
static struct secret *key;
static bool broken;		/* nothing can be written */
static bool breaks_at_super;	/* nothing after the next superblock */
static bool breaks_at_new;	/* nothing after the flush of the next record that has new blocks */
static uint64_t new_block[64];
static size_t n_new;
static bool written;		/* anything, since the volume was opened */
static unsigned stops_left;	/* safe points until it stops; 0: never */

/* --- the device, and where it ends ---------------------------------------------------------------------------------- */

/* The new blocks of a record, into new_block. */
static void note_new(const uint8_t *bytes, size_t len)
{
	struct cursor at = { bytes, len, 0 };
	struct journal_header header;
	struct error ignored;

	if (!journal_header_read(&at, &header, &ignored))
		return;
	for (uint32_t i = 0; i < header.n_changed; i++) {
		struct journal_changed changed;

		ok(journal_changed_next(&at, NODE_SIZE, &changed, err));
	}
	assert_true(header.n_new <= sizeof(new_block) / sizeof(new_block[0]));
	for (n_new = 0; n_new < header.n_new; n_new++) {
		struct journal_new new_one;

		ok(journal_new_next(&at, &new_one, err));
		new_block[n_new] = new_one.logical;
	}
}

static bool see_write(const void *bytes, size_t len, uint64_t at, bool *lost, struct error *err)
{
	(void)lost;
	/* The first record is durable before the superblocks tell of it. */
	if (broken && !(breaks_at_new && (at == superblock_offset(0) || at == superblock_offset(1))))
		return error_set(err, ERROR_IO, "the device is broken");
	written = true;
	broken = broken || (breaks_at_super && at == SUPER_OFFSET_0);
	if (breaks_at_new && n_new == 0)
		note_new(bytes, len);
	return true;
}

static bool see_flush(struct error *err)
{
	(void)err;
	broken = broken || (breaks_at_new && n_new > 0);
	return true;
}

static struct volume *open_volume(void)
{
	static const struct fault_hooks hooks = { .write = see_write, .flush = see_flush };
	const struct volume_options options = { .unfinished = true };
	struct device *real;
	struct volume *volume = NULL;

	broken = false;
	written = false;
	ok(device_open(image.path, DEVICE_WRITABLE, &real, err));
	ok(volume_open(fault_device(&hooks, "disk.img", real), &options, &volume, err));
	return volume;
}

static void break_at_finish(void *context, const struct convert_progress *progress)
{
	(void)context;
	broken = broken || progress->phase == CRYPT_PHASE_FINISH;
}

static bool stop(void *context)
{
	(void)context;
	return written && stops_left > 0 && --stops_left == 0;
}

static void flip(uint64_t at)
{
	const int fd = open(image.path, O_RDWR | O_CLOEXEC);
	uint8_t byte;

	assert_true(fd >= 0);
	assert_int_equal(pread(fd, &byte, 1, (off_t)at), 1);
	byte ^= 1;
	assert_int_equal(pwrite(fd, &byte, 1, (off_t)at), 1);
	close(fd);
}

/* --- what is done ------------------------------------------------------------------------------------------------------ */

static enum crypt_phase phase(void)
{
	cleanup_volume struct volume *volume = open_volume();
	struct convert_status status;

	ok(convert_status(volume, NULL, &status, err));
	assert_true(status.unfinished);
	return status.state.phase;
}

static void go_on(enum convert_goal goal, struct convert_plan *plan)
{
	const struct key_source with = { .volume_key = key, .slot = KEY_SLOT_ANY };
	cleanup_volume struct volume *volume = open_volume();

	ok(convert_continue(volume, goal, &with, NULL, plan, err));
}

/* To the end of the phase that it is in, or of a batch. */
static void resume_until_stop(void)
{
	const struct key_source with = { .volume_key = key, .slot = KEY_SLOT_ANY };
	const struct convert_ui ui = { .stop = stop };
	cleanup_volume struct volume *volume = open_volume();
	struct convert_plan plan = { 0 };
	struct error err = { 0 };

	stops_left = 1;
	assert_false(convert_continue(volume, CONVERT_RESUME, &with, &ui, &plan, &err));
	assert_int_equal(err.kind, ERROR_STOPPED);
	convert_plan_free(&plan);
}

/* Until the device breaks: at the phase FINISH, or where breaks_at_new says. */
static void encrypt_until_broken(void)
{
	const char *const names[] = { "/", NULL };
	const struct convert_encrypt_options options = { .cipher = CIPHER_CHACHA20_POLY1305, .key = &(const struct key_source){ .volume_key = key } };
	const struct convert_ui ui = { .progress = breaks_at_new ? NULL : break_at_finish };
	cleanup_volume struct volume *volume = open_volume();
	struct convert_plan plan = { 0 };
	struct error err = { 0 };

	assert_false(convert_encrypt(volume, names, &options, &ui, &plan, &err));
	assert_string_equal(err.text, "disk.img: the device is broken");
	convert_plan_free(&plan);
}

static void decrypt(unsigned stops)
{
	const struct convert_decrypt_options options = { .key = &(const struct key_source){ .volume_key = key, .slot = KEY_SLOT_ANY } };
	const struct convert_ui ui = { .stop = stop, .batch_bytes = 4 * CRYPT_BLOCK };	/* a unit each */
	cleanup_volume struct volume *volume = open_volume();
	struct convert_plan plan = { 0 };
	struct error err = { 0 };

	stops_left = stops;
	assert_true(convert_decrypt(volume, "/", &options, &ui, &plan, &err) == (stops == 0));
	assert_int_equal(err.kind, stops ? ERROR_STOPPED : ERROR_NONE);
	convert_plan_free(&plan);
}

/* To where the superblocks say that it has begun. */
static void decrypt_until_begun(void)
{
	const struct convert_decrypt_options options = { .key = &(const struct key_source){ .volume_key = key, .slot = KEY_SLOT_ANY } };
	cleanup_volume struct volume *volume = open_volume();
	struct convert_plan plan = { 0 };
	struct error err = { 0 };

	breaks_at_super = true;
	assert_false(convert_decrypt(volume, "/", &options, NULL, &plan, &err));
	assert_string_equal(err.text, "disk.img: the device is broken");
	breaks_at_super = false;
	convert_plan_free(&plan);
}

/* A leaf of the sealed subvolume, and the data that are unsealed first: the last records of the journal have nothing of them. */
static void places(uint64_t *leaf, uint64_t *data)
{
	const uint64_t top = FS_TREE_ID;
	cleanup_volume struct volume *volume = open_volume();
	cleanup_scan struct scan *scan = NULL;

	ok(scan_run(volume, &top, 1, &scan, err));
	assert_true(scan->n_leaves > 0 && scan->n_extents > 0);
	*leaf = 0;
	for (size_t i = 0; i < scan->n_blocks; i++) {
		if (scan->block[i].level == 0)
			*leaf = scan->block[i].logical;
	}
	*data = scan->extent[scan->n_extents - 1].logical;
}

static uint64_t place_on(uint64_t logical, unsigned mirror)
{
	cleanup_volume struct volume *volume = open_volume();
	const struct chunk *chunk;

	ok(volume_chunk(volume, logical, &chunk, err));
	assert_int_equal(chunk_n_mirrors(chunk), 2);
	return chunk_physical(chunk, logical, mirror);
}

/* As for files without checksums. */
/* --- tests -------------------------------------------------------------------------------------------------------------- */

static void cleaning_up_reads_every_leaf_back(void **state)
{
	struct convert_plan plan = { 0 };
	uint64_t leaf, data;

	(void)state;
	encrypt_until_broken();
	assert_int_equal(phase(), CRYPT_PHASE_FINISH);
	places(&leaf, &data);
	flip(place_on(leaf, 1) + 200);
	go_on(CONVERT_RESUME, &plan);

	cleanup_volume struct volume *volume = open_volume();

	ok(block_verify_mirrors(volume, leaf, err));
	/* What it was for is not counted again; the seal is said. */
	assert_int_equal(plan.n_members, 0);
	assert_true(plan.key_tag[0] != '\0');
	convert_plan_free(&plan);
}

static void an_aborted_decryption_tries_every_mirror(void **state)
{
	struct convert_plan plan = { 0 };
	uint64_t leaf, data;

	(void)state;
	image_drop_csums(&image);
	decrypt(4);
	assert_int_equal(phase(), CRYPT_PHASE_STRUCTURE);
	places(&leaf, &data);
	flip(place_on(data, 0) + 77);
	flip(place_on(data + CRYPT_BLOCK, 1) + 77);
	go_on(CONVERT_ABORT, &plan);
	assert_int_equal(plan.n_members, 1);
	convert_plan_free(&plan);
	decrypt(0);
}

/* The first item of a leaf begins with this; *at: where that is.  Inner nodes: false. */
static bool first_byte(struct volume *volume, uint64_t logical, struct block **block, uint8_t **at)
{
	ok(block_get(volume, logical, NULL, block, err));
	if ((*block)->node.level > 0)
		return false;
	assert_true((*block)->node.n_items > 0);
	*at = &(*block)->bytes[leaf_item_at(&(*block)->node, 0)];
	return true;
}

/* On the first mirror one that could have been here before: with a valid checksum, but of other content.  What the byte is that differs. */
static uint8_t put_old_block(uint64_t logical)
{
	cleanup_volume struct volume *volume = open_volume();
	cleanup_block struct block *block = NULL;
	const struct chunk *chunk;
	uint8_t right, *at;

	if (!first_byte(volume, logical, &block, &at))
		return 0;
	right = *at;
	*at ^= 1;
	csum_block_update(volume->super.csum_type, block->bytes, block->node.size);
	ok(volume_chunk(volume, logical, &chunk, err));
	ok(device_write(volume->device, block->bytes, block->node.size, chunk_physical(chunk, logical, 0), err));
	return right;
}

static void check_new_block(uint64_t logical, uint8_t right)
{
	cleanup_volume struct volume *volume = open_volume();
	cleanup_block struct block *block = NULL;
	uint8_t *at;

	ok(block_verify_mirrors(volume, logical, err));
	if (first_byte(volume, logical, &block, &at))
		assert_int_equal(*at, right);
}

static void a_new_block_on_one_mirror_is_enough(void **state)
{
	struct convert_plan plan = { 0 };
	uint8_t right[sizeof(new_block) / sizeof(new_block[0])];

	(void)state;
	breaks_at_new = true;
	encrypt_until_broken();
	breaks_at_new = false;
	assert_true(n_new > 1);
	for (size_t i = 0; i < n_new; i++)
		right[i] = put_old_block(new_block[i]);
	/* Before later phases insert more. */
	resume_until_stop();
	for (size_t i = 0; i < n_new; i++)
		check_new_block(new_block[i], right[i]);
	n_new = 0;
	go_on(CONVERT_RESUME, &plan);
	convert_plan_free(&plan);
	decrypt(0);
}

/* Of the last inline file of a leaf, on both mirrors, with a valid checksum. */
/* The last one of the leaf; false: it has none. */
static bool payload_in(const struct block *block, size_t *at)
{
	for (uint32_t slot = block->node.n_items; slot-- > 0;) {
		struct disk_file_extent item;

		*at = leaf_item_at(&block->node, slot) + FILE_EXTENT_INLINE_HEADER;
		if (node_key(&block->node, slot).type != KEY_EXTENT_DATA || leaf_item(&block->node, slot).left <= FILE_EXTENT_INLINE_HEADER)
			continue;
		memcpy(&item, block->bytes + leaf_item_at(&block->node, slot), FILE_EXTENT_INLINE_HEADER);
		if (item.type == FILE_EXTENT_INLINE)
			return true;
	}
	return false;
}

/* The one of the last leaf that has any. */
static void damage_payload(void)
{
	const uint64_t top = FS_TREE_ID;
	cleanup_volume struct volume *volume = open_volume();
	cleanup_scan struct scan *scan = NULL;
	const struct block_expect expect = { .level = 0 };
	cleanup_block struct block *block = NULL;
	size_t i, at = 0;

	ok(scan_run(volume, &top, 1, &scan, err));
	for (i = scan->n_blocks; i-- > 0;) {
		if (scan->block[i].level != 0)
			continue;
		ok(block_get(volume, scan->block[i].logical, &expect, &block, err));
		if (payload_in(block, &at))
			break;
		block_put(block);
		block = NULL;
	}
	assert_non_null(block);
	block->bytes[at] ^= 1;
	csum_block_update(volume->super.csum_type, block->bytes, block->node.size);
	ok(volume_write(volume, scan->block[i].logical, block->bytes, block->node.size, err));
}

static void a_resume_takes_no_damaged_payload(void **state)
{
	const struct key_source with = { .volume_key = key, .slot = KEY_SLOT_ANY };
	struct convert_plan plan = { 0 };
	struct error err = { 0 };

	(void)state;
	decrypt_until_begun();
	assert_int_equal(phase(), CRYPT_PHASE_LEAVES);
	damage_payload();

	cleanup_volume struct volume *volume = open_volume();

	assert_false(convert_continue(volume, CONVERT_RESUME_DECRYPT, &with, NULL, &plan, &err));
	assert_int_equal(err.kind, ERROR_CORRUPT);
	if (!strstr(err.text, ": an inline payload fails authentication"))
		fail_msg("%s", err.text);
	convert_plan_free(&plan);
	volume_close(volume);
	volume = NULL;
	damage_payload();	/* back */
	go_on(CONVERT_ABORT, &plan);
	convert_plan_free(&plan);
}

static int make(void **state)
{
	(void)state;
	image_make(&image, 300u << 20, "-d dup -m dup -n 4096", 40);
	image_let_go(&image);
	ok(secret_init(err));
	ok(secret_random(CRYPT_KEY_SIZE, &key, err));
	image_do_without_csums(&image);
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
		cmocka_unit_test(a_new_block_on_one_mirror_is_enough),
		cmocka_unit_test(cleaning_up_reads_every_leaf_back),
		cmocka_unit_test(a_resume_takes_no_damaged_payload),
		cmocka_unit_test(an_aborted_decryption_tries_every_mirror),
	};

	return cmocka_run_group_tests(tests, make, unmake);
}

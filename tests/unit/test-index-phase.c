/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Sealing that stops in the middle of the index: gone on with, undone, and changed meanwhile. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/convert/conversion.h"
#include "common/sealed/domain-reader.h"
#include "common/sealed/inode-index.h"
#include "common/volume/csum.h"
#include "common/volume/mirror.h"
#include "tests/unit/image.h"
#include "tests/unit/ok.h"

#define NODE_SIZE 4096u
#define N_FILES 1500
#define RECORD_BLOCKS 28u	/* an item or two */

static struct image image;
static struct secret *key;
static unsigned stops_left;	/* questions until it stops, the first before anything is written; 0: never */

static struct volume *open_volume(void)
{
	const struct volume_options options = { .unfinished = true };
	struct volume *volume = NULL;
	struct device *device;

	ok(device_open(image.path, DEVICE_WRITABLE, &device, err));
	ok(volume_open(device, &options, &volume, err));
	return volume;
}

static bool stop(void *context)
{
	(void)context;
	return stops_left > 0 && --stops_left == 0;
}

/* Small records from the index on: each is waited for until it is on the disk. */
static struct convert_ui ui = { .stop = stop };

static struct crypt_state_tail state_now(void)
{
	cleanup_volume struct volume *volume = open_volume();
	struct convert_status status;

	ok(convert_status(volume, NULL, &status, err));
	return status.state;
}

static bool go_on(enum convert_goal goal, unsigned stops, struct error *why)
{
	const struct key_source with = { .volume_key = key, .slot = KEY_SLOT_ANY };
	cleanup_volume struct volume *volume = open_volume();
	struct convert_plan plan = { 0 };
	bool done;

	stops_left = stops ? stops + 1 : 0;
	*why = (struct error){ 0 };
	done = convert_continue(volume, goal, &with, &ui, &plan, why);
	convert_plan_free(&plan);
	return done;
}

static void must_go_on(enum convert_goal goal)
{
	struct error why;

	if (!go_on(goal, 0, &why))
		fail_msg("%s", why.text);
}

/* To where some index items are there, and more are to come. */
static uint64_t stop_in_the_index(void)
{
	const char *const names[] = { "/", NULL };
	const struct convert_encrypt_options options = { .cipher = CIPHER_AES_256_GCM, .key = &(const struct key_source){ .volume_key = key } };
	struct volume *volume = open_volume();
	struct convert_plan plan = { 0 };
	struct error why = { 0 };
	struct crypt_state_tail state;

	stops_left = 2;
	ui.record_bytes = 0;
	assert_false(convert_encrypt(volume, names, &options, &ui, &plan, &why));
	assert_int_equal(why.kind, ERROR_STOPPED);
	convert_plan_free(&plan);
	volume_close(volume);
	for (state = state_now(); state.phase < CRYPT_PHASE_INDEX || state.cursor < 4; state = state_now()) {
		assert_true(state.phase <= CRYPT_PHASE_INDEX);
		if (state.phase == CRYPT_PHASE_INDEX)
			ui.record_bytes = (RECORD_BLOCKS + 1) * NODE_SIZE;
		assert_false(go_on(CONVERT_RESUME, 1, &why));
		assert_int_equal(why.kind, ERROR_STOPPED);
	}
	assert_int_equal(state.phase, CRYPT_PHASE_INDEX);
	return state.cursor;
}

static uint64_t n_index_items(struct volume *volume)
{
	cleanup_tree_iter struct tree_iter iter = { 0 };
	const struct key first = crypt_key(1, CRYPT_INDEX, 0);
	struct crypt_place place;
	struct tree tree;
	uint64_t n = 0;

	ok(tree_open(volume, ROOT_TREE_ID, &tree, err));
	ok(tree_seek(&tree, &first, &iter, err));
	while (iter.valid && crypt_place_of_key(&iter.key, &place) && place.kind == CRYPT_INDEX) {
		n++;
		ok(tree_next(&iter, err));
	}
	return n;
}

static void must_be_plain(void)
{
	cleanup_volume struct volume *volume = open_volume();
	uint16_t *numbers;
	size_t n;

	assert_false(volume->super.incompat & INCOMPAT_CRYPT_UNFINISHED);
	ok(domain_numbers(volume, &numbers, &n, err));
	free(numbers);
	assert_int_equal(n, 0);
}

static bool count_entry(void *context, const struct crypt_index_entry *entry, struct error *err)
{
	(void)entry, (void)err;
	++*(uint64_t *)context;
	return true;
}

static void none_is_bad(void *context, const char *path, const char *what, const struct verify_range *range)
{
	(void)context, (void)range;
	fail_msg("%s: %s", path, what);
}

static void must_be_sealed(void)
{
	static const struct domain_reader_options strict = { 0 };
	cleanup_volume struct volume *volume = open_volume();
	cleanup_subvolume_list struct subvolume_list list = { 0 };
	cleanup_domain struct domain *domain = NULL;
	struct verify_result result;
	uint64_t n = 0;

	assert_false(volume->super.incompat & INCOMPAT_CRYPT_UNFINISHED);
	ok(subvolume_list_read(volume, &list, err));
	ok(domain_read(volume, 1, &domain, err));
	ok(domain_open(domain, &(const struct key_source){ .volume_key = key, .slot = KEY_SLOT_ANY }, err));
	ok(inode_index_visit_all(volume, 1, count_entry, &n, err));
	assert_int_equal(n, domain->header.n_index_entries);
	assert_true(n > N_FILES);
	assert_int_equal(n_index_items(volume), domain->header.n_index_items);
	ok(domain_verify(domain, &list, &strict, none_is_bad, NULL, &result, err));
	assert_int_equal(result.n_bad, 0);
}

static void decrypt(void)
{
	const struct convert_decrypt_options options = { .key = &(const struct key_source){ .volume_key = key, .slot = KEY_SLOT_ANY } };
	cleanup_volume struct volume *volume = open_volume();
	struct convert_plan plan = { 0 };

	ok(convert_decrypt(volume, "/", &options, NULL, &plan, err));
	convert_plan_free(&plan);
}

static void goes_on_where_it_stopped(void **state)
{
	const uint64_t cursor = stop_in_the_index();
	struct error why;
	uint64_t n = 0;

	(void)state;
	{
		cleanup_volume struct volume *volume = open_volume();

		assert_true(n_index_items(volume) >= cursor);
	}
	/* Record by record. */
	while (!go_on(CONVERT_RESUME, 1, &why)) {
		assert_int_equal(why.kind, ERROR_STOPPED);
		n++;
	}
	assert_true(n > 0);
	must_be_sealed();
	decrypt();
	must_be_plain();
}

static void is_undone(void **state)
{
	(void)state;
	stop_in_the_index();
	must_go_on(CONVERT_ABORT);
	must_be_plain();
	/* Stopped again and again on the way back. */
	stop_in_the_index();
	ui.record_bytes = 0;
	for (struct error why; !go_on(CONVERT_ABORT, 2, &why);)
		assert_int_equal(why.kind, ERROR_STOPPED);
	must_be_plain();
}

/* A byte of an entry, with a valid checksum. */
static void change_item(uint64_t index)
{
	const struct key item = crypt_key(1, CRYPT_INDEX, index);
	cleanup_volume struct volume *volume = open_volume();
	cleanup_tree_iter struct tree_iter iter = { 0 };
	cleanup_block struct block *block = NULL;
	struct tree tree;
	bool found;

	ok(tree_open(volume, ROOT_TREE_ID, &tree, err));
	ok(tree_find(&tree, &item, &iter, &found, err));
	assert_true(found);
	block = block_hold(iter.path[0]);
	block->bytes[leaf_item_at(&block->node, iter.slot[0]) + sizeof(struct disk_crypt_head) + 9] ^= 1;
	csum_block_update(volume->super.csum_type, block->bytes, NODE_SIZE);
	ok(volume_write(volume, block->logical, block->bytes, NODE_SIZE, err));
}

/* The items of the index are not drawn but computed: at a resume others cannot take their place. */
static void what_is_there_must_be_the_same(void **state)
{
	struct error why;

	(void)state;
	stop_in_the_index();
	change_item(0);
	assert_false(go_on(CONVERT_RESUME, 0, &why));
	assert_int_equal(why.kind, ERROR_STATE);
	assert_string_equal(why.text, "index item 0 does not match the subvolumes");
	change_item(0);
	must_go_on(CONVERT_RESUME);
	must_be_sealed();
	decrypt();
}

static int make(void **state)
{
	(void)state;
	image_make(&image, 300u << 20, "-d single -m dup -n 4096", N_FILES);
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
		cmocka_unit_test(goes_on_where_it_stopped),
		cmocka_unit_test(is_undone),
		cmocka_unit_test(what_is_there_must_be_the_same),
	};

	return cmocka_run_group_tests(tests, make, unmake);
}

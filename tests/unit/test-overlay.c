/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Items beside those on disk: a tree with an overlay reads as a sorted list with the same changes. */
#include "common/tree/overlay.h"

#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "common/tree/tree.h"
#include "tests/unit/image.h"
#include "tests/unit/ok.h"

#define MIB (1ull << 20)
#define N_FILES 300u
#define MOST 20000u

static struct image image;
static struct volume *volume;
static struct tree tree;
static struct overlay *overlay;

/* What the tree should have. */
static struct {
	struct key key;
	uint8_t bytes[16];	/* the first ones */
	size_t len;
} want[MOST];
static size_t n_want;

static void note(size_t at, const struct key *key, const struct cursor *item)
{
	want[at].key = *key;
	want[at].len = item->left;
	memset(want[at].bytes, 0, sizeof(want[at].bytes));
	memcpy(want[at].bytes, item->at, item->left < 16 ? item->left : 16);
}

static int make(void **state)
{
	(void)state;
	image_make(&image, 128 * MIB, "-m single -d single -n 4096", N_FILES);
	return 0;
}

static int remove_it(void **state)
{
	(void)state;
	image_remove(&image);
	return 0;
}

static int open_it(void **state)
{
	struct tree_iter iter = { 0 };

	(void)state;
	volume = image_volume(&image);
	ok(tree_open(volume, FS_TREE_ID, &tree, err));
	assert_null(overlay_of(volume, FS_TREE_ID));
	n_want = 0;
	ok(tree_seek(&tree, &(struct key){ 0 }, &iter, err));
	while (iter.valid) {
		note(n_want++, &iter.key, &iter.item);
		ok(tree_next(&iter, err));
	}
	tree_iter_close(&iter);
	assert_true(tree.level >= 1 && n_want > 1000 && n_want < MOST / 2);
	ok(overlay_make(volume, FS_TREE_ID, &overlay, err));
	assert_ptr_equal(overlay_of(volume, FS_TREE_ID), overlay);
	return 0;
}

static int close_it(void **state)
{
	(void)state;
	volume_close(volume);
	image_heal(&image);
	return 0;
}

/* The first that is >= key. */
static size_t place(const struct key *key)
{
	size_t at = 0;

	while (at < n_want && key_compare(&want[at].key, key) < 0)
		at++;
	return at;
}

static void put(const struct key *key, const void *bytes, size_t len)
{
	const struct cursor item = { bytes, len, 0x1000 };
	const size_t at = place(key);

	ok(overlay_put(overlay, key, &item, err));
	if (at == n_want || key_compare(&want[at].key, key) != 0) {
		assert_true(n_want < MOST);
		memmove(want + at + 1, want + at, (n_want++ - at) * sizeof(want[0]));
	}
	note(at, key, &item);
}

static void take(const struct key *key)
{
	const size_t at = place(key);

	ok(overlay_remove(overlay, key, err));
	if (at < n_want && key_compare(&want[at].key, key) == 0)
		memmove(want + at, want + at + 1, (--n_want - at) * sizeof(want[0]));
}

static void check_item(const struct tree_iter *iter, size_t at)
{
	assert_int_equal(iter->valid, at < n_want);
	if (!iter->valid)
		return;
	assert_int_equal(key_compare(&iter->key, &want[at].key), 0);
	assert_int_equal(iter->item.left, want[at].len);
	assert_memory_equal(iter->item.at, want[at].bytes, want[at].len < 16 ? want[at].len : 16);
}

/* Forwards from everywhere a little, from the first to the end, and each last one before a key. */
static void check_all(void)
{
	struct tree_iter iter = { 0 };

	ok(tree_seek(&tree, &(struct key){ 0 }, &iter, err));
	for (size_t i = 0; i <= n_want; i++) {
		check_item(&iter, i);
		ok(tree_next(&iter, err));
	}
	for (size_t i = 0; i < n_want; i += 7) {
		struct key key = want[i].key;
		bool found;

		ok(tree_find(&tree, &key, &iter, &found, err));
		assert_true(found);
		ok(tree_next(&iter, err));
		check_item(&iter, i + 1);
		key.offset++;
		const size_t next = place(&key);

		ok(tree_seek(&tree, &key, &iter, err));
		check_item(&iter, next);
		ok(tree_seek_last(&tree, &key, &iter, err));

		const size_t last = next < n_want && key_compare(&want[next].key, &key) == 0 ? next : next - 1;

		check_item(&iter, last);
		if (!iter.valid)
			continue;
		ok(tree_next(&iter, err));
		check_item(&iter, last + 1);
	}
	tree_iter_close(&iter);
}

static void random_changes_read_as_a_list(void **state)
{
	(void)state;
	srand(1);
	for (int round = 0; round < 4; round++) {
		for (int i = 0; i < 400; i++) {
			const uint64_t number = ((uint64_t)rand() << 16) ^ (uint64_t)rand();
			struct key key = want[(size_t)rand() % n_want].key;

			if (rand() % 2)
				key.offset += (uint64_t)(rand() % 3) - 1;
			if (rand() % 3)
				take(&key);
			else
				put(&key, &number, (size_t)rand() % 9);
		}
		check_all();
	}
}

/* The last item before a key may stand before everything that the overlay has. */
static void the_last_one_before_the_overlay(void **state)
{
	struct tree_iter iter = { 0 };

	(void)state;
	put(&(struct key){ want[1].key.objectid, want[1].key.type, want[1].key.offset }, "other", 5);
	ok(tree_seek_last(&tree, &(struct key){ want[0].key.objectid, want[0].key.type, want[0].key.offset }, &iter, err));
	check_item(&iter, 0);
	ok(tree_next(&iter, err));
	check_item(&iter, 1);
	ok(tree_next(&iter, err));
	check_item(&iter, 2);
	tree_iter_close(&iter);
}

static void ends_of_the_tree(void **state)
{
	struct tree_iter iter = { 0 };
	const struct key zero = { 0 }, only = { .offset = UINT64_MAX }, last = { UINT64_MAX, UINT8_MAX, UINT64_MAX };

	(void)state;
	/* The key after it begins anew, before everything. */
	put(&only, "only", 4);
	check_all();
	take(&only);
	put(&zero, "first", 5);
	put(&last, "last", 4);
	check_all();
	take(&zero);
	take(&last);
	while (n_want > 0)
		take(&(struct key){ want[n_want / 2].key.objectid, want[n_want / 2].key.type, want[n_want / 2].key.offset });
	check_all();
	ok(tree_seek_last(&tree, &last, &iter, err));
	assert_false(iter.valid);
	tree_iter_close(&iter);
}

static void too_much_is_refused(void **state)
{
	static uint8_t bytes[1 << 20];
	const struct cursor item = { bytes, sizeof(bytes), 0 };
	struct error full = { 0 };
	uint64_t n = 0;

	(void)state;
	while (overlay_put(overlay, &(struct key){ 300, 1, n }, &item, &full))
		n++;
	assert_int_equal(full.kind, ERROR_REFUSED);
	assert_true(n >= 100 && n <= OVERLAY_MAX / sizeof(bytes));
	/* What is taken away makes room. */
	ok(overlay_remove(overlay, &(struct key){ 300, 1, 0 }, err));
	ok(overlay_put(overlay, &(struct key){ 300, 1, n }, &item, err));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(random_changes_read_as_a_list, open_it, close_it),
		cmocka_unit_test_setup_teardown(the_last_one_before_the_overlay, open_it, close_it),
		cmocka_unit_test_setup_teardown(ends_of_the_tree, open_it, close_it),
		cmocka_unit_test_setup_teardown(too_much_is_refused, open_it, close_it),
	};

	return cmocka_run_group_tests(tests, make, remove_it);
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the tests of tree edits share: one image, opened, with at most one transaction. */
#ifndef TESTS_UNIT_EDIT_FIXTURE_H
#define TESTS_UNIT_EDIT_FIXTURE_H

#include <stdio.h>
#include <unistd.h>

#include "tests/support/edit.h"
#include "tests/support/tree-check.h"
#include "tests/unit/image.h"
#include "tests/unit/test.h"

#define MIB (1ull << 20)
enum form { AS_MADE, BITMAPS, GROUP_TREE };

static struct image image;
static struct volume *volume;
static struct allocator *allocator;
static struct transaction *tx;
static struct error err;

#define ok(call) do { if (!(call)) fail_msg("%s", err.text); } while (0)

static inline void begin(void)
{
	if (!tx)
		ok(transaction_begin(volume, allocator, &tx, &err));
}

static inline void commit(void)
{
	struct transaction *done = tx;

	tx = NULL;
	if (done)
		ok(edit_commit(volume, done, &err));
}

static inline void open_image(uint64_t size, const char *options, enum form form)
{
	image_make(&image, size, options, 0);
	ok(volume_open(image_file(&image, true), &(struct volume_options){ 0 }, &volume, &err));
	ok(allocator_open(volume, &allocator, &err));
	begin();
	if (form == BITMAPS)
		ok(edit_to_bitmaps(tx, &err));
	else if (form == GROUP_TREE)
		ok(edit_to_group_tree(tx, &err));
	commit();
	ok(tree_check(volume, &err));
}

static inline int close_image(void **state)
{
	(void)state;
	transaction_drop(tx);
	allocator_close(allocator);
	volume_close(volume);
	image_remove(&image);
	tx = NULL;
	allocator = NULL;
	volume = NULL;
	image = (struct image){ .fd = -1 };
	return 0;
}

static inline struct key key_of(uint64_t number)
{
	return (struct key){ CRYPT_ID, KEY_PERSISTENT_ITEM, number };
}

static inline void sweep_tree(uint64_t id)
{
	struct edit_lost *lost;
	size_t n;

	ok(edit_find_lost(volume, id, &lost, &n, &err));
	begin();
	for (size_t i = 0; i < n; i++)
		ok(transaction_free_block(tx, lost[i].logical, lost[i].level, &err));
	free(lost);
}

static inline void expect_error(bool result, enum error_kind kind, const char *text)
{
	assert_false(result);
	assert_int_equal(err.kind, kind);
	assert_string_equal(err.text, text);
}

#endif /* TESTS_UNIT_EDIT_FIXTURE_H */

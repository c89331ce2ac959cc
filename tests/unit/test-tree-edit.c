/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Random edits of the root tree of real filesystems, beside a sorted array; after each transaction all trees agree. */
#include "tests/unit/edit-fixture.h"

#define NUMBERS 400u		/* keys of the model */

static uint8_t payload[NODE_SIZE_MAX];

/* --- the model ------------------------------------------------------------------- */

static uint64_t content[NUMBERS];	/* what the payload follows from; 0: there is none */

static void expect_model(void)
{
	const struct key first = key_of(0);
	cleanup_tree_iter struct tree_iter iter = { 0 };
	struct tree tree;

	ok(tree_open(volume, ROOT_TREE_ID, &tree, &err));
	ok(tree_seek(&tree, &first, &iter, &err));
	for (unsigned i = 0; i < NUMBERS; i++) {
		if (content[i] == 0)
			continue;

		const uint32_t len = edit_len(content[i], volume->super.node_size);

		edit_fill(payload, len, content[i]);
		assert_true(iter.valid);
		assert_int_equal(iter.key.objectid, CRYPT_ID);
		assert_int_equal(iter.key.offset, i);
		assert_int_equal(iter.item.left, len);
		assert_memory_equal(iter.item.at, payload, len);
		ok(tree_next(&iter, &err));
	}
	assert_true(!iter.valid || iter.key.objectid != CRYPT_ID);
}

static void put(unsigned i, uint64_t number)
{
	const struct key key = key_of(i);
	const uint32_t len = edit_len(number, volume->super.node_size);

	edit_fill(payload, len, number);
	begin();
	ok(tree_insert(tx, ROOT_TREE_ID, &key, payload, len, &err));
	content[i] = number;
}

static void change(unsigned i, uint64_t number)
{
	const struct key key = key_of(i);
	const uint32_t len = edit_len(content[i], volume->super.node_size);
	uint8_t *data;
	uint32_t have;

	while (edit_len(number, volume->super.node_size) != len)
		number = content[i];
	begin();
	ok(tree_edit_item(tx, ROOT_TREE_ID, &key, &data, &have, &err));
	assert_int_equal(have, len);
	edit_fill(data, len, number);
	content[i] = number;
}

static void take_out(unsigned i)
{
	const struct key key = key_of(i);

	begin();
	ok(tree_remove(tx, ROOT_TREE_ID, &key, &err));
	content[i] = 0;
}

static void cut(unsigned first, unsigned last)
{
	const struct key a = key_of(first), b = key_of(last);

	begin();
	ok(tree_cut(tx, ROOT_TREE_ID, &a, &b, &err));
	for (unsigned i = first; i <= last && i < NUMBERS; i++)
		content[i] = 0;
	expect_model();
	/* With the cut or in a transaction after it. */
	if (rand() % 2)
		commit();
	sweep_tree(ROOT_TREE_ID);
}

static void one_step(uint64_t number)
{
	const unsigned i = (unsigned)rand() % NUMBERS;

	switch (rand() % 16) {
	case 0:
		cut(i, i + (unsigned)rand() % (NUMBERS - i));
		break;
	case 1:
		commit();
		ok(tree_check(volume, &err));
		expect_model();
		break;
	default:
		if (!content[i])
			put(i, number);
		else if (rand() % 2)
			take_out(i);
		else
			change(i, number);
	}
}

static void follow_model(uint64_t size, const char *options, enum form form)
{
	open_image(size, options, form);
	memset(content, 0, sizeof(content));
	srand(3);
	for (uint64_t number = 1; number < 1500; number++)
		one_step(number);
	for (unsigned i = 0; i < NUMBERS; i++) {
		if (content[i] && rand() % 2)
			take_out(i);
	}
	expect_model();
	commit();
	ok(tree_check(volume, &err));
	for (unsigned i = 0; i < NUMBERS; i++) {	/* ascending and descending as well */
		if (!content[i])
			put(i, i + 1);
	}
	commit();
	for (unsigned i = NUMBERS; i-- > 0;)
		take_out(i);
	for (unsigned i = NUMBERS; i-- > 0;)
		put(i, i + 5);
	expect_model();
	commit();
	ok(tree_check(volume, &err));
	cut(0, NUMBERS);
	commit();
	ok(tree_check(volume, &err));

	/* What others see, who read the image and not our memory. */
	block_cache_drop_idle(volume);
	ok(tree_check(volume, &err));
	expect_model();
}

static void nodes_of_4k(void **state) { (void)state; follow_model(200 * MIB, "-n 4096", AS_MADE); }
static void nodes_of_16k(void **state) { (void)state; follow_model(300 * MIB, "-n 16384", AS_MADE); }
static void nodes_of_64k(void **state) { (void)state; follow_model(3000 * MIB, "-n 65536", AS_MADE); }
static void mixed_groups(void **state) { (void)state; follow_model(200 * MIB, "--mixed -n 4096", AS_MADE); }
static void not_skinny(void **state) { (void)state; follow_model(200 * MIB, "-n 4096 -O ^skinny-metadata", AS_MADE); }
static void no_free_space_tree(void **state) { (void)state; follow_model(200 * MIB, "-n 4096 -R ^free-space-tree", AS_MADE); }
static void bitmaps(void **state) { (void)state; follow_model(200 * MIB, "-n 4096", BITMAPS); }
static void group_tree(void **state) { (void)state; follow_model(200 * MIB, "-n 4096", GROUP_TREE); }

/* --- one thing at a time -------------------------------------------------------------- */

/* Ascending items fill leaves: as many blocks as their bytes need, and little more. */
static void ascending_items_fill_leaves(void **state)
{
	(void)state;
	open_image(300 * MIB, "-n 16384", AS_MADE);

	const uint64_t used = volume->super.bytes_used;
	const uint32_t half = (16384 - 101) / 2 - 25;
	const unsigned n = 1000;

	for (unsigned i = 0; i < n; i++) {
		const struct key key = key_of(i);

		begin();
		ok(tree_insert(tx, ROOT_TREE_ID, &key, NULL, half, &err));
	}
	commit();
	ok(tree_check(volume, &err));
	assert_in_range((volume->super.bytes_used - used) / 16384, n / 2, n / 2 + 12);
}

/* Where leaves are cut at a bad place, items that always come before the last one make a leaf for each. */
static void descending_items_fill_leaves(void **state)
{
	(void)state;
	open_image(200 * MIB, "-n 4096", AS_MADE);

	const uint64_t used = volume->super.bytes_used;
	const unsigned n = 4000, per_leaf = (4096 - 101) / 125;

	for (unsigned i = 0; i < n; i++) {
		const struct key key = key_of(i % 2 ? 100000 - i : i);

		begin();
		ok(tree_insert(tx, ROOT_TREE_ID, &key, NULL, 100, &err));
	}
	commit();
	ok(tree_check(volume, &err));
	assert_in_range((volume->super.bytes_used - used) / 4096, n / per_leaf, 2 * n / per_leaf + 20);
}

/* An item as large as a leaf between two items that nearly fill one. */
static void a_leaf_of_its_own(void **state)
{
	const uint32_t max = 4096 - 101 - 25;

	(void)state;
	open_image(200 * MIB, "-n 4096", AS_MADE);
	for (unsigned i = 0; i < 60; i++) {
		const unsigned order[] = { 0, 2, 1 };	/* the one in the middle last */
		const struct key key = key_of(3 * (i / 3) + order[i % 3]);

		begin();
		ok(tree_insert(tx, ROOT_TREE_ID, &key, NULL, i % 3 == 2 ? max : max / 2 - 12, &err));
	}
	commit();
	ok(tree_check(volume, &err));
}

static void says_what_is_wrong(void **state)
{
	const struct key one = key_of(1), two = key_of(2);

	(void)state;
	open_image(200 * MIB, "-n 4096", AS_MADE);
	begin();
	ok(tree_insert(tx, ROOT_TREE_ID, &one, NULL, 10, &err));
	expect_error(tree_insert(tx, ROOT_TREE_ID, &one, NULL, 10, &err), ERROR_CORRUPT,
		     "tree 1: item (18446744073709551416 PERSISTENT_ITEM 1) exists already");
	expect_error(tree_insert(tx, ROOT_TREE_ID, &two, NULL, 4096 - 101 - 24, &err), ERROR_CORRUPT,
		     "tree 1: item (18446744073709551416 PERSISTENT_ITEM 2) is larger than a leaf");
	expect_error(tree_remove(tx, ROOT_TREE_ID, &two, &err), ERROR_CORRUPT,
		     "tree 1: item (18446744073709551416 PERSISTENT_ITEM 2) is missing");
	expect_error(tree_insert(tx, FS_TREE_ID, &two, NULL, 10, &err), ERROR_REFUSED,
		     "tree 5 may share blocks with other trees: its shape must not change");
	expect_error(tree_cut(tx, 256, &one, &two, &err), ERROR_REFUSED,
		     "tree 256 may share blocks with other trees: its shape must not change");
	ok(tree_cut(tx, ROOT_TREE_ID, &two, &one, &err));	/* an empty range */
	ok(tree_remove(tx, ROOT_TREE_ID, &one, &err));
}

#define test(function) cmocka_unit_test_teardown(function, close_image)

int main(void)
{
	const struct CMUnitTest tests[] = {
		test(nodes_of_4k),
		test(nodes_of_16k),
		test(nodes_of_64k),
		test(mixed_groups),
		test(not_skinny),
		test(no_free_space_tree),
		test(bitmaps),
		test(group_tree),
		test(ascending_items_fill_leaves),
		test(descending_items_fill_leaves),
		test(a_leaf_of_its_own),
		test(says_what_is_wrong),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

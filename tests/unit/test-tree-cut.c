/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Trees of several levels: cuts out of their middle, inner nodes that come and go, and what is left of an emptied tree. */
#include "tests/unit/edit-fixture.h"

#define MANY 12000u

static bool has[MANY];

static void expect_many(void)
{
	const struct key first = key_of(0);
	cleanup_tree_iter struct tree_iter iter = { 0 };
	struct tree tree;

	ok(tree_open(volume, ROOT_TREE_ID, &tree, &err));
	ok(tree_seek(&tree, &first, &iter, &err));
	for (unsigned i = 0; i < MANY; i++) {
		const struct key key = key_of(i);
		cleanup_tree_iter struct tree_iter one = { 0 };
		bool found;

		if (i % 8 == 0) {
			ok(tree_find(&tree, &key, &one, &found, &err));
			assert_int_equal(found, has[i]);
		}
		if (!has[i])
			continue;
		assert_true(iter.valid);
		assert_int_equal(iter.key.offset, i);
		assert_int_equal(iter.item.left, 100);
		assert_int_equal(iter.item.at[i % 100], (uint8_t)(i * 7));
		ok(tree_next(&iter, &err));
	}
	assert_true(!iter.valid || iter.key.objectid != CRYPT_ID);
}

static void toggle(unsigned i)
{
	const struct key key = key_of(i);
	uint8_t bytes[100];

	memset(bytes, (int)(i * 7), sizeof(bytes));
	begin();
	if (has[i])
		ok(tree_remove(tx, ROOT_TREE_ID, &key, &err));
	else
		ok(tree_insert(tx, ROOT_TREE_ID, &key, bytes, sizeof(bytes), &err));
	has[i] = !has[i];
}

static void finish_many(void)
{
	expect_many();
	commit();
	ok(tree_check(volume, &err));
}

static void cut_many(unsigned first, unsigned last)
{
	const struct key a = key_of(first), b = key_of(last);

	begin();
	ok(tree_cut(tx, ROOT_TREE_ID, &a, &b, &err));
	for (unsigned i = first; i <= last; i++)
		has[i] = false;
	sweep_tree(ROOT_TREE_ID);
}

static bool count_block(void *context, struct block *block, bool *descend, struct error *unused)
{
	(void)block;
	(void)descend;
	(void)unused;
	++*(unsigned *)context;
	return true;
}

/* Half empty neighbours are not joined, but nothing empty stays. */
static unsigned n_root_blocks(void)
{
	struct tree tree;
	unsigned n = 0;

	ok(tree_open(volume, ROOT_TREE_ID, &tree, &err));
	ok(tree_walk(&tree, count_block, &n, &err));
	return n;
}

static void trees_of_three_levels(void **state)
{
	(void)state;
	open_image(300 * MIB, "-n 4096", AS_MADE);
	memset(has, 0, sizeof(has));
	srand(5);
	for (unsigned round = 0; round < MANY; round++)
		toggle((unsigned)rand() % MANY);
	assert_int_equal(volume->super.root_level, 2);
	finish_many();
	for (unsigned round = 0; round < 40; round++) {
		const unsigned first = (unsigned)rand() % MANY, n = (unsigned)rand() % (round % 2 ? 200 : 4000);
		const unsigned last = first + n < MANY ? first + n : MANY - 1;

		cut_many(first, last);
		for (unsigned i = first; i <= last; i++) {
			if (rand() % 3 && !has[i])
				toggle(i);
		}
		finish_many();
	}
	for (unsigned i = 0; i < MANY; i++) {	/* the first of each block, again and again */
		if (has[i])
			toggle(i);
		if (i % 1000 == 0)
			expect_many();
	}
	finish_many();
	assert_in_range(n_root_blocks(), 3, 8);
}

static struct key csum_key(uint64_t i)
{
	return (struct key){ EXTENT_CSUM_ID, KEY_EXTENT_CSUM, i * 4096 };
}

static void take_csums(bool by_cut, uint64_t first, uint64_t n)
{
	const struct key a = csum_key(first), b = csum_key(first + n - 1);

	begin();
	if (by_cut) {
		ok(tree_cut(tx, CSUM_TREE_ID, &a, &b, &err));
		sweep_tree(CSUM_TREE_ID);
	}
	for (uint64_t i = 0; !by_cut && i < n; i++) {
		const struct key key = csum_key(first + i * 7 % n);

		ok(tree_remove(tx, CSUM_TREE_ID, &key, &err));
	}
	commit();
	ok(tree_check(volume, &err));
}

/* Every item of a tree whose root has a root item; it is an empty leaf then. */
static void empties_a_tree(bool by_cut)
{
	struct tree tree;
	struct block *root;

	open_image(200 * MIB, "-n 4096", AS_MADE);
	begin();
	for (uint64_t i = 0; i < 6000; i++) {
		const struct key key = csum_key(i);

		ok(tree_insert(tx, CSUM_TREE_ID, &key, NULL, 100, &err));
	}
	commit();
	ok(tree_open(volume, CSUM_TREE_ID, &tree, &err));
	assert_int_equal(tree.level, 2);
	ok(tree_check(volume, &err));
	/* The last ones are in one leaf: it is the root then. */
	take_csums(by_cut, 0, 5990);
	ok(tree_open(volume, CSUM_TREE_ID, &tree, &err));
	assert_int_equal(tree.level, 0);
	take_csums(by_cut, 5990, 10);
	ok(tree_open(volume, CSUM_TREE_ID, &tree, &err));
	assert_int_equal(tree.level, 0);
	ok(block_get(volume, tree.logical, NULL, &root, &err));
	assert_int_equal(root->node.n_items, 0);
	block_put(root);
	ok(tree_check(volume, &err));
}

static void empties_a_tree_one_by_one(void **state) { (void)state; empties_a_tree(false); }
static void empties_a_tree_at_once(void **state) { (void)state; empties_a_tree(true); }

#define test(function) cmocka_unit_test_teardown(function, close_image)

int main(void)
{
	const struct CMUnitTest tests[] = {
		test(trees_of_three_levels),
		test(empties_a_tree_one_by_one),
		test(empties_a_tree_at_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Transactions: what settling makes of blocks, what dropping takes back, what may be freed. */
#include "common/volume/csum.h"
#include "tests/unit/edit-fixture.h"

static void put(unsigned i, uint64_t number)
{
	static uint8_t payload[NODE_SIZE_MAX];
	const struct key key = key_of(i);
	const uint32_t len = edit_len(number, volume->super.node_size);

	edit_fill(payload, len, number);
	begin();
	ok(tree_insert(tx, ROOT_TREE_ID, &key, payload, len, &err));
}

static void take_out(unsigned i)
{
	const struct key key = key_of(i);

	begin();
	ok(tree_remove(tx, ROOT_TREE_ID, &key, &err));
}

static uint64_t fingerprint(void)
{
	uint64_t sum;

	ok(tree_fingerprint(volume, &sum, &err));
	return sum;
}

static void dropping_leaves_nothing(void **state)
{
	(void)state;
	open_image(200 * MIB, "-n 4096", BITMAPS);

	const uint64_t before = fingerprint(), n_free = allocator_n_free_blocks(allocator);

	for (unsigned round = 0; round < 3; round++) {
		const struct key a = key_of(10), b = key_of(150);

		for (unsigned i = 0; i < 200; i++)
			put(i, i + 7 * round + 1);
		ok(tree_cut(tx, ROOT_TREE_ID, &a, &b, &err));
		for (unsigned i = 160; i < 200; i++)
			take_out(i);
		if (round == 1)
			ok(transaction_settle(tx, &err));
		assert_true(fingerprint() != before);
		transaction_drop(tx);
		tx = NULL;
		assert_true(fingerprint() == before);
		assert_int_equal(allocator_n_free_blocks(allocator), n_free);
		ok(tree_check(volume, &err));
	}
}

/* Frees what is not a lone block of a tree that may change its shape. */
static void frees_only_what_is_lone(void **state)
{
	struct tree tree;
	char text[200];

	(void)state;
	open_image(200 * MIB, "-n 4096", AS_MADE);
	ok(tree_open(volume, FS_TREE_ID, &tree, &err));
	begin();
	expect_error(transaction_free_block(tx, tree.logical, tree.level, &err), ERROR_REFUSED,
		     "tree 5 may share blocks with other trees: its shape must not change");
	transaction_drop(tx);
	tx = NULL;
	begin();
	snprintf(text, sizeof(text), "extent item of tree block %llu: missing at level 3", (unsigned long long)tree.logical);
	expect_error(transaction_free_block(tx, tree.logical, 3, &err), ERROR_CORRUPT, text);
	transaction_drop(tx);
	tx = NULL;
	ok(tree_check(volume, &err));
}

/* Out of space in the middle of an edit; and what was there is there again. */
static void no_space_is_no_harm(void **state)
{
	uint64_t i = 0;

	(void)state;
	open_image(120 * MIB, "-n 4096 -m single", AS_MADE);

	const uint64_t before = fingerprint();

	begin();
	while (true) {
		const struct key key = key_of(i++);

		if (!tree_insert(tx, ROOT_TREE_ID, &key, NULL, 3900, &err))
			break;
	}
	assert_int_equal(err.kind, ERROR_NO_SPACE);
	assert_string_equal(err.text, "no room for another tree block of 4096 bytes");
	assert_int_equal(allocator_n_free_blocks(allocator), 0);
	transaction_drop(tx);
	tx = NULL;
	assert_true(fingerprint() == before);
	ok(tree_check(volume, &err));
}

static void settled_blocks_are_ready(void **state)
{
	uint64_t previous = 0;

	(void)state;
	open_image(200 * MIB, "-n 4096", AS_MADE);
	for (unsigned i = 0; i < 200; i++)
		put(i, i + 1);
	for (unsigned i = 0; i < 200; i += 3)
		take_out(i);

	const size_t n = transaction_n_blocks(tx);

	ok(transaction_settle(tx, &err));
	assert_int_equal(transaction_n_blocks(tx), n);
	assert_int_equal(transaction_n_changed(tx) + transaction_n_new(tx), n);
	for (size_t i = 0; i < n; i++) {
		const size_t n_changed = transaction_n_changed(tx);
		const struct block *block = i < n_changed ? transaction_changed(tx, i) : transaction_new(tx, i - n_changed);
		uint32_t gap_at;
		const uint32_t gap = node_gap(&block->node, &gap_at);

		assert_int_equal(block->is_new, i >= n_changed);
		assert_true(i == 0 || i == n_changed || block->logical > previous);
		previous = block->logical;
		assert_true(csum_block_matches(volume->super.csum_type, block->bytes, 4096));
		for (uint32_t at = gap_at; at < gap_at + gap; at++)
			assert_int_equal(block->bytes[at], 0);
	}
	transaction_drop(tx);
	tx = NULL;
}

#define test(function) cmocka_unit_test_teardown(function, close_image)

int main(void)
{
	const struct CMUnitTest tests[] = {
		test(dropping_leaves_nothing),
		test(frees_only_what_is_lone),
		test(no_space_is_no_harm),
		test(settled_blocks_are_ready),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

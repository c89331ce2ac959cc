/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Edits of one tree block: every state must read back as a node, and say what a plain array says. */
#include "common/tree/leaf.h"

#include "common/tree/ranges.h"
#include "tests/unit/test.h"

#define SIZE 4096u
#define LOGICAL 0x400000u
#define ITEMS_MAX 200u

struct model {
	uint64_t number;	/* of the key; the payload is len bytes of it */
	uint32_t len;
};

/* A block of exactly SIZE bytes on the heap, so that the sanitizer sees a step outside. */
static struct leaf_bytes make_block(uint8_t level)
{
	struct leaf_bytes block = { malloc(SIZE), SIZE };
	struct disk_header header = { .bytenr = to_le64(LOGICAL), .level = level };

	assert_non_null(block.at);
	memset(block.at, 0xee, SIZE);
	memcpy(block.at, &header, sizeof(header));
	return block;
}

static struct key key_of(uint64_t number)
{
	return (struct key){ 7, KEY_EXTENT_CSUM, number };
}

static void put(struct leaf_bytes leaf, uint32_t slot, struct model item)
{
	const struct key key = key_of(item.number);
	uint8_t *payload = leaf_insert(leaf, slot, &key, item.len);

	for (uint32_t i = 0; i < item.len; i++) {
		assert_int_equal(payload[i], 0);
		payload[i] = (uint8_t)(item.number + i);
	}
}

static void expect_items(struct leaf_bytes leaf, const struct model *model, uint32_t n)
{
	struct error err;
	struct node node;
	uint32_t used = 0;

	if (!node_read(leaf.at, SIZE, LOGICAL, &node, &err))
		fail_msg("%s", err.text);
	assert_int_equal(node.n_items, n);
	for (uint32_t slot = 0; slot < n; slot++) {
		const struct cursor item = leaf_item(&node, slot);

		assert_int_equal(node_key(&node, slot).offset, model[slot].number);
		assert_int_equal(item.left, model[slot].len);
		for (uint32_t i = 0; i < item.left; i++)
			assert_int_equal(item.at[i], (uint8_t)(model[slot].number + i));
		used += sizeof(struct disk_item) + model[slot].len;
	}
	assert_int_equal(leaf_used(leaf, 0, n), used);
	assert_int_equal(leaf_free(leaf), SIZE - sizeof(struct disk_header) - used);
}

static uint32_t lower_bound(const struct model *model, uint32_t n, uint64_t number)
{
	uint32_t slot = 0;

	while (slot < n && model[slot].number < number)
		slot++;
	return slot;
}

static void random_items(void **state)
{
	struct leaf_bytes leaf = make_block(0);
	struct model model[ITEMS_MAX];
	uint32_t n = 0;

	(void)state;
	srand(1);
	for (unsigned round = 0; round < 3000; round++) {
		const struct model item = { (uint64_t)rand() % 1000, (uint32_t)rand() % 300 };
		const uint32_t slot = lower_bound(model, n, item.number);

		if (rand() % 3 == 0 && n > 0) {
			const uint32_t first = (uint32_t)rand() % n, count = (uint32_t)rand() % (n - first + 1);

			leaf_remove(leaf, first, count);
			memmove(&model[first], &model[first + count], (n - first - count) * sizeof(*model));
			n -= count;
		} else if ((slot == n || model[slot].number != item.number) && n < ITEMS_MAX &&
			   leaf_free(leaf) >= sizeof(struct disk_item) + item.len) {
			put(leaf, slot, item);
			memmove(&model[slot + 1], &model[slot], (n - slot) * sizeof(*model));
			model[slot] = item;
			n++;
		}
		expect_items(leaf, model, n);
	}
	free(leaf.at);
}

static void an_item_may_fill_the_leaf(void **state)
{
	struct leaf_bytes leaf = make_block(0);
	const struct model item = { 5, leaf_payload_max(SIZE) };

	(void)state;
	put(leaf, 0, item);
	assert_int_equal(leaf_free(leaf), 0);
	expect_items(leaf, &item, 1);
	leaf_remove(leaf, 0, 1);
	expect_items(leaf, NULL, 0);
	free(leaf.at);
}

static void moves_every_tail(void **state)
{
	(void)state;
	for (uint32_t first = 0; first <= 10; first++) {
		struct leaf_bytes from = make_block(0), to = make_block(0);
		struct model model[10];

		for (uint32_t i = 0; i < 10; i++) {
			model[i] = (struct model){ 10 * i, i % 3 * 100 };
			put(from, i, model[i]);
		}
		leaf_move_tail(from, first, to);
		expect_items(from, model, first);
		expect_items(to, model + first, 10 - first);
		free(from.at);
		free(to.at);
	}
}

static void replaces_keys(void **state)
{
	struct leaf_bytes leaf = make_block(0);
	struct model model[3] = { { 1, 9 }, { 5, 0 }, { 9, 2 } };
	const struct key key = { 7, KEY_EXTENT_CSUM, 8 };
	struct error err;
	struct node node;

	(void)state;
	for (uint32_t i = 0; i < 3; i++)
		put(leaf, i, model[i]);
	leaf_set_key(leaf, 1, &key);
	model[1].number = 8;
	expect_items(leaf, model, 3);
	assert_true(node_read(leaf.at, SIZE, LOGICAL, &node, &err));
	free(leaf.at);
}

static void expect_pointers(struct leaf_bytes inner, const uint64_t *number, uint32_t n)
{
	struct error err;
	struct node node;

	if (n == 0) {	/* an inner node is never empty on disk */
		assert_int_equal(leaf_n_items(inner), 0);
		return;
	}
	if (!node_read(inner.at, SIZE, LOGICAL, &node, &err))
		fail_msg("%s", err.text);
	assert_int_equal(node.n_items, n);
	for (uint32_t slot = 0; slot < n; slot++) {
		assert_int_equal(node_key(&node, slot).offset, number[slot]);
		assert_int_equal(node_child(&node, slot), number[slot] << 12);
		assert_int_equal(node_child_generation(&node, slot), number[slot] + 1);
	}
}

static void pointers(void **state)
{
	struct leaf_bytes inner = make_block(1), to = make_block(1);
	const uint32_t max = inner_pointers_max(SIZE);
	uint64_t *number = calloc(max, sizeof(*number));

	(void)state;
	assert_int_equal(max, 121);
	/* Odd ones ascending, then even ones between them. */
	for (uint32_t i = 0; i < max; i++) {
		const uint32_t half = (max + 1) / 2;
		const uint64_t x = i < half ? 2 * i + 1 : 2 * (i - half) + 2;
		const uint32_t slot = i < half ? i : (i - half) * 2 + 1;
		const struct key key = key_of(x);

		inner_insert(inner, slot, &key, x << 12, x + 1);
	}
	for (uint32_t i = 0; i < max; i++)
		number[i] = i + 1;
	expect_pointers(inner, number, max);
	inner_remove(inner, 3, 10);
	memmove(&number[3], &number[13], (max - 13) * sizeof(*number));
	expect_pointers(inner, number, max - 10);
	inner_move_tail(inner, 40, to);
	expect_pointers(inner, number, 40);
	expect_pointers(to, number + 40, max - 50);
	inner_remove(inner, 0, 40);
	expect_pointers(inner, NULL, 0);
	free(number);
	free(inner.at);
	free(to.at);
}

/* --- ranges ------------------------------------------------------------------------- */

#define PLACES 200u

static void expect_ranges(const struct ranges *set, const bool *has)
{
	size_t i = 0;

	for (unsigned at = 0; at < PLACES; at++) {
		if (!has[at] || (at > 0 && has[at - 1]))
			continue;

		unsigned end = at;

		while (end < PLACES && has[end])
			end++;
		assert_true(i < set->n);
		assert_int_equal(set->range[i].logical, at);
		assert_int_equal(set->range[i].length, end - at);
		i++;
	}
	assert_int_equal(i, set->n);
}

static void ranges_are_a_set(void **state)
{
	struct ranges set = { 0 };
	bool has[PLACES] = { 0 };
	struct error err;

	(void)state;
	srand(2);
	for (unsigned round = 0; round < 20000; round++) {
		const unsigned at = (unsigned)rand() % PLACES, len = 1 + (unsigned)rand() % (at + 20 < PLACES ? 20 : PLACES - at);
		unsigned n = 0;

		for (unsigned i = 0; i < len; i++)
			n += has[at + i];
		assert_int_equal(ranges_touch(&set, at, len), n > 0);
		assert_int_equal(ranges_contain(&set, at, len), n == len);
		if (n == 0 && rand() % 2)
			assert_true(ranges_add(&set, at, len, &err));
		else if (rand() % 3 == 0)
			assert_true(ranges_subtract(&set, at, len, &err));
		else
			continue;
		memset(&has[at], n == 0 && ranges_contain(&set, at, len), len);
		expect_ranges(&set, has);
	}
	ranges_free(&set);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(random_items),
		cmocka_unit_test(an_item_may_fill_the_leaf),
		cmocka_unit_test(moves_every_tail),
		cmocka_unit_test(replaces_keys),
		cmocka_unit_test(pointers),
		cmocka_unit_test(ranges_are_a_set),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

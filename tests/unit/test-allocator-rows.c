/* SPDX-License-Identifier: GPL-2.0-or-later */
/* With parity, what is written before anybody knows of a conversion goes to rows that were free as a whole. */
#include "common/tree/allocator.h"

#include <stdlib.h>

#include "common/volume/parity-write.h"
#include "tests/unit/image.h"
#include "tests/unit/ok.h"

#define KIB (1ull << 10)
#define MIB (1ull << 20)
#define ROW (192 * KIB)

static struct image image;
static struct volume *volume;
static struct allocator *allocator;

/* What an allocator reads of chunks is where their rows are: all of them become RAID6 of five, far behind the superblocks. */
static void open_image(const char *options)
{
	image_make(&image, 300 * MIB, options, 2000);
	volume = image_volume(&image);
	ok(allocator_open(volume, &allocator, err));
	for (size_t i = 0; i < volume->n_chunks; i++) {
		struct chunk *chunk = &volume->chunks[i];

		chunk->type = (chunk->type & GROUP_TYPE_MASK) | GROUP_RAID6;
		chunk->stripe = realloc(chunk->stripe, 5 * sizeof(*chunk->stripe));
		assert_non_null(chunk->stripe);
		chunk->n_stripes = 5;
		for (unsigned stripe = 0; stripe < 5; stripe++)
			chunk->stripe[stripe] = (struct chunk_stripe){ .devid = stripe + 1, .physical = 100 * MIB };
	}
}

static int close_image(void **state)
{
	(void)state;
	allocator_close(allocator);
	volume_close(volume);
	image_remove(&image);
	return 0;
}

static bool is_free(uint64_t logical, uint64_t length)
{
	const struct group *group = allocator_group_of(allocator, logical);

	for (size_t i = 0; i < group->n_free; i++)
		if (group->free[i].logical <= logical && logical + length <= group->free[i].logical + group->free[i].length)
			return true;
	return false;
}

static void row_of(uint64_t logical, uint64_t *row)
{
	uint64_t len;

	ok(volume_stripe_row(volume, logical, row, &len, err));
	assert_in_range(len, 1, ROW);
}

static void journals_have_their_rows_alone(void **state)
{
	struct free_range range[4];

	(void)state;
	open_image("-n 4096");
	for (unsigned i = 0; i < 4; i++) {
		uint64_t row, last;

		ok(allocator_find_journals(allocator, 1, 2 * MIB, 2 * MIB, &range[i], err));
		row_of(range[i].logical, &row);
		row_of(range[i].logical + range[i].length - 1, &last);
		assert_int_equal(row, range[i].logical);
		assert_true(is_free(row, last + ROW - row));
		assert_true(i == 0 || range[i].logical >= range[i - 1].logical + 11 * ROW || range[i].logical + 11 * ROW <= range[i - 1].logical);
		ok(allocator_reserve(allocator, range[i].logical, range[i].length, err));
	}
	for (uint64_t logical;;) {
		struct error full;

		if (!allocator_take_block(allocator, &logical, &full))
			break;
		for (unsigned i = 0; i < 4; i++)
			assert_false(logical >= range[i].logical && logical < range[i].logical + 11 * ROW);
	}
}

/* Of each row that a block is put in, nothing was in use before, until there is no such row left. */
static void new_blocks_go_to_rows_that_are_free(void **state)
{
	uint64_t *taken, n, n_alone = 0, free_before = 0;

	(void)state;
	open_image("-n 4096");
	n = allocator_n_free_blocks(allocator);
	taken = calloc(n, sizeof(*taken));
	assert_non_null(taken);
	for (size_t i = 0; i < allocator_n_groups(allocator); i++) {
		const struct group *group = allocator_group(allocator, i);

		for (uint64_t at = group->logical; group->flags & GROUP_METADATA && at + ROW <= group->logical + group->length; at += ROW)
			free_before += is_free(at, ROW) ? ROW / 4096 : 0;
	}
	assert_true(free_before > 1000 && free_before < n);
	for (uint64_t i = 0; i < n; i++) {
		uint64_t row;

		ok(allocator_take_block(allocator, &taken[i], err));
		row_of(taken[i], &row);
		if (i > 0 && taken[i] == taken[i - 1] + 4096 && taken[i] != row) {
			n_alone += n_alone == i;
			continue;
		}
		/* The beginning of a row, whose rest is free. */
		n_alone += n_alone == i && taken[i] == row && is_free(row + 4096, ROW - 4096);
	}
	assert_in_range(n_alone, free_before - ROW / 4096, free_before);
	while (n-- > 0)
		allocator_give_back(allocator, taken[n]);
	free(taken);
}

#define test(function) cmocka_unit_test_teardown(function, close_image)

int main(void)
{
	const struct CMUnitTest tests[] = {
		test(journals_have_their_rows_alone),
		test(new_blocks_go_to_rows_that_are_free),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

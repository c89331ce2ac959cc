/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Sets of addresses as sorted arrays of ranges. */
#include "common/tree/ranges.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "common/util/lower-bound.h"

static uint64_t end_of(const struct free_range *range)
{
	return range->logical + range->length;
}

bool ranges_make_room(struct ranges *set, size_t n, struct error *err)
{
	if (set->room - set->n >= n)
		return true;

	const size_t room = set->n + n + set->room / 2 + 8;
	struct free_range *range = reallocarray(set->range, room, sizeof(*range));

	if (!range)
		return error_memory(err);
	set->range = range;
	set->room = room;
	return true;
}

static bool insert_at(struct ranges *set, size_t i, uint64_t logical, uint64_t length, struct error *err)
{
	if (!ranges_make_room(set, 1, err))
		return false;
	memmove(&set->range[i + 1], &set->range[i], (set->n - i) * sizeof(*set->range));
	set->range[i] = (struct free_range){ logical, length };
	set->n++;
	return true;
}

static void remove_at(struct ranges *set, size_t i, size_t n)
{
	if (n == 0)
		return;
	memmove(&set->range[i], &set->range[i + n], (set->n - i - n) * sizeof(*set->range));
	set->n -= n;
}

size_t ranges_find(const struct ranges *set, uint64_t logical)
{
	return LOWER_BOUND(i, set->n, end_of(&set->range[i]) <= logical);
}

bool ranges_touch(const struct ranges *set, uint64_t logical, uint64_t length)
{
	const size_t i = ranges_find(set, logical);

	return i < set->n && set->range[i].logical < logical + length;
}

bool ranges_contain(const struct ranges *set, uint64_t logical, uint64_t length)
{
	const size_t i = ranges_find(set, logical);

	return i < set->n && set->range[i].logical <= logical && end_of(&set->range[i]) >= logical + length;
}

bool ranges_add(struct ranges *set, uint64_t logical, uint64_t length, struct error *err)
{
	const size_t i = ranges_find(set, logical);

	assert(!ranges_touch(set, logical, length));

	const bool joins_left = i > 0 && end_of(&set->range[i - 1]) == logical;
	const bool joins_right = i < set->n && set->range[i].logical == logical + length;

	if (joins_left && joins_right) {
		set->range[i - 1].length += length + set->range[i].length;
		remove_at(set, i, 1);
	} else if (joins_left) {
		set->range[i - 1].length += length;
	} else if (joins_right) {
		set->range[i].logical = logical;
		set->range[i].length += length;
	} else {
		return insert_at(set, i, logical, length, err);
	}
	return true;
}

bool ranges_subtract(struct ranges *set, uint64_t logical, uint64_t length, struct error *err)
{
	const uint64_t end = logical + length;
	size_t i = ranges_find(set, logical);

	if (i < set->n && set->range[i].logical < logical) {
		struct free_range *range = &set->range[i];
		const uint64_t range_end = end_of(range);

		if (range_end > end && !insert_at(set, i + 1, end, range_end - end, err))
			return false;
		set->range[i].length = logical - set->range[i].logical;
		i++;
	}

	size_t n = 0;

	while (i + n < set->n && end_of(&set->range[i + n]) <= end)
		n++;
	remove_at(set, i, n);
	if (i < set->n && set->range[i].logical < end) {
		set->range[i].length = end_of(&set->range[i]) - end;
		set->range[i].logical = end;
	}
	return true;
}

void ranges_free(struct ranges *set)
{
	free(set->range);
	*set = (struct ranges){ 0 };
}

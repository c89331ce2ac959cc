/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A set of addresses, kept as ascending ranges that neither touch nor overlap. */
#ifndef COMMON_TREE_RANGES_H
#define COMMON_TREE_RANGES_H

#include <stddef.h>
#include <stdint.h>

#include "format/error.h"

struct free_range {
	uint64_t logical;
	uint64_t length;
};

/* Initialise with { 0 }. */
struct ranges {
	struct free_range *range;
	size_t n, room;
};

/* Adds [logical, +length), which must not overlap existing ranges, and joins it to its neighbours. */
bool ranges_add(struct ranges *set, uint64_t logical, uint64_t length, struct error *err) must_use;

/* Removes whatever part of [logical, +length) is there. */
bool ranges_subtract(struct ranges *set, uint64_t logical, uint64_t length, struct error *err) must_use;

/* The first range that ends after logical; set->n if there is none. */
size_t ranges_find(const struct ranges *set, uint64_t logical);

/* Is any / all of [logical, +length) there? */
bool ranges_touch(const struct ranges *set, uint64_t logical, uint64_t length);
bool ranges_contain(const struct ranges *set, uint64_t logical, uint64_t length);

/* Makes room for n more ranges, so that this many calls of ranges_add() and ranges_subtract() cannot fail. */
bool ranges_make_room(struct ranges *set, size_t n, struct error *err) must_use;

void ranges_free(struct ranges *set);

#endif /* COMMON_TREE_RANGES_H */

/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A set of numbers: open addressing, at most half full. */
#include "common/util/set64.h"

#include <stdlib.h>
#include <sys/random.h>

#include "common/util/mix64.h"

#define FIRST_SLOTS 64

/* The slot that holds number, or the empty one for it. */
static size_t find(const struct set64 *set, uint64_t number)
{
	const size_t mask = set->n_slots - 1;
	size_t i = mix64(number ^ set->seed) & mask;

	while (set->slot[i] != 0 && set->slot[i] != number)
		i = (i + 1) & mask;
	return i;
}

static bool grow(struct set64 *set, struct error *err)
{
	struct set64 larger = { .n_slots = set->n_slots ? 2 * set->n_slots : FIRST_SLOTS, .seed = set->seed };

	/* A zero seed is still correct, only slower for numbers chosen to collide. */
	if (set->n_slots == 0 && getrandom(&larger.seed, sizeof(larger.seed), GRND_NONBLOCK) != sizeof(larger.seed))
		larger.seed = 0;
	larger.slot = calloc(larger.n_slots, sizeof(*larger.slot));
	if (!larger.slot)
		return error_memory(err);
	for (size_t i = 0; i < set->n_slots; i++) {
		if (set->slot[i] != 0)
			larger.slot[find(&larger, set->slot[i])] = set->slot[i];
	}
	free(set->slot);
	set->slot = larger.slot;
	set->n_slots = larger.n_slots;
	set->seed = larger.seed;
	return true;
}

bool set64_add(struct set64 *set, uint64_t number, bool *added, struct error *err)
{
	bool is_new;

	if (number == 0) {
		is_new = !set->has_zero;
		set->has_zero = true;
	} else {
		if (2 * (set->n_used + 1) > set->n_slots && !grow(set, err))
			return false;
		const size_t i = find(set, number);

		is_new = set->slot[i] == 0;
		set->slot[i] = number;
		set->n_used += is_new;
	}
	if (added)
		*added = is_new;
	return true;
}

bool set64_has(const struct set64 *set, uint64_t number)
{
	if (number == 0)
		return set->has_zero;
	return set->n_slots > 0 && set->slot[find(set, number)] == number;
}

size_t set64_count(const struct set64 *set)
{
	return set->n_used + set->has_zero;
}

void set64_free(struct set64 *set)
{
	free(set->slot);
	*set = (struct set64){ 0 };
}

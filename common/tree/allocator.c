/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Free space according to the extent tree, and what part of it may be taken. */
#include "common/tree/allocator-state.h"
#include "common/util/lower-bound.h"
#include "common/util/plural.h"
#include "common/volume/mirror.h"
#include "common/volume/parity-write.h"

#include <inttypes.h>
#include <stdlib.h>

#define JOURNAL_ALIGNMENT (64u << 10)

static struct own_group *group_at(const struct allocator *allocator, uint64_t logical)
{
	/* the last group that begins at or before logical */
	const size_t i = LOWER_BOUND(at, allocator->n_groups, allocator->group[at].view.logical <= logical);
	struct own_group *group = i > 0 ? &allocator->group[i - 1] : NULL;

	return group && logical - group->view.logical < group->view.length ? group : NULL;
}

static bool open_types(struct volume *volume, uint64_t types, struct allocator **out, struct error *err)
{
	struct allocator *allocator = calloc(1, sizeof(*allocator));

	if (!allocator)
		return error_memory(err);
	allocator->volume = volume;
	allocator->types = types;
	if (!allocator_scan(allocator, err)) {
		allocator_close(allocator);
		return false;
	}
	*out = allocator;
	return true;
}

bool allocator_open(struct volume *volume, struct allocator **out, struct error *err)
{
	return open_types(volume, ALL_GROUPS, out, err);
}

bool allocator_open_metadata(struct volume *volume, struct allocator **out, struct error *err)
{
	return open_types(volume, GROUP_METADATA | GROUP_SYSTEM, out, err);
}

void allocator_close(struct allocator *allocator)
{
	if (!allocator)
		return;
	for (size_t i = 0; i < allocator->n_groups; i++)
		ranges_free(&allocator->group[i].free);
	free(allocator->group);
	ranges_free(&allocator->usable);
	ranges_free(&allocator->system);
	ranges_free(&allocator->reserved);
	ranges_free(&allocator->freed);
	free(allocator);
}

/* --- what there is ---------------------------------------------------------- */

size_t allocator_n_groups(const struct allocator *allocator)
{
	return allocator->n_groups;
}

const struct group *allocator_group(const struct allocator *allocator, size_t i)
{
	return &allocator->group[i].view;
}

const struct group *allocator_group_of(const struct allocator *allocator, uint64_t logical)
{
	const struct own_group *group = group_at(allocator, logical);

	return group ? &group->view : NULL;
}

static uint64_t n_blocks_in(const struct allocator *allocator, const struct ranges *set)
{
	uint64_t bytes = 0;

	for (size_t i = 0; i < set->n; i++)
		bytes += set->range[i].length;
	return bytes / allocator->volume->super.node_size;
}

uint64_t allocator_n_free_blocks(const struct allocator *allocator)
{
	return n_blocks_in(allocator, &allocator->usable);
}

uint64_t allocator_n_free_system_blocks(const struct allocator *allocator)
{
	return n_blocks_in(allocator, &allocator->system);
}

/* --- journals --------------------------------------------------------------- */

/* With parity, a range takes the rest of its rows as well: a write to it that is cut off must not matter to anything else. */
static bool take_whole_rows(const struct allocator *allocator, uint64_t *logical, uint64_t *length, struct error *err)
{
	uint64_t first, last, len;

	if (!volume_stripe_row(allocator->volume, *logical, &first, &len, err))
		return false;
	if (len <= allocator->volume->super.sector_size)
		return true;
	if (!volume_stripe_row(allocator->volume, *logical + *length - 1, &last, &len, err))
		return false;
	*logical = first;
	*length = last + len - first;
	return true;
}

bool allocator_reserve(struct allocator *allocator, uint64_t logical, uint64_t length, struct error *err)
{
	const uint32_t size = allocator->volume->super.node_size;
	const struct own_group *group = group_at(allocator, logical);
	uint64_t start;

	if (group && length > 0 && length <= group->view.length - (logical - group->view.logical) &&
	    !take_whole_rows(allocator, &logical, &length, err))
		return false;
	start = logical / size * size;
	if (!group || length == 0 || length > group->view.length || !ranges_contain(&group->free, logical, length) ||
	    volume_range_is_reserved(allocator->volume, logical, length))
		return error_set(err, ERROR_CORRUPT, "range %" PRIu64 " of %" PRIu64 " bytes is not free", logical, length);
	if (ranges_touch(&allocator->reserved, logical, length) || ranges_touch(&allocator->freed, logical, length))
		return error_set(err, ERROR_CORRUPT, "range %" PRIu64 " of %" PRIu64 " bytes is in use by this conversion",
				 logical, length);
	return ranges_subtract(&allocator->usable, start, round_up(logical + length, size) - start, err) &&
	       ranges_add(&allocator->reserved, logical, length, err);
}

/* Moves *at past any range of the set that overlaps [*at, +length). */
static bool step_over(const struct ranges *set, uint64_t *at, uint64_t length)
{
	const size_t i = ranges_find(set, *at);

	if (i == set->n || set->range[i].logical >= *at + length)
		return false;
	*at = set->range[i].logical + set->range[i].length;
	return true;
}

/* The first place from at on that a range may begin at: for a journal that of a whole row, if there is parity. UINT64_MAX: none. */
static uint64_t aligned(const struct allocator *allocator, uint64_t at, uint64_t alignment)
{
	const uint64_t next = round_up(at, alignment);
	uint64_t row, len;
	struct error outside;

	if (alignment != JOURNAL_ALIGNMENT)
		return next;
	if (!volume_stripe_row(allocator->volume, next, &row, &len, &outside))
		return UINT64_MAX;
	return row < next && len > allocator->volume->super.sector_size ? row + len : next;
}

static bool find_in_range(const struct allocator *allocator, const struct free_range *range, uint64_t length, uint64_t alignment, uint64_t *found)
{
	const uint64_t end = range->logical + range->length;
	uint64_t at = aligned(allocator, range->logical, alignment);

	while (at < end && end - at >= length) {
		uint64_t next = volume_skip_reserved(allocator->volume, at, length), first = at, whole = length;
		struct error outside;

		if (next == UINT64_MAX ||
		    (alignment == JOURNAL_ALIGNMENT && (!take_whole_rows(allocator, &first, &whole, &outside) || end - at < whole)))
			return false;
		if (next == at && !step_over(&allocator->reserved, &next, length) &&
		    !step_over(&allocator->freed, &next, length)) {
			*found = at;
			return true;
		}
		at = aligned(allocator, next, alignment);
	}
	return false;
}

static bool find_in_groups(const struct allocator *allocator, uint64_t type, uint64_t length, uint64_t *found)
{
	for (size_t i = 0; i < allocator->n_groups; i++) {
		const struct group *group = &allocator->group[i].view;

		if (!(group->flags & type) || (group->flags & GROUP_SYSTEM))
			continue;
		for (size_t k = 0; k < group->n_free; k++) {
			if (find_in_range(allocator, &group->free[k], length, JOURNAL_ALIGNMENT, found))
				return true;
		}
	}
	return false;
}

/* Finds n ranges of this length, or none. The ones already found are kept out of the way meanwhile. */
static bool find_all(struct allocator *allocator, unsigned n, uint64_t length, struct free_range *range, bool *all, struct error *err)
{
	unsigned n_found = 0;
	bool ok = true;

	while (ok && n_found < n) {
		uint64_t found;

		if (!find_in_groups(allocator, GROUP_DATA, length, &found) &&
		    !find_in_groups(allocator, GROUP_DATA | GROUP_METADATA, length, &found))
			break;
		ok = ranges_add(&allocator->reserved, found, length, err);
		if (ok)
			range[n_found++] = (struct free_range){ found, length };
	}
	*all = n_found == n;
	while (n_found > 0) {
		struct error failed;

		n_found--;
		if (!ranges_subtract(&allocator->reserved, range[n_found].logical, length, &failed)) {
			*err = failed;
			ok = false;
		}
	}
	return ok;
}

bool allocator_find_journals(struct allocator *allocator, unsigned n, uint64_t want, uint64_t least, struct free_range *range,
			     struct error *err)
{
	for (uint64_t length = want;; length = length / 2 / JOURNAL_ALIGNMENT * JOURNAL_ALIGNMENT) {
		bool all;

		if (length < least)
			length = least;
		if (!find_all(allocator, n, length, range, &all, err))
			return false;
		if (all)
			return true;
		if (length == least)
			break;
	}
	return error_set(err, ERROR_NO_SPACE, "no room for the journal: it takes %u free range%s of %" PRIu64 " KiB", n, plural(n), least / 1024);
}

/* --- data ------------------------------------------------------------------- */

static bool take_data_in(struct allocator *allocator, struct own_group *group, uint64_t length, uint64_t *logical, bool *found, struct error *err)
{
	const uint32_t size = allocator->volume->super.node_size;
	size_t k = 0;

	while (k < group->view.n_free &&
	       !find_in_range(allocator, &group->view.free[k], length, allocator->volume->super.sector_size, logical))
		k++;
	*found = k < group->view.n_free;
	if (!*found)
		return true;

	const uint64_t start = *logical / size * size;

	if (!ranges_subtract(&group->free, *logical, length, err) ||
	    (group_holds_metadata(&group->view) &&
	     !ranges_subtract(&allocator->usable, start, round_up(*logical + length, size) - start, err)))
		return false;
	group_show_free(group);
	group->view.used += length;
	return true;
}

bool allocator_take_data(struct allocator *allocator, uint64_t length, uint64_t *logical, bool *found, struct error *err)
{
	*found = false;
	for (size_t i = 0; i < allocator->n_groups && !*found; i++) {
		const size_t at = (allocator->data_group + i) % allocator->n_groups;

		if (!(allocator->group[at].view.flags & GROUP_DATA))
			continue;
		if (!take_data_in(allocator, &allocator->group[at], length, logical, found, err))
			return false;
		if (*found)
			allocator->data_group = at;
	}
	return true;
}

/* --- tree blocks ------------------------------------------------------------ */

static size_t largest(const struct ranges *set)
{
	size_t best = 0;

	for (size_t i = 1; i < set->n; i++) {
		if (set->range[i].length > set->range[best].length)
			best = i;
	}
	return best;
}

static bool take(struct allocator *allocator, struct ranges *set, uint64_t at, struct error *err)
{
	const uint32_t size = allocator->volume->super.node_size;
	struct own_group *group = group_at(allocator, at);

	if (!ranges_subtract(&group->free, at, size, err) || !ranges_subtract(set, at, size, err))
		return false;
	group_show_free(group);
	group->view.used += size;
	return true;
}

/* Does a row begin at this address, in a free range that ends at end, which is free as a whole? Or is there no parity? */
static bool row_begins(const struct allocator *allocator, uint64_t at, uint64_t end)
{
	uint64_t row, len;
	struct error outside;

	return volume_stripe_row(allocator->volume, at, &row, &len, &outside) &&
	       (len <= allocator->volume->super.sector_size || (row == at && len <= end - at));
}

/*
 * With parity, new blocks go to rows that were free as a whole, as long as there are any. Beside them is nothing then that was there before, and
 * would lose its parity if their writing were cut off before anybody knows of the conversion.
 */
static uint64_t prefer_row(const struct allocator *allocator, const struct ranges *set, size_t preferred)
{
	for (size_t n = 0; n < set->n; n++) {
		const struct free_range *range = &set->range[(preferred + n) % set->n];
		const uint64_t end = range->logical + range->length;
		uint64_t row, len, at;
		struct error outside;

		if (!volume_stripe_row(allocator->volume, range->logical, &row, &len, &outside))
			continue;
		at = row < range->logical ? row + len : range->logical;
		if (at < end && row_begins(allocator, at, end))
			return at;
	}
	return set->range[preferred].logical;
}

/* In the middle of a row it was decided at its beginning. */
static bool goes_on(const struct allocator *allocator, const struct free_range *range)
{
	uint64_t row, len;
	struct error outside;

	return range->logical == allocator->next &&
	       ((volume_stripe_row(allocator->volume, range->logical, &row, &len, &outside) && row < range->logical) ||
		row_begins(allocator, range->logical, range->logical + range->length));
}

bool allocator_take_block(struct allocator *allocator, uint64_t *logical, struct error *err)
{
	const uint32_t size = allocator->volume->super.node_size;
	struct ranges *usable = &allocator->usable;
	const size_t i = ranges_find(usable, allocator->next);

	if (usable->n == 0)
		return error_set(err, ERROR_NO_SPACE, "no room for another tree block of %u bytes", size);
	*logical = i < usable->n && goes_on(allocator, &usable->range[i]) ? usable->range[i].logical :
									      prefer_row(allocator, usable, largest(usable));
	allocator->next = *logical + size;
	return take(allocator, usable, *logical, err);
}

bool allocator_take_system_block(struct allocator *allocator, uint64_t *logical, struct error *err)
{
	if (allocator->system.n == 0)
		return error_set(err, ERROR_NO_SPACE, "no room for another block of the chunk tree in the system block groups");
	*logical = prefer_row(allocator, &allocator->system, 0);
	return take(allocator, &allocator->system, *logical, err);
}

/* If memory is short, the place simply stays unused. */
void allocator_give_back(struct allocator *allocator, uint64_t logical)
{
	const uint32_t size = allocator->volume->super.node_size;
	struct own_group *group = group_at(allocator, logical);
	struct ranges *set = usable_in(allocator, &group->view);
	struct error ignored;

	if (ranges_add(&group->free, logical, size, &ignored) && ranges_add(set, logical, size, &ignored) &&
	    set == &allocator->usable)
		allocator->next = logical;
	group_show_free(group);
	group->view.used -= size;
}

void allocator_truncate_groups(struct allocator *allocator, size_t n)
{
	while (allocator->n_groups > n) {
		struct own_group *group = &allocator->group[--allocator->n_groups];
		struct error ignored;
		/* At the end of the set this needs no memory. */
		const bool gone = ranges_subtract(&allocator->usable, group->view.logical, group->view.length, &ignored);

		assert(gone && group->view.used == 0);
		(void)gone;
		ranges_free(&group->free);
	}
}

bool allocator_expect_freed(struct allocator *allocator, uint64_t logical, size_t n, struct error *err)
{
	struct own_group *group = group_at(allocator, logical);

	if (!group)
		return error_set(err, ERROR_CORRUPT, "tree block %" PRIu64 " is in no block group", logical);
	if (!ranges_make_room(&group->free, n, err))
		return false;
	group_show_free(group);
	return ranges_make_room(&allocator->freed, n, err);
}

void allocator_note_freed(struct allocator *allocator, uint64_t logical)
{
	const uint32_t size = allocator->volume->super.node_size;
	struct own_group *group = group_at(allocator, logical);
	struct error err;
	const bool noted = ranges_add(&group->free, logical, size, &err) && ranges_add(&allocator->freed, logical, size, &err);

	assert(noted);	/* allocator_expect_freed() made room */
	(void)noted;
	group_show_free(group);
	group->view.used -= size;
}

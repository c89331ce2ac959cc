/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Free space as the extent tree says, and what of it may be taken. */
#include "common/tree/allocator.h"

#include <inttypes.h>
#include <stdlib.h>

#include "format/extent-item.h"

#define JOURNAL_ALIGNMENT	(64u << 10)
#define DATA_RANGES_MAX		64u	/* of one data group: the largest */

struct own_group {
	struct group view;	/* .free and .n_free follow `free` */
	struct ranges free;
};

struct allocator {
	struct volume *volume;
	struct own_group *group;	/* by address */
	size_t n_groups;
	struct ranges usable;		/* where tree blocks can be put: multiples of the node size, nothing reserved */
	struct ranges reserved;		/* by allocator_reserve() */
	struct ranges freed;		/* tree blocks freed since the allocator was opened */
	uint64_t next;			/* tree blocks are put side by side, as long as there is room */
};

static uint64_t round_up(uint64_t x, uint64_t to)
{
	return (x + to - 1) / to * to;
}

static void show_free(struct own_group *group)
{
	group->view.free = group->free.range;
	group->view.n_free = group->free.n;
}

/* Chunks do not wrap: the chunk map was checked. */
static uint64_t group_end(const struct group *group)
{
	return group->logical + group->length;
}

static bool holds_metadata(const struct group *group)
{
	return group->flags & GROUP_METADATA;
}

static struct own_group *group_at(const struct allocator *allocator, uint64_t logical)
{
	size_t low = 0, high = allocator->n_groups;

	while (low < high) {
		const size_t middle = low + (high - low) / 2;
		struct own_group *group = &allocator->group[middle];

		if (logical < group->view.logical)
			high = middle;
		else if (logical - group->view.logical >= group->view.length)
			low = middle + 1;
		else
			return group;
	}
	return NULL;
}

/* --- opening -------------------------------------------------------------- */

/* Each chunk has its block group: the chunk map says where to look. */
static bool read_groups(struct allocator *allocator, struct error *err)
{
	struct volume *volume = allocator->volume;
	const bool own_tree = volume->super.compat_ro & COMPAT_RO_BLOCK_GROUP_TREE;
	struct tree tree;

	if (!tree_open(volume, own_tree ? BLOCK_GROUP_TREE_ID : EXTENT_TREE_ID, &tree, err))
		return false;
	allocator->group = calloc(volume->n_chunks ? volume->n_chunks : 1, sizeof(*allocator->group));
	if (!allocator->group)
		return error_memory(err);

	for (size_t i = 0; i < volume->n_chunks; i++) {
		const struct chunk *chunk = &volume->chunks[i];
		const struct key key = { chunk->logical, KEY_BLOCK_GROUP_ITEM, chunk->length };
		cleanup_tree_iter struct tree_iter iter = { 0 };
		struct block_group item;
		bool found;

		if (!tree_find(&tree, &key, &iter, &found, err))
			return false;
		if (!found)
			return error_set(err, ERROR_CORRUPT, "chunk %" PRIu64 " of %" PRIu64 " bytes has no block group item",
					 chunk->logical, chunk->length);
		if (!block_group_read(&iter.item, &key, &item, err))
			return false;
		if (item.flags != chunk->type)
			return error_set(err, ERROR_CORRUPT, "block group %" PRIu64 ": flags are %#" PRIx64
					 ", the chunk's type is %#" PRIx64, chunk->logical, item.flags, chunk->type);
		allocator->group[allocator->n_groups++].view = (struct group){
			.logical = chunk->logical,
			.length = chunk->length,
			.used = item.used,
			.flags = item.flags,
		};
	}
	return true;
}

static void drop_smallest(struct ranges *set)
{
	size_t smallest = 0;

	for (size_t i = 1; i < set->n; i++) {
		if (set->range[i].length < set->range[smallest].length)
			smallest = i;
	}
	memmove(&set->range[smallest], &set->range[smallest + 1], (set->n - smallest - 1) * sizeof(*set->range));
	set->n--;
}

static bool note_gap(struct own_group *group, uint64_t from, uint64_t to, struct error *err)
{
	if (from == to)
		return true;
	if (!ranges_add(&group->free, from, to - from, err))
		return false;
	if (!holds_metadata(&group->view) && group->free.n > DATA_RANGES_MAX)
		drop_smallest(&group->free);
	return true;
}

/* Where the walk through the extent tree stands. */
struct walk {
	size_t i;		/* the group */
	uint64_t at;		/* everything before it is known */
	uint64_t used;		/* in the group so far */
};

static bool finish_group(struct allocator *allocator, struct walk *walk, struct error *err)
{
	struct own_group *group = &allocator->group[walk->i];

	if (!note_gap(group, walk->at, group_end(&group->view), err))
		return false;
	show_free(group);
	if (group->view.used != walk->used)
		return error_set(err, ERROR_CORRUPT, "block group %" PRIu64 ": %" PRIu64 " bytes used, its extents take %" PRIu64,
				 group->view.logical, group->view.used, walk->used);
	if (++walk->i < allocator->n_groups)
		walk->at = allocator->group[walk->i].view.logical;
	walk->used = 0;
	return true;
}

static bool walk_extent(struct allocator *allocator, struct walk *walk, uint64_t start, uint64_t len, struct error *err)
{
	const uint32_t sector = allocator->volume->super.sector_size;

	if (start % sector != 0 || len % sector != 0 || len == 0)
		return error_set(err, ERROR_CORRUPT, "extent item at %" PRIu64 ": %" PRIu64 " bytes, not whole sectors of %u",
				 start, len, sector);
	while (walk->i < allocator->n_groups && start >= group_end(&allocator->group[walk->i].view)) {
		if (!finish_group(allocator, walk, err))
			return false;
	}

	const struct group *group = walk->i < allocator->n_groups ? &allocator->group[walk->i].view : NULL;

	if (!group || start < group->logical || len > group_end(group) - start)
		return error_set(err, ERROR_CORRUPT, "extent item at %" PRIu64 ": %" PRIu64 " bytes, not inside one block group",
				 start, len);
	if (start < walk->at)
		return error_set(err, ERROR_CORRUPT, "extent item at %" PRIu64 ": the one before it ends at %" PRIu64, start,
				 walk->at);
	if (!note_gap(&allocator->group[walk->i], walk->at, start, err))
		return false;
	walk->at = start + len;
	walk->used += len;
	return true;
}

static bool read_extents(struct allocator *allocator, struct error *err)
{
	const struct key first = { 0 };
	cleanup_tree_iter struct tree_iter iter = { 0 };
	struct walk walk = { 0 };
	struct tree tree;

	if (allocator->n_groups > 0)
		walk.at = allocator->group[0].view.logical;
	if (!tree_open(allocator->volume, EXTENT_TREE_ID, &tree, err) || !tree_seek(&tree, &first, &iter, err))
		return false;
	while (iter.valid) {
		const bool skinny = iter.key.type == KEY_METADATA_ITEM;

		if ((skinny || iter.key.type == KEY_EXTENT_ITEM) &&
		    !walk_extent(allocator, &walk, iter.key.objectid,
				 skinny ? allocator->volume->super.node_size : iter.key.offset, err))
			return false;
		if (!tree_next(&iter, err))
			return false;
	}
	while (walk.i < allocator->n_groups) {
		if (!finish_group(allocator, &walk, err))
			return false;
	}
	return true;
}

/* The places for tree blocks in one free range. */
static bool note_usable(struct allocator *allocator, const struct free_range *range, struct error *err)
{
	const uint32_t size = allocator->volume->super.node_size;
	const uint64_t end = range->logical + range->length;
	uint64_t at = round_up(range->logical, size);

	if (at >= end)
		return true;
	if (!volume_range_is_reserved(allocator->volume, at, end - at)) {
		const uint64_t len = (end - at) / size * size;

		return len == 0 || ranges_add(&allocator->usable, at, len, err);
	}
	for (; at < end && end - at >= size; at += size) {
		if (!volume_range_is_reserved(allocator->volume, at, size) &&
		    !ranges_add(&allocator->usable, at, size, err))
			return false;
	}
	return true;
}

static bool find_usable(struct allocator *allocator, struct error *err)
{
	for (size_t i = 0; i < allocator->n_groups; i++) {
		const struct group *group = &allocator->group[i].view;

		if (!holds_metadata(group))
			continue;
		for (size_t k = 0; k < group->n_free; k++) {
			if (!note_usable(allocator, &group->free[k], err))
				return false;
		}
	}
	return true;
}

bool allocator_open(struct volume *volume, struct allocator **out, struct error *err)
{
	struct allocator *allocator = calloc(1, sizeof(*allocator));

	if (!allocator)
		return error_memory(err);
	allocator->volume = volume;
	if (!read_groups(allocator, err) || !read_extents(allocator, err) || !find_usable(allocator, err)) {
		allocator_close(allocator);
		return false;
	}
	*out = allocator;
	return true;
}

void allocator_close(struct allocator *allocator)
{
	if (!allocator)
		return;
	for (size_t i = 0; i < allocator->n_groups; i++)
		ranges_free(&allocator->group[i].free);
	free(allocator->group);
	ranges_free(&allocator->usable);
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

uint64_t allocator_n_free_blocks(const struct allocator *allocator)
{
	uint64_t bytes = 0;

	for (size_t i = 0; i < allocator->usable.n; i++)
		bytes += allocator->usable.range[i].length;
	return bytes / allocator->volume->super.node_size;
}

/* --- journals --------------------------------------------------------------- */

bool allocator_reserve(struct allocator *allocator, uint64_t logical, uint64_t length, struct error *err)
{
	const uint32_t size = allocator->volume->super.node_size;
	const struct own_group *group = group_at(allocator, logical);
	const uint64_t start = logical / size * size;

	if (!group || length == 0 || length > group->view.length || !ranges_contain(&group->free, logical, length) ||
	    volume_range_is_reserved(allocator->volume, logical, length))
		return error_set(err, ERROR_CORRUPT, "range %" PRIu64 " of %" PRIu64 " bytes is not free", logical, length);
	if (ranges_touch(&allocator->reserved, logical, length) || ranges_touch(&allocator->freed, logical, length))
		return error_set(err, ERROR_CORRUPT, "range %" PRIu64 " of %" PRIu64 " bytes is in use by this conversion",
				 logical, length);
	return ranges_subtract(&allocator->usable, start, round_up(logical + length, size) - start, err) &&
	       ranges_add(&allocator->reserved, logical, length, err);
}

/* Moves *at behind whatever of the set lies in [*at, +length). */
static bool step_over(const struct ranges *set, uint64_t *at, uint64_t length)
{
	const size_t i = ranges_find(set, *at);

	if (i == set->n || set->range[i].logical >= *at + length)
		return false;
	*at = set->range[i].logical + set->range[i].length;
	return true;
}

static bool find_in_range(const struct allocator *allocator, const struct free_range *range, uint64_t length, uint64_t *found)
{
	const uint64_t end = range->logical + range->length;
	uint64_t at = round_up(range->logical, JOURNAL_ALIGNMENT);

	while (at < end && end - at >= length) {
		uint64_t next = volume_skip_reserved(allocator->volume, at, length);

		if (next == UINT64_MAX)
			return false;
		if (next == at && !step_over(&allocator->reserved, &next, length) &&
		    !step_over(&allocator->freed, &next, length)) {
			*found = at;
			return true;
		}
		at = round_up(next, JOURNAL_ALIGNMENT);
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
			if (find_in_range(allocator, &group->free[k], length, found))
				return true;
		}
	}
	return false;
}

bool allocator_find_journal(struct allocator *allocator, uint64_t want, uint64_t least, struct free_range *range,
			    struct error *err)
{
	uint64_t length = want, found;

	while (true) {
		if (find_in_groups(allocator, GROUP_DATA, length, &found) ||
		    find_in_groups(allocator, GROUP_METADATA, length, &found)) {
			*range = (struct free_range){ found, length };
			return true;
		}
		if (length <= least)
			break;
		length = length / 2 > least ? length / 2 / JOURNAL_ALIGNMENT * JOURNAL_ALIGNMENT : least;
		if (length < least)
			length = least;
	}
	return error_set(err, ERROR_NO_SPACE, "no free range of %" PRIu64 " bytes for the journal", least);
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

bool allocator_take_block(struct allocator *allocator, uint64_t *logical, struct error *err)
{
	const uint32_t size = allocator->volume->super.node_size;
	const struct ranges *usable = &allocator->usable;
	size_t i = ranges_find(usable, allocator->next);

	if (usable->n == 0)
		return error_set(err, ERROR_NO_SPACE, "no room for another tree block of %u bytes", size);
	if (i == usable->n || usable->range[i].logical != allocator->next)
		i = largest(usable);

	const uint64_t at = usable->range[i].logical;
	struct own_group *group = group_at(allocator, at);

	if (!ranges_subtract(&group->free, at, size, err) || !ranges_subtract(&allocator->usable, at, size, err))
		return false;
	show_free(group);
	group->view.used += size;
	allocator->next = at + size;
	*logical = at;
	return true;
}

/* Where memory is short, the place is merely not used. */
void allocator_give_back(struct allocator *allocator, uint64_t logical)
{
	const uint32_t size = allocator->volume->super.node_size;
	struct own_group *group = group_at(allocator, logical);
	struct error ignored;

	if (ranges_add(&group->free, logical, size, &ignored) && ranges_add(&allocator->usable, logical, size, &ignored))
		allocator->next = logical;
	show_free(group);
	group->view.used -= size;
}

bool allocator_expect_freed(struct allocator *allocator, uint64_t logical, size_t n, struct error *err)
{
	struct own_group *group = group_at(allocator, logical);

	if (!group)
		return error_set(err, ERROR_CORRUPT, "tree block %" PRIu64 " is in no block group", logical);
	if (!ranges_make_room(&group->free, n, err))
		return false;
	show_free(group);
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
	show_free(group);
	group->view.used -= size;
}

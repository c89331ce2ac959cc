/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Reads block groups and extents. Whatever no extent takes is free. */
#include "common/tree/allocator-state.h"

#include <inttypes.h>
#include <stdlib.h>

#include "common/volume/mirror.h"
#include "format/extent-item.h"

#define DATA_RANGES_MAX 64u	/* the largest ranges of a data group */

/* Cannot wrap: the chunk map was checked. */
static uint64_t group_end(const struct group *group)
{
	return group->logical + group->length;
}

/* Each chunk has its block group, so the chunk map says where to look. */
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

		if (!(chunk->type & allocator->types))
			continue;

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
			return error_set(err, ERROR_CORRUPT, "block group %" PRIu64 ": flags are %#" PRIx64 ", but the chunk's type is %#" PRIx64,
					 chunk->logical, item.flags, chunk->type);
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

static bool note_gap(const struct allocator *allocator, struct own_group *group, uint64_t from, uint64_t to, struct error *err)
{
	if (from == to)
		return true;
	if (allocator->visit)
		return allocator->visit(allocator->context, &group->view, from, to - from, err);
	if (!ranges_add(&group->free, from, to - from, err))
		return false;
	if (!group_holds_metadata(&group->view) && group->free.n > DATA_RANGES_MAX)
		drop_smallest(&group->free);
	return true;
}

/* The position of the walk through the extent tree. */
struct walk {
	size_t i;		/* the group */
	uint64_t at;		/* everything before it is known */
	uint64_t used;		/* in the group so far */
};

static bool finish_group(struct allocator *allocator, struct walk *walk, struct error *err)
{
	struct own_group *group = &allocator->group[walk->i];

	if (!note_gap(allocator, group, walk->at, group_end(&group->view), err))
		return false;
	group_show_free(group);
	if (group->view.used != walk->used)
		return error_set(err, ERROR_CORRUPT, "block group %" PRIu64 ": %" PRIu64 " bytes used, but its extents take %" PRIu64,
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
	if (!note_gap(allocator, &allocator->group[walk->i], walk->at, start, err))
		return false;
	walk->at = start + len;
	walk->used += len;
	return true;
}

/* The extents from `from` on, and all groups that end by `end`. */
static bool read_extents_between(struct allocator *allocator, const struct tree *tree, uint64_t from, uint64_t end, struct walk *walk,
				 struct error *err)
{
	const struct key first = { from, 0, 0 };
	cleanup_tree_iter struct tree_iter iter = { 0 };

	if (!tree_seek(tree, &first, &iter, err))
		return false;
	while (iter.valid && iter.key.objectid < end) {
		const bool skinny = iter.key.type == KEY_METADATA_ITEM;

		if ((skinny || iter.key.type == KEY_EXTENT_ITEM) &&
		    !walk_extent(allocator, walk, iter.key.objectid,
				 skinny ? allocator->volume->super.node_size : iter.key.offset, err))
			return false;
		if (!tree_next(&iter, err))
			return false;
	}
	while (walk->i < allocator->n_groups && group_end(&allocator->group[walk->i].view) <= end) {
		if (!finish_group(allocator, walk, err))
			return false;
	}
	return true;
}

static bool read_extents(struct allocator *allocator, struct error *err)
{
	struct walk walk = { 0 };
	struct tree tree;

	if (allocator->n_groups > 0)
		walk.at = allocator->group[0].view.logical;
	if (!tree_open(allocator->volume, EXTENT_TREE_ID, &tree, err))
		return false;
	if (allocator->types == ALL_GROUPS)
		return read_extents_between(allocator, &tree, 0, UINT64_MAX, &walk, err);
	while (walk.i < allocator->n_groups) {
		const struct group *group = &allocator->group[walk.i].view;

		if (!read_extents_between(allocator, &tree, group->logical, group_end(group), &walk, err))
			return false;
	}
	return true;
}

/* Adds the places for tree blocks in one free range. */
static bool note_usable(struct allocator *allocator, const struct free_range *range, struct ranges *set, struct error *err)
{
	const uint32_t size = allocator->volume->super.node_size;
	const uint64_t end = range->logical + range->length;
	uint64_t at = round_up(range->logical, size);

	if (at >= end)
		return true;
	if (!volume_range_is_reserved(allocator->volume, at, end - at)) {
		const uint64_t len = (end - at) / size * size;

		return len == 0 || ranges_add(set, at, len, err);
	}
	for (; at < end && end - at >= size; at += size) {
		if (!volume_range_is_reserved(allocator->volume, at, size) &&
		    !ranges_add(set, at, size, err))
			return false;
	}
	return true;
}

static bool find_usable(struct allocator *allocator, struct error *err)
{
	for (size_t i = 0; i < allocator->n_groups; i++) {
		const struct group *group = &allocator->group[i].view;
		struct ranges *set = usable_in(allocator, group);

		for (size_t k = 0; set && k < group->n_free; k++) {
			if (!note_usable(allocator, &group->free[k], set, err))
				return false;
		}
	}
	return true;
}

bool allocator_add_group(struct allocator *allocator, const struct chunk *chunk, struct error *err)
{
	const size_t n = allocator->n_groups;
	const struct free_range all = { chunk->logical, chunk->length };
	struct own_group *group = reallocarray(allocator->group, n + 1, sizeof(*group));

	if (!group)
		return error_memory(err);
	allocator->group = group;
	assert(n == 0 || group_end(&group[n - 1].view) <= chunk->logical);
	group += n;
	*group = (struct own_group){ .view = { .logical = chunk->logical, .length = chunk->length, .flags = chunk->type } };
	if (!note_gap(allocator, group, all.logical, all.logical + all.length, err))
		return false;
	allocator->n_groups++;
	group_show_free(group);
	return note_usable(allocator, &all, usable_in(allocator, &group->view), err);
}

bool allocator_scan(struct allocator *allocator, struct error *err)
{
	return read_groups(allocator, err) && read_extents(allocator, err) && find_usable(allocator, err);
}

bool free_space_visit(struct volume *volume, uint64_t types, free_space_visitor *visit, void *context, struct error *err)
{
	struct allocator allocator = { .volume = volume, .types = types, .visit = visit, .context = context };
	const bool ok = read_groups(&allocator, err) && read_extents(&allocator, err);

	free(allocator.group);
	return ok;
}

bool free_space_bytes(struct volume *volume, uint64_t with, uint64_t without, uint64_t *bytes, struct error *err)
{
	struct allocator allocator = { .volume = volume, .types = with };
	const bool ok = read_groups(&allocator, err);

	*bytes = 0;
	for (size_t i = 0; ok && i < allocator.n_groups; i++) {
		const struct group *group = &allocator.group[i].view;

		if (!(group->flags & without) && group->used <= group->length)
			*bytes += group->length - group->used;
	}
	free(allocator.group);
	return ok;
}

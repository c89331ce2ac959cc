/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "common/convert/holes.h"

#include <inttypes.h>
#include <stdlib.h>

#include "common/volume/device-range.h"

#define BLOCKS_LEAST 64u	/* new tree blocks of a conversion that plans none: an item that grows may split a leaf */

struct file {
	uint64_t holes;			/* bytes */
	uint64_t data, data_end;	/* known to have no hole */
};

struct filling {
	struct conversion *c;
	const struct operation_places *places;
	enum { COUNT, FILL, GIVE_BACK } what;
	struct file *file;		/* for each device of the volume */
	uint64_t *block;		/* new tree blocks */
	size_t n_blocks;
};

static struct file *file_of(const struct filling *filling, const struct device *device)
{
	const struct volume *const volume = filling->c->volume;
	size_t i = 0;

	while (i + 1 < volume->n_devices && volume->devices[i].device != device)
		i++;
	return &filling->file[i];
}

static bool visit_hole(const struct filling *filling, struct device *device, uint64_t at, uint64_t len, struct error *err)
{
	switch (filling->what) {
	case COUNT:
		file_of(filling, device)->holes += len;
		return true;
	case FILL:
		return device_reserve(device, at, len, err);
	case GIVE_BACK:
		device_punch(device, at, len);
		return true;
	}
	return true;
}

static bool visit_range(void *context, const struct device_range *range, struct error *err)
{
	const struct filling *const filling = context;
	struct device *const device = range->device;
	const uint64_t end = range->physical + range->len;
	struct file *file;

	if (!device)
		return true;
	file = file_of(filling, device);
	for (uint64_t at = range->physical; at < end;) {
		if (at < file->data || at >= file->data_end) {
			file->data = at;
			file->data_end = device_next_hole(device, at);
		}
		if (file->data_end >= end)
			return true;

		const uint64_t hole = file->data_end, next = device_next_data(device, hole);

		at = next < end ? next : end;
		if (!visit_hole(filling, device, hole, at - hole, err))
			return false;
	}
	return true;
}

static bool visit_logical(struct filling *filling, uint64_t logical, uint64_t length, struct error *err)
{
	return length == 0 || device_ranges(filling->c->volume, logical, length, visit_range, filling, err);
}

/* Tree blocks are written in place, and a copy of an image may have holes in them, where they are zero. */
static bool visit_used(struct filling *filling, const struct group *group, struct error *err)
{
	uint64_t at = group->logical;

	for (size_t i = 0; i < group->n_free; i++) {
		if (!visit_logical(filling, at, group->free[i].logical - at, err))
			return false;
		at = group->free[i].logical + group->free[i].length;
	}
	return visit_logical(filling, at, group->logical + group->length - at, err);
}

static bool visit_trees(struct filling *filling, struct error *err)
{
	const struct allocator *const allocator = filling->c->allocator;
	bool ok = true;

	for (size_t i = 0; ok && i < allocator_n_groups(allocator); i++)
		if (allocator_group(allocator, i)->flags & (GROUP_METADATA | GROUP_SYSTEM))
			ok = visit_used(filling, allocator_group(allocator, i), err);
	return ok;
}

static bool visit_all(struct filling *filling, struct error *err)
{
	const struct conversion *const c = filling->c;
	bool ok;

	for (size_t i = 0; i < c->volume->n_devices; i++)
		filling->file[i] = (struct file){ .holes = filling->file[i].holes };
	ok = visit_logical(filling, filling->places->keys.logical, filling->places->keys.length, err);
	for (unsigned i = 0; ok && i < CRYPT_JOURNAL_SLOTS; i++)
		ok = visit_logical(filling, filling->places->slot[i].logical, filling->places->slot[i].length, err);
	for (size_t i = 0; ok && i < filling->n_blocks; i++)
		ok = visit_logical(filling, filling->block[i], c->volume->super.node_size, err);
	ok = ok && visit_trees(filling, err);
	for (size_t i = 0; ok && i < c->scan->n_extents; i++)
		ok = visit_logical(filling, c->scan->extent[i].logical, c->scan->extent[i].length, err);
	return ok;
}

/* Those that the conversion will take: it takes them in the same order. */
static bool find_blocks(struct filling *filling, struct error *err)
{
	struct allocator *const allocator = filling->c->allocator;
	const uint64_t planned = filling->c->plan->metadata_needed / filling->c->volume->super.node_size;
	const uint64_t wanted = planned > BLOCKS_LEAST ? planned : BLOCKS_LEAST, there = allocator_n_free_blocks(allocator);
	const size_t n = (size_t)(wanted < there ? wanted : there);
	bool ok;

	filling->block = calloc(n + 1, sizeof(*filling->block));
	ok = filling->block || error_memory(err);
	while (ok && filling->n_blocks < n) {
		ok = allocator_take_block(allocator, &filling->block[filling->n_blocks], err);
		filling->n_blocks += ok;
	}
	for (size_t i = filling->n_blocks; i-- > 0;)
		allocator_give_back(allocator, filling->block[i]);
	return ok;
}

static bool no_room(const struct device *device, uint64_t needed, struct error *err)
{
	error_set(err, ERROR_NO_SPACE, "%s: %" PRIu64 " bytes are written where the file has holes, its filesystem has room for %" PRIu64, device->name,
		  needed, device_room(device));
	return error_hint(err, "make room on the filesystem that holds the image; nothing was changed");
}

/* Each file is judged alone: of several on one filesystem, only filling tells. */
static bool check_rooms(struct filling *filling, struct error *err)
{
	const struct volume *const volume = filling->c->volume;

	filling->c->plan->growth_bytes = 0;
	for (size_t i = 0; i < volume->n_devices; i++) {
		const struct device *const device = volume->devices[i].device;
		const uint64_t holes = filling->file[i].holes;

		if (device && holes > device_room(device))
			return no_room(device, holes, err);
		if (device && !device->ops->reserve)
			filling->c->plan->growth_bytes += holes;
	}
	return true;
}

static bool fill(struct filling *filling, struct error *err)
{
	const struct volume *const volume = filling->c->volume;
	struct error ignored;

	filling->what = FILL;
	if (visit_all(filling, err))
		return true;
	filling->what = GIVE_BACK;
	(void)!visit_all(filling, &ignored);
	for (size_t i = 0; err->kind == ERROR_NO_SPACE && i < volume->n_devices; i++)
		if (filling->file[i].holes > 0 && volume->devices[i].device)
			return no_room(volume->devices[i].device, filling->file[i].holes, err);
	return false;
}

static bool run(struct conversion *c, const struct operation_places *places, bool fills, struct error *err)
{
	struct filling filling = { .c = c, .places = places, .file = calloc(c->volume->n_devices, sizeof(struct file)) };
	const bool ok = (filling.file || error_memory(err)) && find_blocks(&filling, err) && visit_all(&filling, err) &&
			check_rooms(&filling, err) && (!fills || fill(&filling, err));

	free(filling.file);
	free(filling.block);
	return ok;
}

bool holes_check(struct conversion *c, const struct operation_places *places, struct error *err)
{
	return run(c, places, false, err);
}

bool holes_fill(struct conversion *c, const struct operation_places *places, struct error *err)
{
	if (!run(c, places, true, err))
		return false;
	if (c->plan->growth_bytes > 0)
		conversion_note(c, "the image grows by up to %" PRIu64 " bytes where it has holes; whether there is room, nobody can tell before",
				c->plan->growth_bytes);
	return true;
}

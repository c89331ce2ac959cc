/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Finds gaps between the extents of each device. */
#include "common/tree/chunk-room.h"

#include <inttypes.h>
#include <stdlib.h>

#include "common/tree/tree.h"
#include "common/volume/stripe.h"

#define STRIPE_LEN	(64u << 10)

void chunk_room_free(struct chunk_room *room)
{
	for (size_t i = 0; i < room->n; i++)
		ranges_free(&room->device[i].gaps);
	free(room->device);
	*room = (struct chunk_room){ 0 };
}

/* --- the extents of a device -------------------------------------------------------------- */

static bool is_on(const struct chunk_stripe *stripe, const struct volume_device *device)
{
	return stripe->devid == device->devid && memcmp(stripe->dev_uuid, device->uuid, UUID_SIZE) == 0;
}

/* Checks one device extent: it must be a stripe of the chunk that it names. */
static bool check_extent(const struct volume *volume, const struct volume_device *device, uint64_t physical, struct cursor *item,
			 uint64_t *length, struct error *err)
{
	struct disk_dev_extent disk;
	const struct chunk *chunk;
	bool known = false;

	if (!cursor_read(item, &disk, sizeof(disk)) || item->left > 0)
		return error_set(err, ERROR_CORRUPT, "device extent at %" PRIu64 ": its item does not have %zu bytes", physical,
				 sizeof(disk));
	*length = le64(disk.length);
	if (!volume_chunk(volume, le64(disk.chunk_offset), &chunk, err))
		return error_prefix(err, "device extent at %" PRIu64, physical);
	for (unsigned i = 0; i < chunk->n_stripes; i++)
		known |= is_on(&chunk->stripe[i], device) && chunk->stripe[i].physical == physical;
	return (known && chunk->logical == le64(disk.chunk_offset) && stripe_length(chunk) == *length) ||
	       error_set(err, ERROR_CORRUPT, "device extent at %" PRIu64 ": %" PRIu64 " bytes of chunk %" PRIu64
			 ", which has no such stripe", physical, *length, le64(disk.chunk_offset));
}

static size_t count_stripes(const struct volume *volume, const struct volume_device *device)
{
	size_t n = 0;

	for (size_t i = 0; i < volume->n_chunks; i++)
		for (unsigned k = 0; k < volume->chunks[i].n_stripes; k++)
			n += is_on(&volume->chunks[i].stripe[k], device);
	return n;
}

/* Takes away what device extents have. */
static bool subtract_extents(struct volume *volume, struct device_room *room, struct error *err)
{
	const uint64_t devid = room->device->devid;
	const struct key first = { devid, KEY_DEV_EXTENT, 0 };
	const size_t n_stripes = count_stripes(volume, room->device);
	cleanup_tree_iter struct tree_iter iter = { 0 };
	struct tree tree;
	size_t n = 0;

	if (!tree_open(volume, DEV_TREE_ID, &tree, err) || !tree_seek(&tree, &first, &iter, err))
		return false;
	for (; iter.valid && iter.key.objectid == devid && iter.key.type == KEY_DEV_EXTENT; n++) {
		const uint64_t physical = iter.key.offset;
		uint64_t length = 0;

		/* The chunk map knows this stripe, so it lies inside the device. */
		if (!check_extent(volume, room->device, physical, &iter.item, &length, err) ||
		    !ranges_subtract(&room->gaps, physical, length, err) || !tree_next(&iter, err))
			return false;
	}
	return n == n_stripes ||
	       error_set(err, ERROR_CORRUPT, "device %" PRIu64 " has %zu extents, but its chunks have %zu stripes", devid, n, n_stripes);
}

/* --- gaps --------------------------------------------------------------------------------- */

static uint64_t gap_start(const struct free_range *gap)
{
	return (gap->logical + STRIPE_LEN - 1) / STRIPE_LEN * STRIPE_LEN;
}

static uint64_t gap_length(const struct free_range *gap)
{
	const uint64_t start = gap_start(gap), end = gap->logical + gap->length;

	return start < end ? end - start : 0;
}

static bool find_gaps(struct volume *volume, struct device_room *room, struct error *err)
{
	const uint64_t size = room->device->size, device_size = room->device->device->size;
	const uint64_t end = (size < device_size ? size : device_size) / STRIPE_LEN * STRIPE_LEN;

	if ((end > DEVICE_RESERVED && !ranges_add(&room->gaps, DEVICE_RESERVED, end - DEVICE_RESERVED, err)) ||
	    !subtract_extents(volume, room, err))
		return false;
	for (size_t i = 0; i < room->gaps.n; i++)
		room->total += gap_length(&room->gaps.range[i]);
	return true;
}

bool chunk_room_find(struct volume *volume, struct chunk_room *room, struct error *err)
{
	*room = (struct chunk_room){ .device = calloc(volume->n_devices, sizeof(*room->device)) };
	if (!room->device)
		return error_memory(err);
	for (size_t i = 0; i < volume->n_devices; i++) {
		const struct volume_device *device = &volume->devices[i];

		if (!device->device || device->is_seed || device->is_stale || !device->is_named)
			continue;
		room->device[room->n].device = device;
		if (!find_gaps(volume, &room->device[room->n++], err))
			return false;
	}
	return true;
}

uint64_t device_room_longest(const struct device_room *room, unsigned n_stripes)
{
	uint64_t first = 0, second = 0;

	for (size_t i = 0; i < room->gaps.n; i++) {
		const uint64_t length = gap_length(&room->gaps.range[i]);

		if (length > first) {
			second = first;
			first = length;
		} else if (length > second) {
			second = length;
		}
	}
	if (n_stripes == 1)
		return first / CHUNK_STEP * CHUNK_STEP;
	return (first / 2 > second ? first / 2 : second) / CHUNK_STEP * CHUNK_STEP;
}

bool device_room_take(struct device_room *room, uint64_t length, uint64_t *physical, struct error *err)
{
	struct ranges *const gaps = &room->gaps;
	size_t i = 0;

	while (i < gaps->n && gap_length(&gaps->range[i]) < length)
		i++;
	if (i == gaps->n)
		return error_set(err, ERROR_NO_SPACE, "no room for %" PRIu64 " bytes on devid %" PRIu64, length, room->device->devid);
	*physical = gap_start(&gaps->range[i]);
	room->total -= length;
	return ranges_subtract(gaps, *physical, length, err);
}

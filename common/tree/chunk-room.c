/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Finds gaps between device extents, and the largest chunks that fit into them. */
#include "common/tree/chunk-room.h"

#include <inttypes.h>
#include <stdlib.h>

#include "common/volume/mirror.h"

#define STRIPE_LEN	(64u << 10)
#define STEP		(1ull << 20)	/* the lengths of new chunks are multiples of this */
#define LENGTH_LEAST	(8ull << 20)	/* if there is that much */
#define LENGTH_MOST	(1ull << 30)
#define LOGICAL_MOST	(1ull << 62)	/* no chunk begins beyond this, so that sums do not wrap */

void chunk_plan_free(struct chunk_plan *plan)
{
	free(plan->chunk);
	free(plan->stripe);
	*plan = (struct chunk_plan){ 0 };
}

static uint64_t round_to(uint64_t x, uint64_t to)
{
	return (x + to - 1) / to * to;
}

/* --- what is free ---------------------------------------------------------------------- */

/* Checks one device extent: it must be a stripe of the chunk that it names. */
static bool check_extent(const struct volume *volume, uint64_t physical, struct cursor *item, uint64_t *length, struct error *err)
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
	for (unsigned i = 0; i < chunk_n_mirrors(chunk); i++)
		known |= chunk->stripe[i].physical == physical;
	return (known && chunk->logical == le64(disk.chunk_offset) && chunk->length == *length) ||
	       error_set(err, ERROR_CORRUPT, "device extent at %" PRIu64 ": %" PRIu64 " bytes of chunk %" PRIu64
			 ", which has no such stripe", physical, *length, le64(disk.chunk_offset));
}

static bool find_gaps(struct volume *volume, struct ranges *gaps, struct error *err)
{
	const struct superblock *super = &volume->super;
	const uint64_t device_size = volume->device->size, size = super->dev_total_bytes;
	const uint64_t end = (size < device_size ? size : device_size) / STRIPE_LEN * STRIPE_LEN;
	const struct key first = { super->devid, KEY_DEV_EXTENT, 0 };
	cleanup_tree_iter struct tree_iter iter = { 0 };
	size_t n_stripes = 0, n = 0;
	struct tree tree;

	if (end > DEVICE_RESERVED && !ranges_add(gaps, DEVICE_RESERVED, end - DEVICE_RESERVED, err))
		return false;
	for (size_t i = 0; i < volume->n_chunks; i++)
		n_stripes += chunk_n_mirrors(&volume->chunks[i]);
	if (!tree_open(volume, DEV_TREE_ID, &tree, err) || !tree_seek(&tree, &first, &iter, err))
		return false;
	for (; iter.valid && iter.key.objectid == super->devid && iter.key.type == KEY_DEV_EXTENT; n++) {
		const uint64_t physical = iter.key.offset;
		uint64_t length = 0;

		/* The chunk map knows this stripe, so it lies inside the device. */
		if (!check_extent(volume, physical, &iter.item, &length, err) || !ranges_subtract(gaps, physical, length, err) ||
		    !tree_next(&iter, err))
			return false;
	}
	return n == n_stripes ||
	       error_set(err, ERROR_CORRUPT, "device %" PRIu64 " has %zu extents, but its chunks have %zu stripes", super->devid, n, n_stripes);
}

/* --- what fits ------------------------------------------------------------------------- */

/* The part of a gap that chunks may use. */
static uint64_t gap_start(const struct free_range *gap)
{
	return round_to(gap->logical, STRIPE_LEN);
}

static uint64_t gap_length(const struct free_range *gap)
{
	const uint64_t start = gap_start(gap), end = gap->logical + gap->length;

	return start < end ? end - start : 0;
}

/* The longest chunk with this many stripes, one or two. */
static uint64_t longest(const struct ranges *gaps, unsigned n_stripes)
{
	uint64_t first = 0, second = 0;

	for (size_t i = 0; i < gaps->n; i++) {
		const uint64_t length = gap_length(&gaps->range[i]);

		if (length > first) {
			second = first;
			first = length;
		} else if (length > second) {
			second = length;
		}
	}
	if (n_stripes == 1)
		return first / STEP * STEP;
	return (first / 2 > second ? first / 2 : second) / STEP * STEP;
}

/* Puts a stripe into the first gap where it fits. */
static bool place_stripe(struct ranges *gaps, uint64_t length, uint64_t *physical, struct error *err)
{
	size_t i = 0;

	while (i < gaps->n && gap_length(&gaps->range[i]) < length)
		i++;
	if (i == gaps->n)
		return error_set(err, ERROR_NO_SPACE, "no room for %" PRIu64 " bytes on the device", length);
	*physical = gap_start(&gaps->range[i]);
	return ranges_subtract(gaps, *physical, length, err);
}

/* The most bytes of a chunk that tree blocks cannot use, because they touch a superblock copy on some mirror. */
static uint64_t n_reserved(const struct volume *volume, const struct chunk *chunk)
{
	uint64_t n = 0;

	for (unsigned mirror = 0; mirror < chunk->n_stripes; mirror++) {
		const uint64_t start = chunk->stripe[mirror].physical;

		for (unsigned i = 0; i < SUPER_COPIES; i++) {
			const uint64_t at = superblock_offset(i);

			if (at < start + chunk->length && start < at + SUPER_STRIPE)
				n += SUPER_STRIPE + 2 * (uint64_t)volume->super.node_size;
		}
	}
	return n;
}

/* --- the plan --------------------------------------------------------------------------- */

/* The profile of the existing metadata; of several, the one with the most copies. */
static uint64_t metadata_type(const struct allocator *allocator)
{
	uint64_t type = GROUP_METADATA;

	for (size_t i = 0; i < allocator_n_groups(allocator); i++) {
		const struct group *group = allocator_group(allocator, i);

		if ((group->flags & (GROUP_METADATA | GROUP_SYSTEM)) == GROUP_METADATA && group->used > 0 && (type & GROUP_PROFILE_MASK) == 0)
			type = group->flags;
	}
	return type;
}

/* The address behind the last existing or planned chunk. */
static uint64_t logical_end(const struct volume *volume, const struct chunk_plan *plan)
{
	const struct chunk *last = plan->n > 0 ? &plan->chunk[plan->n - 1] :
				   volume->n_chunks > 0 ? &volume->chunks[volume->n_chunks - 1] : NULL;

	return !last ? STEP : last->logical < LOGICAL_MOST ? round_to(last->logical + last->length, STRIPE_LEN) : UINT64_MAX;
}

static bool add_chunk(struct volume *volume, uint64_t type, uint64_t bytes, struct ranges *gaps, struct chunk_plan *plan, bool *full,
		      struct error *err)
{
	struct chunk *chunk = &plan->chunk[plan->n];
	const unsigned n_stripes = type & GROUP_DUP ? 2 : 1;
	const uint64_t most = longest(gaps, n_stripes), most_reserved = 2 * SUPER_COPIES * (SUPER_STRIPE + 2 * (uint64_t)NODE_SIZE_MAX);
	uint64_t want = bytes < LENGTH_MOST ? round_to(bytes + most_reserved, STEP) : LENGTH_MOST;

	want = want < LENGTH_LEAST ? LENGTH_LEAST : want > LENGTH_MOST ? LENGTH_MOST : want;
	*chunk = (struct chunk){
		.logical = logical_end(volume, plan),
		.length = want < most ? want : most,
		.type = type,
		.stripe_len = STRIPE_LEN,
		.n_stripes = n_stripes,
		.sub_stripes = 1,
		.stripe = plan->stripe[plan->n],
	};
	*full = chunk->length == 0 || chunk->logical > LOGICAL_MOST;
	for (unsigned i = 0; !*full && i < n_stripes; i++) {
		chunk->stripe[i].devid = volume->super.devid;
		memcpy(chunk->stripe[i].dev_uuid, volume->super.dev_uuid, UUID_SIZE);
		if (!place_stripe(gaps, chunk->length, &chunk->stripe[i].physical, err))
			return false;
	}
	if (*full)
		return true;

	const uint64_t reserved = n_reserved(volume, chunk);

	plan->n++;
	plan->length += chunk->length;
	plan->usable += reserved < chunk->length ? chunk->length - reserved : 0;
	return true;
}

bool chunk_plan_make(struct volume *volume, const struct allocator *allocator, uint64_t bytes, struct chunk_plan *plan,
		     struct error *err)
{
	const uint64_t type = metadata_type(allocator);
	struct ranges gaps = { 0 };
	bool full = false, ok;

	*plan = (struct chunk_plan){
		.chunk = calloc(CHUNKS_NEW_MAX, sizeof(*plan->chunk)),
		.stripe = calloc(CHUNKS_NEW_MAX, sizeof(*plan->stripe)),
	};
	ok = plan->chunk && plan->stripe ? find_gaps(volume, &gaps, err) : error_memory(err);
	while (ok && !full && plan->usable < bytes && plan->n < CHUNKS_NEW_MAX)
		ok = add_chunk(volume, type, bytes - plan->usable, &gaps, plan, &full, err);
	ranges_free(&gaps);
	return ok;
}

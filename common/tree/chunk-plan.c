/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Chooses devices for new chunks, and lays the chunks out. */
#include "common/tree/chunk-plan.h"

#include <stdlib.h>

#include "common/tree/chunk-room.h"
#include "common/tree/leaf.h"
#include "common/util/order.h"
#include "common/volume/device-extents.h"
#include "common/volume/stripe.h"

#define STRIPE_LEN	(64u << 10)
#define LENGTH_LEAST	(8ull << 20)	/* if there is that much */
#define LENGTH_MOST	(1ull << 30)
#define LOGICAL_MOST	(1ull << 62)	/* no chunk begins beyond this, so that sums do not wrap */

/* How a profile lies on devices. If there are several, a kernel makes new chunks of the first of them in this order. */
struct layout {
	uint64_t bit;			/* 0: single */
	unsigned devices_min, devices_max;	/* 0: as many as there are */
	unsigned devices_step;		/* the number of devices is a multiple */
	unsigned per_device;		/* stripes */
	unsigned sub_stripes;
};

static const struct layout layouts[] = {
	{ GROUP_RAID1C4, 4, 4, 4, 1, 1 },
	{ GROUP_RAID6, 3, 0, 1, 1, 1 },
	{ GROUP_RAID1C3, 3, 3, 3, 1, 1 },
	{ GROUP_RAID5, 2, 0, 1, 1, 1 },
	{ GROUP_RAID10, 2, 0, 2, 1, 2 },
	{ GROUP_RAID1, 2, 2, 2, 1, 1 },
	{ GROUP_DUP, 1, 1, 1, 2, 1 },
	{ GROUP_RAID0, 1, 0, 1, 1, 1 },
	{ 0, 1, 1, 1, 1, 1 },
};
#define N_LAYOUTS (sizeof(layouts) / sizeof(layouts[0]))

void chunk_plan_free(struct chunk_plan *plan)
{
	for (size_t i = 0; plan->chunk && i < CHUNKS_NEW_MAX; i++)
		free(plan->chunk[i].stripe);
	free(plan->chunk);
	*plan = (struct chunk_plan){ 0 };
}

static uint64_t round_to(uint64_t x, uint64_t to)
{
	return (x + to - 1) / to * to;
}

/* --- what is wanted ---------------------------------------------------------------------- */

/* Of the profiles that metadata, or data, have. A group that nothing uses was left behind by mkfs.btrfs. */
static const struct layout *layout_of(const struct allocator *allocator, uint64_t kind, uint64_t *type)
{
	size_t best = N_LAYOUTS;

	*type = kind;
	for (size_t i = 0; i < allocator_n_groups(allocator); i++) {
		const struct group *group = allocator_group(allocator, i);
		size_t k = 0;

		if ((group->flags & (kind | GROUP_SYSTEM)) != kind || group->used == 0)
			continue;
		while (k < N_LAYOUTS - 1 && layouts[k].bit != (group->flags & GROUP_PROFILE_MASK))
			k++;
		if (k < best) {
			best = k;
			*type = group->flags;
		}
	}
	return &layouts[best < N_LAYOUTS ? best : N_LAYOUTS - 1];
}

/* The address behind the last existing or planned chunk. */
static uint64_t logical_end(const struct volume *volume, const struct chunk_plan *plan)
{
	const struct chunk *last = plan->n > 0 ? &plan->chunk[plan->n - 1] :
				   volume->n_chunks > 0 ? &volume->chunks[volume->n_chunks - 1] : NULL;

	return !last ? CHUNK_STEP : last->logical < LOGICAL_MOST ? round_to(last->logical + last->length, STRIPE_LEN) : UINT64_MAX;
}

/*
 * The most that one superblock copy takes from tree blocks: its stripe, with parity the whole row, whatever other blocks would lie over its
 * edges.
 */
static uint64_t taken_by_super(const struct chunk *chunk, uint32_t node_size)
{
	return (stripe_n_parity(chunk) > 0 ? stripe_n_data(chunk) : 1) * (uint64_t)SUPER_STRIPE + 2 * (uint64_t)node_size;
}

/* The most bytes of a chunk that tree blocks cannot use, because they would touch a superblock copy on some device. */
static uint64_t n_reserved(const struct volume *volume, const struct chunk *chunk)
{
	const uint64_t length = stripe_length(chunk);
	uint64_t n = 0;

	for (unsigned i = 0; i < chunk->n_stripes; i++) {
		const uint64_t start = chunk->stripe[i].physical;

		for (unsigned k = 0; k < DEVICE_RESERVED_RANGES; k++) {
			const struct device_reserved *reserved = &device_reserved[k];

			if (reserved->at < start + length && start < reserved->at + reserved->len)
				n += taken_by_super(chunk, volume->super.node_size);
		}
	}
	return n;
}

/* --- the devices ------------------------------------------------------------------------- */

static int most_room_first(const void *a, const void *b)
{
	const struct device_room *x = a, *y = b;

	if (x->longest != y->longest)
		return ORDER(y->longest, x->longest);
	if (x->total != y->total)
		return ORDER(y->total, x->total);
	return ORDER(x->device->devid, y->device->devid);
}

/* Sorts the devices, and returns how many could have a stripe of a new chunk. */
static unsigned sort_devices(struct chunk_room *room, const struct layout *layout)
{
	unsigned n = 0;

	for (size_t i = 0; i < room->n; i++) {
		const uint64_t longest = device_room_longest(&room->device[i], layout->per_device);

		room->device[i].longest = longest < LENGTH_MOST ? longest : LENGTH_MOST;
		n += longest > 0;
	}
	qsort(room->device, room->n, sizeof(*room->device), most_room_first);
	return n;
}

/* The most stripes of one chunk: its item must fit into a leaf. */
static unsigned stripes_max(const struct volume *volume, const struct layout *layout)
{
	const size_t in_leaf = (leaf_payload_max(volume->super.node_size) - sizeof(struct disk_chunk)) / sizeof(struct disk_stripe);
	const bool has_parity = layout->bit & (GROUP_RAID5 | GROUP_RAID6);

	return has_parity && in_leaf > CHUNK_STRIPES_PARITY_MAX ? CHUNK_STRIPES_PARITY_MAX : (unsigned)in_leaf;
}

/* The length that a chunk with the stripes of *chunk should have so that tree blocks get the bytes. */
static uint64_t wanted_length(const struct chunk *chunk, uint64_t bytes)
{
	const unsigned n_data = stripe_n_data(chunk);
	/* At most one superblock copy lies in each of its stripes. */
	const uint64_t reserved = chunk->n_stripes * taken_by_super(chunk, NODE_SIZE_MAX);
	uint64_t length = bytes < LENGTH_MOST ? bytes + reserved : LENGTH_MOST, stripe;

	length = length < LENGTH_LEAST ? LENGTH_LEAST : length;
	stripe = round_to((length + n_data - 1) / n_data, CHUNK_STEP);
	if (stripe > CHUNK_STEP && stripe * n_data > LENGTH_MOST)
		stripe = LENGTH_MOST / n_data / CHUNK_STEP * CHUNK_STEP;
	return n_data * (stripe > CHUNK_STEP ? stripe : CHUNK_STEP);
}

/* Decides number and length of the stripes: the most devices with which the chunk is as long as wanted, or as long as possible. */
static void choose_shape(const struct volume *volume, const struct layout *layout, const struct chunk_room *room, unsigned n_devices,
			 uint64_t bytes, struct chunk *chunk)
{
	const unsigned limit = stripes_max(volume, layout) / layout->per_device;
	unsigned n = n_devices < limit ? n_devices : limit;

	n = layout->devices_max && n > layout->devices_max ? layout->devices_max : n;
	for (n -= n % layout->devices_step; n > 0 && n >= layout->devices_min; n -= layout->devices_step) {
		struct chunk shape = { .type = layout->bit, .n_stripes = n * layout->per_device, .sub_stripes = layout->sub_stripes };
		const uint64_t want = wanted_length(&shape, bytes), most = room->device[n - 1].longest * stripe_n_data(&shape);
		const uint64_t length = want < most ? want : most;

		if (length > chunk->length) {
			chunk->n_stripes = shape.n_stripes;
			chunk->length = length;
		}
		if (length == want)
			break;
	}
}

/* --- the plan ---------------------------------------------------------------------------- */

static bool place_stripes(struct chunk_room *room, const struct layout *layout, struct chunk *chunk, struct error *err)
{
	const uint64_t length = stripe_length(chunk);

	chunk->stripe = calloc(chunk->n_stripes, sizeof(*chunk->stripe));
	if (!chunk->stripe)
		return error_memory(err);
	for (unsigned i = 0; i < chunk->n_stripes; i++) {
		struct device_room *on = &room->device[i / layout->per_device];

		chunk->stripe[i].devid = on->device->devid;
		memcpy(chunk->stripe[i].dev_uuid, on->device->uuid, UUID_SIZE);
		if (!device_room_take(on, length, &chunk->stripe[i].physical, err))
			return false;
	}
	return true;
}

static bool add_chunk(const struct volume *volume, const struct layout *layout, uint64_t type, uint64_t bytes, struct chunk_room *room,
		      struct chunk_plan *plan, bool *full, struct error *err)
{
	struct chunk *chunk = &plan->chunk[plan->n];

	*chunk = (struct chunk){
		.logical = logical_end(volume, plan),
		.type = type,
		.stripe_len = STRIPE_LEN,
		.sub_stripes = layout->sub_stripes,
	};
	choose_shape(volume, layout, room, sort_devices(room, layout), bytes, chunk);
	*full = chunk->length == 0 || chunk->logical > LOGICAL_MOST;
	if (*full)
		return true;
	if (!place_stripes(room, layout, chunk, err))
		return false;

	const uint64_t reserved = n_reserved(volume, chunk);

	plan->n++;
	plan->length += chunk->length;
	*(type & GROUP_METADATA ? &plan->usable : &plan->usable_data) += reserved < chunk->length ? chunk->length - reserved : 0;
	return true;
}

bool chunk_plan_make_for(struct volume *volume, const struct allocator *allocator, const struct chunk_want *want, struct chunk_plan *plan,
			 struct error *err)
{
	cleanup_chunk_room struct chunk_room room = { 0 };
	const struct layout *metadata, *data;
	uint64_t metadata_type, data_type;
	bool full = false, ok;

	metadata = layout_of(allocator, GROUP_METADATA, &metadata_type);
	data = layout_of(allocator, GROUP_DATA, &data_type);

	/* Where both lie in the same groups, one chunk serves both. */
	const bool is_mixed = data_type & GROUP_METADATA;
	const uint64_t n_metadata = want->metadata + (is_mixed ? want->data : 0), n_data = is_mixed ? 0 : want->data;

	*plan = (struct chunk_plan){ .chunk = calloc(CHUNKS_NEW_MAX, sizeof(*plan->chunk)) };
	ok = plan->chunk ? chunk_room_find(volume, &room, err) : error_memory(err);
	while (ok && !full && plan->usable < n_metadata && plan->n < CHUNKS_NEW_MAX)
		ok = add_chunk(volume, metadata, metadata_type, n_metadata - plan->usable, &room, plan, &full, err);
	while (ok && !full && plan->usable_data < n_data && plan->n < CHUNKS_NEW_MAX)
		ok = add_chunk(volume, data, data_type, n_data - plan->usable_data, &room, plan, &full, err);
	if (is_mixed && plan->usable > want->metadata) {
		plan->usable_data = plan->usable - want->metadata;
		plan->usable = want->metadata;
	}
	return ok;
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Maps logical addresses to physical ones. */
#include "common/volume/chunk-map.h"

#include <inttypes.h>
#include <stdlib.h>

#include "common/util/array.h"
#include "common/util/lower-bound.h"
#include "common/volume/devices.h"
#include "common/volume/parity-row.h"
#include "common/volume/stripe.h"

/* Returns the index of the first chunk that ends behind logical, or n_chunks if there is none. */
static size_t first_ending_after(const struct volume *volume, uint64_t logical)
{
	const struct chunk *chunk = volume->chunks;

	return LOWER_BOUND(i, volume->n_chunks, logical >= chunk[i].logical && logical - chunk[i].logical >= chunk[i].length);
}

static bool same_chunk(const struct chunk *a, const struct chunk *b)
{
	if (a->logical != b->logical || a->length != b->length || a->type != b->type || a->n_stripes != b->n_stripes ||
	    a->sub_stripes != b->sub_stripes)
		return false;
	for (unsigned i = 0; i < a->n_stripes; i++)
		if (a->stripe[i].devid != b->stripe[i].devid || a->stripe[i].physical != b->stripe[i].physical)
			return false;
	return true;
}

/* Checks that the stripes lie inside their devices. A missing device has no bounds to check and is remembered. */
static bool check_stripes(struct volume *volume, const struct chunk *chunk, struct error *err)
{
	const uint64_t length = stripe_length(chunk);

	for (unsigned i = 0; i < chunk->n_stripes; i++) {
		const struct chunk_stripe *stripe = &chunk->stripe[i];
		const struct volume_device *device = volume_device_find(volume, stripe->devid, stripe->dev_uuid);

		if (!device && !volume_device_missing(volume, stripe->devid, stripe->dev_uuid, &device, err))
			return error_prefix(err, "chunk %" PRIu64 ": stripe %u", chunk->logical, i);
		if (stripe->physical % volume->super.sector_size != 0)
			return error_set(err, ERROR_CORRUPT, "chunk %" PRIu64 ": stripe %u is at %" PRIu64
					 ", not a multiple of the sector size %" PRIu32, chunk->logical, i, stripe->physical,
					 volume->super.sector_size);
		if (device->device && (stripe->physical > device->size || length > device->size - stripe->physical))
			return error_set(err, ERROR_CORRUPT, "chunk %" PRIu64 ": stripe %u is %" PRIu64 " bytes at %" PRIu64
					 ", the device has %" PRIu64, chunk->logical, i, length, stripe->physical, device->size);
	}
	return true;
}

/* Makes room for one more chunk. */
static bool make_room(struct volume *volume, unsigned n_stripes, struct error *err)
{
	if (volume->n_chunks >= CHUNKS_MAX)
		return error_set(err, ERROR_REFUSED, "the filesystem has more than %u chunks", CHUNKS_MAX);
	if (n_stripes > CHUNK_MAP_STRIPES_MAX - volume->n_stripes)
		return error_set(err, ERROR_REFUSED, "the chunks of the filesystem have more than %u stripes", CHUNK_MAP_STRIPES_MAX);
	return ARRAY_ROOM(volume->chunks, volume->n_chunks, volume->chunk_room, err);
}

bool chunk_map_add(struct volume *volume, const struct chunk *chunk, struct error *err)
{
	const size_t at = first_ending_after(volume, chunk->logical);

	if (at < volume->n_chunks) {
		const struct chunk *next = &volume->chunks[at];

		if (same_chunk(chunk, next))
			return true;
		if (next->logical < chunk->logical || next->logical - chunk->logical < chunk->length)
			return error_set(err, ERROR_CORRUPT, "chunk %" PRIu64 ": %" PRIu64 " bytes overlap chunk %" PRIu64
					 " of %" PRIu64 " bytes", chunk->logical, chunk->length, next->logical, next->length);
	}
	if (!check_stripes(volume, chunk, err) || !make_room(volume, chunk->n_stripes, err))
		return false;

	struct chunk_stripe *stripe = malloc(chunk->n_stripes * sizeof(*stripe));

	if (!stripe)
		return error_memory(err);
	memcpy(stripe, chunk->stripe, chunk->n_stripes * sizeof(*stripe));
	memmove(&volume->chunks[at + 1], &volume->chunks[at], (volume->n_chunks - at) * sizeof(*chunk));
	volume->chunks[at] = *chunk;
	volume->chunks[at].stripe = stripe;
	volume->n_chunks++;
	volume->n_stripes += chunk->n_stripes;
	return !volume->parity || parity_row_reserve(volume, err);
}

void chunk_map_truncate(struct volume *volume, size_t n)
{
	while (volume->n_chunks > n) {
		const struct chunk *last = &volume->chunks[--volume->n_chunks];

		volume->n_stripes -= last->n_stripes;
		free(last->stripe);
	}
}

void chunk_map_free(struct volume *volume)
{
	chunk_map_truncate(volume, 0);
	free(volume->chunks);
	volume->chunks = NULL;
	volume->chunk_room = 0;
}

static const struct chunk *find(const struct volume *volume, uint64_t logical)
{
	const size_t at = first_ending_after(volume, logical);

	if (at == volume->n_chunks || volume->chunks[at].logical > logical)
		return NULL;
	return &volume->chunks[at];
}

bool volume_chunk(const struct volume *volume, uint64_t logical, const struct chunk **chunk, struct error *err)
{
	*chunk = find(volume, logical);
	if (!*chunk)
		return error_set(err, ERROR_CORRUPT, "logical address %" PRIu64 " is in no chunk", logical);
	return true;
}

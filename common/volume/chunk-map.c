/* SPDX-License-Identifier: GPL-2.0-or-later */
/* From logical addresses to physical ones. */
#include "common/volume/chunk-map.h"

#include <inttypes.h>
#include <stdlib.h>

unsigned chunk_n_mirrors(const struct chunk *chunk)
{
	return chunk->type & GROUP_DUP ? 2 : 1;
}

uint64_t chunk_physical(const struct chunk *chunk, uint64_t logical, unsigned mirror)
{
	return chunk->stripe[mirror].physical + (logical - chunk->logical);
}

/* The one place that knows which device a stripe is on. */
static struct device *stripe_device(const struct volume *volume, const struct chunk_stripe *stripe)
{
	if (stripe->devid != volume->super.devid || memcmp(stripe->dev_uuid, volume->super.dev_uuid, UUID_SIZE) != 0)
		return NULL;
	return volume->device;
}

/* Index of the first chunk that ends behind logical; n_chunks where there is none. */
static size_t first_ending_after(const struct volume *volume, uint64_t logical)
{
	size_t low = 0, high = volume->n_chunks;

	while (low < high) {
		const size_t middle = low + (high - low) / 2;
		const struct chunk *chunk = &volume->chunks[middle];

		if (logical >= chunk->logical && logical - chunk->logical >= chunk->length)
			low = middle + 1;
		else if (logical >= chunk->logical)
			return middle;
		else
			high = middle;
	}
	return low;
}

static bool same_chunk(const struct chunk *a, const struct chunk *b)
{
	if (a->logical != b->logical || a->length != b->length || a->type != b->type || a->n_stripes != b->n_stripes)
		return false;
	for (unsigned i = 0; i < a->n_stripes; i++)
		if (a->stripe[i].devid != b->stripe[i].devid || a->stripe[i].physical != b->stripe[i].physical)
			return false;
	return true;
}

static bool check_stripes(const struct volume *volume, const struct chunk *chunk, struct error *err)
{
	char text[64];

	if (chunk->type & GROUP_PROFILE_MASK & ~GROUP_DUP)
		return error_set(err, ERROR_REFUSED, "chunk %" PRIu64 " has profile %s; this version reads single and DUP",
				 chunk->logical, chunk_type_text(chunk->type & GROUP_PROFILE_MASK, text));
	if (chunk->n_stripes != chunk_n_mirrors(chunk))
		return error_set(err, ERROR_CORRUPT, "chunk %" PRIu64 ": has %u stripes, its profile wants %u",
				 chunk->logical, chunk->n_stripes, chunk_n_mirrors(chunk));
	for (unsigned i = 0; i < chunk->n_stripes; i++) {
		const struct chunk_stripe *stripe = &chunk->stripe[i];
		const struct device *device = stripe_device(volume, stripe);

		if (!device)
			return error_set(err, ERROR_CORRUPT, "chunk %" PRIu64 ": stripe %u is on device %" PRIu64
					 ", which is not this one (%" PRIu64 ", or another uuid)",
					 chunk->logical, i, stripe->devid, volume->super.devid);
		if (stripe->physical % volume->super.sector_size != 0)
			return error_set(err, ERROR_CORRUPT, "chunk %" PRIu64 ": stripe %u is at %" PRIu64
					 ", not a multiple of the sector size %" PRIu32, chunk->logical, i, stripe->physical,
					 volume->super.sector_size);
		if (stripe->physical > device->size || chunk->length > device->size - stripe->physical)
			return error_set(err, ERROR_CORRUPT, "chunk %" PRIu64 ": stripe %u is %" PRIu64 " bytes at %" PRIu64
					 ", the device has %" PRIu64, chunk->logical, i, chunk->length, stripe->physical,
					 device->size);
	}
	return true;
}

/* Room for one more; doubles, so that n_chunks alone tells how much there is. */
static bool make_room(struct volume *volume, struct error *err)
{
	const size_t n = volume->n_chunks;

	if (n >= CHUNKS_MAX)
		return error_set(err, ERROR_REFUSED, "the filesystem has more than %u chunks", CHUNKS_MAX);
	if (n > 0 && (n < 8 || (n & (n - 1)) != 0))
		return true;

	struct chunk *more = realloc(volume->chunks, (n < 8 ? 8 : 2 * n) * sizeof(*more));

	if (!more)
		return error_memory(err);
	volume->chunks = more;
	return true;
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
	if (!check_stripes(volume, chunk, err) || !make_room(volume, err))
		return false;
	memmove(&volume->chunks[at + 1], &volume->chunks[at], (volume->n_chunks - at) * sizeof(*chunk));
	volume->chunks[at] = *chunk;
	volume->n_chunks++;
	return true;
}

void chunk_map_truncate(struct volume *volume, size_t n)
{
	if (n < volume->n_chunks)
		volume->n_chunks = n;
}

struct extent {
	uint64_t physical, length, logical;
};

static int compare_extents(const void *a, const void *b)
{
	const uint64_t x = ((const struct extent *)a)->physical, y = ((const struct extent *)b)->physical;

	return x < y ? -1 : x > y;
}

bool chunk_map_check_devices(const struct volume *volume, struct error *err)
{
	struct extent *extents = malloc((2 * volume->n_chunks + 1) * sizeof(*extents));
	size_t n = 0;
	bool ok = true;

	if (!extents)
		return error_memory(err);
	for (size_t i = 0; i < volume->n_chunks; i++) {
		const struct chunk *chunk = &volume->chunks[i];

		for (unsigned s = 0; s < chunk_n_mirrors(chunk); s++)
			extents[n++] = (struct extent){ chunk->stripe[s].physical, chunk->length, chunk->logical };
	}
	qsort(extents, n, sizeof(*extents), compare_extents);
	for (size_t i = 1; ok && i < n; i++)
		if (extents[i].physical - extents[i - 1].physical < extents[i - 1].length)
			ok = error_set(err, ERROR_CORRUPT, "chunk %" PRIu64 ": its stripe at %" PRIu64
				       " of the device overlaps one of chunk %" PRIu64, extents[i].logical,
				       extents[i].physical, extents[i - 1].logical);
	free(extents);
	return ok;
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

static bool is_inside(const struct chunk *chunk, uint64_t logical, uint64_t len)
{
	return len <= chunk->length - (logical - chunk->logical);
}

/* The chunk and, for the mirror, the device and physical address of a whole range. */
static bool map(const struct volume *volume, uint64_t logical, uint64_t len, unsigned mirror, struct device **device,
		uint64_t *physical, struct error *err)
{
	const struct chunk *chunk;

	if (!volume_chunk(volume, logical, &chunk, err))
		return false;
	if (!is_inside(chunk, logical, len))
		return error_set(err, ERROR_CORRUPT, "%" PRIu64 " bytes at logical address %" PRIu64
				 " go past the end of chunk %" PRIu64 " of %" PRIu64 " bytes", len, logical, chunk->logical,
				 chunk->length);
	if (mirror >= chunk_n_mirrors(chunk))
		return error_set(err, ERROR_CORRUPT, "logical address %" PRIu64 " has %u mirrors, not %u", logical,
				 chunk_n_mirrors(chunk), mirror + 1);
	*device = stripe_device(volume, &chunk->stripe[mirror]);
	*physical = chunk_physical(chunk, logical, mirror);
	return true;
}

bool volume_read(struct volume *volume, uint64_t logical, void *bytes, size_t len, unsigned mirror, struct error *err)
{
	struct device *device;
	uint64_t physical;

	return map(volume, logical, len, mirror, &device, &physical, err) && device_read(device, bytes, len, physical, err);
}

bool volume_write_mirror(struct volume *volume, uint64_t logical, const void *bytes, size_t len, unsigned mirror,
			 struct error *err)
{
	struct device *device;
	uint64_t physical;

	return map(volume, logical, len, mirror, &device, &physical, err) && device_write(device, bytes, len, physical, err);
}

bool volume_write(struct volume *volume, uint64_t logical, const void *bytes, size_t len, struct error *err)
{
	const struct chunk *chunk;

	if (!volume_chunk(volume, logical, &chunk, err))
		return false;
	for (unsigned mirror = 0; mirror < chunk_n_mirrors(chunk); mirror++)
		if (!volume_write_mirror(volume, logical, bytes, len, mirror, err))
			return false;
	return true;
}

/* The end of the reserved part of the device that [physical, +len) touches last, 0 where it touches none. */
static uint64_t reserved_end(uint64_t physical, uint64_t len)
{
	static const struct { uint64_t at, len; } reserved[] = {
		{ SUPER_OFFSET_2, SUPER_STRIPE },
		{ SUPER_OFFSET_1, SUPER_STRIPE },
		{ 0, DEVICE_RESERVED },		/* holds the primary */
	};

	for (size_t i = 0; i < sizeof(reserved) / sizeof(reserved[0]); i++)
		if (physical < reserved[i].at + reserved[i].len && (physical >= reserved[i].at || len > reserved[i].at - physical))
			return reserved[i].at + reserved[i].len;
	return 0;
}

/* How far to go so that no mirror of [logical, +len), inside chunk, is reserved; 0: it is fine where it is. */
static uint64_t reserved_step(const struct chunk *chunk, uint64_t logical, uint64_t len)
{
	uint64_t step = 0;

	for (unsigned mirror = 0; mirror < chunk_n_mirrors(chunk); mirror++) {
		const uint64_t physical = chunk_physical(chunk, logical, mirror);
		const uint64_t end = reserved_end(physical, len);

		if (end && end - physical > step)
			step = end - physical;
	}
	return step;
}

bool volume_range_is_reserved(const struct volume *volume, uint64_t logical, uint64_t len)
{
	const struct chunk *chunk = find(volume, logical);

	return !chunk || !is_inside(chunk, logical, len) || reserved_step(chunk, logical, len) != 0;
}

uint64_t volume_skip_reserved(const struct volume *volume, uint64_t logical, uint64_t len)
{
	const struct chunk *chunk = find(volume, logical);

	while (chunk && logical - chunk->logical < chunk->length && is_inside(chunk, logical, len)) {
		const uint64_t step = reserved_step(chunk, logical, len);

		if (step == 0)
			return logical;
		logical += step;
	}
	return UINT64_MAX;
}

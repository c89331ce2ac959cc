/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Reads the bytes at logical addresses: from mirrors, from stripes, and from stripes that are computed
 * from others. Also writes, where that is simple.
 */
#include "common/volume/mirror.h"

#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>

#include <isa-l/erasure_code.h>

#include "common/volume/device-range.h"
#include "common/volume/devices.h"
#include "common/volume/parity-write.h"
#include "common/volume/stripe-tree.h"
#include "common/volume/warn.h"

/* Finds the chunk that holds the whole range and has this mirror. */
static bool find_range(const struct volume *volume, uint64_t logical, uint64_t len, unsigned mirror, const struct chunk **chunk,
		       struct error *err)
{
	if (!volume_chunk(volume, logical, chunk, err))
		return false;
	if (len > (*chunk)->length - (logical - (*chunk)->logical))
		return error_set(err, ERROR_CORRUPT, "%" PRIu64 " bytes at logical address %" PRIu64
				 " go past the end of chunk %" PRIu64 " of %" PRIu64 " bytes", len, logical, (*chunk)->logical,
				 (*chunk)->length);
	if (mirror >= chunk_n_mirrors(*chunk))
		return error_set(err, ERROR_CORRUPT, "logical address %" PRIu64 " has %u mirrors, not %u", logical,
				 chunk_n_mirrors(*chunk), mirror + 1);
	return true;
}

static struct device *device_of(const struct volume *volume, const struct chunk_stripe *stripe)
{
	const struct volume_device *device = volume_device_find(volume, stripe->devid, stripe->dev_uuid);

	return device ? device->device : NULL;
}

static bool read_stripe(const struct volume *volume, const struct chunk_stripe *stripe, void *bytes, size_t len, uint64_t physical,
			struct error *err)
{
	struct device *device = device_of(volume, stripe);

	if (!device) {
		error_set(err, ERROR_CORRUPT, "devid %" PRIu64 " is missing", stripe->devid);
		return error_hint(err, "name it with --device");
	}
	return volume->past_caches ? device_read_medium(device, bytes, len, physical, err) : device_read(device, bytes, len, physical, err);
}

static bool make_row(struct volume *volume, size_t size, struct error *err)
{
	if (size > volume->row_size) {
		free(volume->row);
		volume->row_size = 0;
		volume->row = malloc(size);
		if (!volume->row)
			return error_memory(err);
		volume->row_size = size;
	}
	return true;
}

/* Computes at most one stripe, at one place of its row. */
static bool compute(struct volume *volume, const struct chunk *chunk, uint64_t logical, uint8_t *bytes, size_t len, unsigned mirror,
		    struct error *err)
{
	uint8_t tables[32 * CHUNK_STRIPES_PARITY_MAX], *source[CHUNK_STRIPES_PARITY_MAX];
	struct stripe_sum sum;

	stripe_sum(chunk, logical, mirror, &sum);
	if (!make_row(volume, sum.n * len, err))
		return false;
	for (unsigned k = 0; k < sum.n; k++) {
		const struct chunk_stripe *stripe = &chunk->stripe[sum.stripe[k]];

		source[k] = volume->row + k * len;
		if (!read_stripe(volume, stripe, source[k], len, stripe->physical + sum.offset, err))
			return false;
	}
	ec_init_tables((int)sum.n, 1, sum.factor, tables);
	ec_encode_data((int)len, (int)sum.n, 1, tables, source, &bytes);
	return true;
}

/* Returns how much of a range, which is not empty, lies together in one stripe. */
static size_t part_len(const struct volume *volume, const struct chunk *chunk, uint64_t logical, size_t len)
{
	struct stripe_place place;
	struct error unread;

	(void)!volume_place(volume, chunk, logical, 0, &place, &unread);
	return place.len < len ? (size_t)place.len : len;
}

static bool read_part(struct volume *volume, const struct chunk *chunk, uint64_t logical, uint8_t *bytes, size_t len, unsigned mirror,
		      struct error *err)
{
	struct stripe_place place;

	if (stripe_is_computed(chunk, mirror))
		return compute(volume, chunk, logical, bytes, len, mirror, err);
	if (!volume_place(volume, chunk, logical, mirror, &place, err))
		return false;
	return read_stripe(volume, &chunk->stripe[place.stripe], bytes, len, place.physical, err);
}

bool volume_read(struct volume *volume, uint64_t logical, void *bytes, size_t len, unsigned mirror, struct error *err)
{
	const struct chunk *chunk;
	uint8_t *to = bytes;

	if (!find_range(volume, logical, len, mirror, &chunk, err))
		return false;
	for (size_t n; len > 0; logical += n, to += n, len -= n) {
		n = part_len(volume, chunk, logical, len);
		if (!read_part(volume, chunk, logical, to, n, mirror, err))
			return false;
	}
	return true;
}

bool volume_read_medium(struct volume *volume, uint64_t logical, void *bytes, size_t len, unsigned mirror, struct error *err)
{
	volume->past_caches = true;

	const bool ok = volume_read(volume, logical, bytes, len, mirror, err);

	volume->past_caches = false;
	return ok;
}

/* Reads the first mirror of a part that can be read. */
static bool read_first(struct volume *volume, const struct chunk *chunk, uint64_t logical, uint8_t *bytes, size_t len,
		       struct error *err)
{
	const unsigned n_mirrors = chunk_n_mirrors(chunk);
	struct error other;

	if (read_part(volume, chunk, logical, bytes, len, 0, err))
		return true;
	for (unsigned mirror = 1; mirror < n_mirrors; mirror++)
		if (read_part(volume, chunk, logical, bytes, len, mirror, &other))
			return true;
	return false;
}

bool volume_read_any(struct volume *volume, uint64_t logical, void *bytes, size_t len, struct error *err)
{
	const size_t sector_size = volume->super.sector_size;
	const struct chunk *chunk;
	uint8_t *to = bytes;

	if (!find_range(volume, logical, len, 0, &chunk, err))
		return false;
	for (size_t n; len > 0; logical += n, to += n, len -= n) {
		n = part_len(volume, chunk, logical, len);
		if (read_first(volume, chunk, logical, to, n, err))
			continue;
		/* Two copies may be bad in different places, so read sector by sector. With a single copy that would not help. */
		if (n <= sector_size || chunk_n_mirrors(chunk) == 1)
			return false;
		n = sector_size;
		if (!read_first(volume, chunk, logical, to, n, err))
			return false;
	}
	return true;
}

bool volume_has_mirror(const struct volume *volume, uint64_t logical, size_t len, unsigned mirror)
{
	const struct chunk *chunk;
	struct stripe_sum sum;
	struct error unused;

	if (!find_range(volume, logical, len, mirror, &chunk, &unused))
		return true;
	for (size_t n; len > 0; logical += n, len -= n) {
		n = part_len(volume, chunk, logical, len);
		if (!stripe_is_computed(chunk, mirror)) {
			if (!device_of(volume, &chunk->stripe[stripe_place(chunk, logical, mirror).stripe]))
				return false;
			continue;
		}
		stripe_sum(chunk, logical, mirror, &sum);
		for (unsigned k = 0; k < sum.n; k++)
			if (!device_of(volume, &chunk->stripe[sum.stripe[k]]))
				return false;
	}
	return true;
}

const char *volume_mirror_text(const struct volume *volume, uint64_t logical, unsigned mirror, char *text)
{
	const struct chunk *chunk;
	struct stripe_place place;
	struct error unused;

	text[0] = '\0';
	if (!volume_chunk(volume, logical, &chunk, &unused) || mirror >= chunk_n_mirrors(chunk))
		return text;
	if (stripe_is_computed(chunk, mirror))
		return stripe_text(chunk, logical, mirror, text);
	if (volume_place(volume, chunk, logical, mirror, &place, &unused))
		snprintf(text, MIRROR_TEXT_SIZE, "devid %" PRIu64 ", physical %" PRIu64, chunk->stripe[place.stripe].devid, place.physical);
	else
		snprintf(text, MIRROR_TEXT_SIZE, "devid %" PRIu64 ", at an unknown place", chunk->stripe[place.stripe].devid);
	return text;
}

bool volume_n_mirrors(const struct volume *volume, uint64_t logical, unsigned *n, struct error *err)
{
	const struct chunk *chunk;

	*n = 0;
	if (!volume_chunk(volume, logical, &chunk, err))
		return false;
	*n = chunk_n_mirrors(chunk);
	return true;
}

struct writing {
	struct volume *volume;
	uint64_t logical;
	const uint8_t *bytes;	/* of logical */
};

/* Where devices may be missing, volume_devices_complete() has seen that there is another copy. */
static bool is_missing(const struct volume *volume, const struct device_range *range, struct error *err)
{
	return volume->is_degraded || error_set(err, ERROR_REFUSED, "devid %" PRIu64 " is missing", range->devid);
}

static bool write_range(void *context, const struct device_range *range, struct error *err)
{
	const struct writing *writing = context;

	return range->device ? device_write(range->device, writing->bytes + (range->logical - writing->logical), range->len, range->physical, err) :
			       is_missing(writing->volume, range, err);
}

bool volume_write(struct volume *volume, uint64_t logical, const void *bytes, size_t len, struct error *err)
{
	struct writing writing = { volume, logical, bytes };
	const struct chunk *chunk;

	if (!find_range(volume, logical, len, 0, &chunk, err))
		return false;
	return stripe_n_parity(chunk) > 0 ? parity_write(volume, chunk, logical, bytes, len, err) :
					    device_ranges(volume, logical, len, write_range, &writing, err);
}

static bool read_back_range(void *context, const struct device_range *range, struct error *err)
{
	const struct writing *writing = context;
	bool again;

	if (!range->device)
		return is_missing(writing->volume, range, err);
	if (!device_read_back(range->device, writing->bytes + (range->logical - writing->logical), range->len, range->physical, &again, err))
		return false;
	if (again)
		volume_warn(writing->volume, "%s: what was written at %#" PRIx64 " had not reached the device, or was changed, and was "
			    "written again", range->device->name, range->physical);
	return true;
}

bool volume_read_back(struct volume *volume, uint64_t logical, const void *bytes, size_t len, struct error *err)
{
	struct writing writing = { volume, logical, bytes };
	const struct chunk *chunk;

	if (!find_range(volume, logical, len, 0, &chunk, err))
		return false;
	return stripe_n_parity(chunk) > 0 ? parity_read_back(volume, chunk, logical, bytes, len, err) :
					    device_ranges(volume, logical, len, read_back_range, &writing, err);
}

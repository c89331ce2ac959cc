/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "common/volume/device-extents.h"

#include <inttypes.h>
#include <stdlib.h>

#include "common/util/order.h"
#include "common/volume/stripe.h"

const struct device_reserved device_reserved[DEVICE_RESERVED_RANGES] = {
	{ 0, DEVICE_RESERVED },
	{ SUPER_OFFSET_1, SUPER_STRIPE },
	{ SUPER_OFFSET_2, SUPER_STRIPE },
};

struct extent {
	uint64_t devid, physical, length, logical;
};

ORDER_BY_2(compare_extents, struct extent, devid, physical);

/* The stripes of all chunks by device and address; freed by the caller. */
static bool list_extents(const struct volume *volume, struct extent **list, size_t *n, struct error *err)
{
	struct extent *extents = malloc((volume->n_stripes + 1) * sizeof(*extents));

	if (!extents)
		return error_memory(err);
	*n = 0;
	for (size_t i = 0; i < volume->n_chunks; i++) {
		const struct chunk *chunk = &volume->chunks[i];

		for (unsigned s = 0; s < chunk->n_stripes; s++)
			extents[(*n)++] = (struct extent){ chunk->stripe[s].devid, chunk->stripe[s].physical, stripe_length(chunk),
							   chunk->logical };
	}
	qsort(extents, *n, sizeof(*extents), compare_extents);
	*list = extents;
	return true;
}

bool device_extents_check(const struct volume *volume, struct error *err)
{
	struct extent *extents;
	bool ok = true;
	size_t n;

	if (!list_extents(volume, &extents, &n, err))
		return false;
	for (size_t i = 1; ok && i < n; i++)
		if (extents[i].devid == extents[i - 1].devid &&
		    extents[i].physical - extents[i - 1].physical < extents[i - 1].length)
			ok = error_set(err, ERROR_CORRUPT, "chunk %" PRIu64 ": its stripe at %" PRIu64
				       " of the device overlaps one of chunk %" PRIu64, extents[i].logical,
				       extents[i].physical, extents[i - 1].logical);
	free(extents);
	return ok;
}

/* --- gaps -------------------------------------------------------------------------------------------------- */

struct gaps {
	struct device *device;
	uint64_t at;			/* everything before it was visited or is in use */
	unsigned reserved;		/* the next one */
	device_gap_visit *visit;
	void *context;
};

static bool gap_until(struct gaps *gaps, uint64_t end, struct error *err)
{
	const uint64_t at = gaps->at;

	return at >= end || gaps->visit(gaps->context, gaps->device, at, end - at, err);
}

static void in_use(struct gaps *gaps, uint64_t at, uint64_t len)
{
	if (gaps->at < at + len)
		gaps->at = at + len;
}

/* Up to `end`, around what is reserved. */
static bool visit_until(struct gaps *gaps, uint64_t end, struct error *err)
{
	for (; gaps->reserved < DEVICE_RESERVED_RANGES && device_reserved[gaps->reserved].at < end; gaps->reserved++) {
		if (!gap_until(gaps, device_reserved[gaps->reserved].at, err))
			return false;
		in_use(gaps, device_reserved[gaps->reserved].at, device_reserved[gaps->reserved].len);
	}
	return gap_until(gaps, end, err);
}

static bool device_gaps_of(const struct volume_device *device, const struct extent *extent, size_t n, struct gaps *gaps, struct error *err)
{
	const uint64_t end = device->size < device->device->size ? device->size : device->device->size;

	gaps->device = device->device;
	gaps->at = 0;
	gaps->reserved = 0;
	for (size_t i = 0; i < n; i++) {
		if (extent[i].devid != device->devid)
			continue;
		if (!visit_until(gaps, extent[i].physical < end ? extent[i].physical : end, err))
			return false;
		in_use(gaps, extent[i].physical, extent[i].length);
	}
	return visit_until(gaps, end, err);
}

bool device_gaps(const struct volume *volume, device_gap_visit *visit, void *context, struct error *err)
{
	struct gaps gaps = { .visit = visit, .context = context };
	struct extent *extents;
	bool ok = true;
	size_t n;

	if (!list_extents(volume, &extents, &n, err))
		return false;
	for (size_t i = 0; ok && i < volume->n_devices; i++) {
		const struct volume_device *device = &volume->devices[i];

		ok = !device->device || device->is_seed || device->is_stale || device_gaps_of(device, extents, n, &gaps, err);
	}
	free(extents);
	return ok;
}

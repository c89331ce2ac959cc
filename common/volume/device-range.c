/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Walks through a logical range and reports the places of its bytes on the devices. */
#include "common/volume/device-range.h"

#include "common/volume/devices.h"
#include "common/volume/mirror.h"
#include "common/volume/stripe-tree.h"

static bool visit_place(const struct volume *volume, const struct chunk *chunk, const struct stripe_place *place, struct device_range *range,
			device_range_visit *visit, void *context, struct error *err)
{
	const struct chunk_stripe *stripe = &chunk->stripe[place->stripe];
	const struct volume_device *device = volume_device_find(volume, stripe->devid, stripe->dev_uuid);

	range->device = device ? device->device : NULL;
	range->devid = stripe->devid;
	range->physical = place->physical;
	return visit(context, range, err);
}

/* place: where mirror 0 is */
static bool visit_piece(const struct volume *volume, const struct chunk *chunk, struct stripe_place place, struct device_range *range,
			device_range_visit *visit, void *context, struct error *err)
{
	/* Mirrors that are computed from parity have no place of their own. */
	for (unsigned mirror = 0; mirror < chunk_n_mirrors(chunk) && !stripe_is_computed(chunk, mirror); mirror++) {
		range->mirror = mirror;
		if (mirror > 0 && !volume_place(volume, chunk, range->logical, mirror, &place, err))
			return false;
		if (!visit_place(volume, chunk, &place, range, visit, context, err))
			return false;
	}
	for (unsigned parity = 1; parity <= stripe_n_parity(chunk); parity++) {
		range->mirror = 0;
		range->parity = parity;
		place = stripe_parity(chunk, range->logical, parity);
		if (!visit_place(volume, chunk, &place, range, visit, context, err))
			return false;
	}
	return true;
}

bool device_ranges(const struct volume *volume, uint64_t logical, uint64_t len, device_range_visit *visit, void *context,
		   struct error *err)
{
	while (len > 0) {
		const struct chunk *chunk;
		struct stripe_place first;

		if (!volume_chunk(volume, logical, &chunk, err) || !volume_place(volume, chunk, logical, 0, &first, err))
			return false;

		struct device_range range = { .logical = logical, .len = len < first.len ? len : first.len };

		if (!visit_piece(volume, chunk, first, &range, visit, context, err))
			return false;
		logical += range.len;
		len -= range.len;
	}
	return true;
}

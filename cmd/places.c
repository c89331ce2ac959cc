/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Goes through a logical range and tells the places of its bytes. */
#include "cmd/places.h"

#include "common/volume/stripe.h"

bool places(const struct volume *volume, uint64_t logical, uint64_t len, place_visit *visit, void *context, struct error *err)
{
	while (len > 0) {
		const struct chunk *chunk;

		if (!volume_chunk(volume, logical, &chunk, err))
			return false;

		const uint64_t left = stripe_place(chunk, logical, 0).len;
		const uint64_t n = len < left ? len : left;

		for (unsigned copy = 0; copy < chunk_n_mirrors(chunk); copy++) {
			const struct stripe_place at = stripe_place(chunk, logical, copy);
			const struct place place = { logical, n, copy, chunk->stripe[at.stripe].devid, at.physical };

			/* What parity gives back is nowhere by itself. */
			if (!stripe_is_computed(chunk, copy) && !visit(context, &place, err))
				return false;
		}
		logical += n;
		len -= n;
	}
	return true;
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Walks through a logical range and reports the places of its bytes. */
#include "cmd/places.h"

#include "common/volume/stripe-tree.h"

bool places(const struct volume *volume, uint64_t logical, uint64_t len, place_visit *visit, void *context, struct error *err)
{
	while (len > 0) {
		const struct chunk *chunk;
		struct stripe_place at;

		if (!volume_chunk(volume, logical, &chunk, err) || !volume_place(volume, chunk, logical, 0, &at, err))
			return false;

		const uint64_t n = len < at.len ? len : at.len;

		for (unsigned copy = 0; copy < chunk_n_mirrors(chunk); copy++) {
			/* Bytes that are rebuilt from parity have no place of their own. */
			if (stripe_is_computed(chunk, copy))
				break;
			if (!volume_place(volume, chunk, logical, copy, &at, err))
				return false;

			const struct place place = { logical, n, copy, chunk->stripe[at.stripe].devid, at.physical };

			if (!visit(context, &place, err))
				return false;
		}
		logical += n;
		len -= n;
	}
	return true;
}

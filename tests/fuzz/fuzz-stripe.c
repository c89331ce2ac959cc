/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Any chunk that reads: every way to read every part of it stays among its stripes, and within what it takes of them. */
#include "tests/fuzz/fuzz.h"

#include <stdlib.h>

#include "common/volume/mirror.h"
#include "common/volume/stripe.h"

#define LOGICAL 0x1500000ull

static void look_at(const struct chunk *chunk, uint64_t offset)
{
	const uint64_t length = stripe_length(chunk);
	struct stripe_sum sum;
	char text[MIRROR_TEXT_SIZE];

	for (unsigned mirror = 0; mirror < chunk_n_mirrors(chunk); mirror++) {
		const struct stripe_place place = stripe_place(chunk, chunk->logical + offset, mirror);
		const uint64_t at = place.physical - chunk->stripe[place.stripe].physical;

		if (place.stripe >= chunk->n_stripes || place.len == 0 || place.len > chunk->length - offset || at >= length ||
		    place.len > length - at)
			abort();
		stripe_text(chunk, chunk->logical + offset, mirror, text);
		if (!stripe_is_computed(chunk, mirror))
			continue;
		stripe_sum(chunk, chunk->logical + offset, mirror, &sum);
		if (sum.n == 0 || sum.n >= chunk->n_stripes || sum.offset >= length || place.len > length - sum.offset)
			abort();
		for (unsigned k = 0; k < sum.n; k++)
			if (sum.stripe[k] >= chunk->n_stripes || sum.stripe[k] == place.stripe || sum.factor[k] == 0)
				abort();
	}
}

static struct chunk_stripe room[CHUNK_STRIPES_MAX];

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	struct cursor input = { bytes, len, 0 };
	struct error err = { 0 };
	struct chunk chunk;
	uint64_t offset = 0;

	if (!cursor_read(&input, &offset, sizeof(offset)) || !chunk_read(&input, LOGICAL, 4096, room, &chunk, &err))
		return 0;
	look_at(&chunk, 0);
	look_at(&chunk, offset % chunk.length);
	look_at(&chunk, chunk.length - 1);
	return 0;
}

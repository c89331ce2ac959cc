/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Which logical addresses lie over superblocks, or in the first MiB of a device. */
#include "common/volume/device-extents.h"
#include "common/volume/mirror.h"
#include "common/volume/stripe.h"

/* A range of a chunk that is to be used, and how far what is reserved in it goes. */
struct search {
	const struct chunk *chunk;
	uint64_t from, to;	/* behind chunk->logical */
	uint64_t end;		/* of a reserved part that it touches; 0: none */
};

static void found(struct search *search, uint64_t from, uint64_t to)
{
	if (from < search->to && to > search->from)
		search->end = to;
}

/* [from, to) of one row on stripe i is reserved. With parity, whoever writes anywhere in the row writes there as well. */
static void found_in_row(struct search *search, unsigned i, uint64_t row, uint64_t from, uint64_t to)
{
	const struct chunk *const chunk = search->chunk;
	const uint64_t n_data = stripe_n_data(chunk);
	const unsigned data = chunk->type & GROUP_RAID10 ? i / chunk->sub_stripes : i;

	if (stripe_n_parity(chunk) > 0)
		found(search, row * n_data * chunk->stripe_len, (row + 1) * n_data * chunk->stripe_len);
	else
		found(search, (row * n_data + data) * chunk->stripe_len + from, (row * n_data + data) * chunk->stripe_len + to);
}

/* [from, to) of stripe i is reserved. */
static void found_on_stripe(struct search *search, unsigned i, uint64_t from, uint64_t to)
{
	const struct chunk *const chunk = search->chunk;
	const uint64_t len = chunk->stripe_len;

	if (stripe_n_data(chunk) == 1 && stripe_n_parity(chunk) == 0) {
		found(search, from, to);
		return;
	}
	for (uint64_t n; from < to; from += n) {
		const uint64_t within = from % len;

		n = len - within < to - from ? len - within : to - from;
		found_in_row(search, i, from / len, within, within + n);
	}
}

/* The end of something that is reserved in [logical, +len), inside the chunk; 0: nothing is. */
static uint64_t reserved_end(const struct chunk *chunk, uint64_t logical, uint64_t len)
{
	struct search search = { chunk, logical - chunk->logical, logical - chunk->logical + len, 0 };
	const uint64_t length = stripe_length(chunk);

	for (unsigned i = 0; i < chunk->n_stripes; i++) {
		const uint64_t start = chunk->stripe[i].physical, end = start + length;

		for (unsigned k = 0; k < DEVICE_RESERVED_RANGES; k++) {
			const uint64_t at = device_reserved[k].at, at_end = at + device_reserved[k].len;

			if (at < end && start < at_end)
				found_on_stripe(&search, i, at > start ? at - start : 0, (at_end < end ? at_end : end) - start);
		}
	}
	return search.end > 0 ? chunk->logical + search.end : 0;
}

static bool is_inside(const struct chunk *chunk, uint64_t logical, uint64_t len)
{
	return logical - chunk->logical < chunk->length && len <= chunk->length - (logical - chunk->logical);
}

bool volume_range_is_reserved(const struct volume *volume, uint64_t logical, uint64_t len)
{
	const struct chunk *chunk;
	struct error unknown;

	return !volume_chunk(volume, logical, &chunk, &unknown) || !is_inside(chunk, logical, len) || reserved_end(chunk, logical, len) != 0;
}

uint64_t volume_skip_reserved(const struct volume *volume, uint64_t logical, uint64_t len)
{
	const struct chunk *chunk;
	struct error unknown;

	if (!volume_chunk(volume, logical, &chunk, &unknown))
		return UINT64_MAX;
	while (is_inside(chunk, logical, len)) {
		const uint64_t end = reserved_end(chunk, logical, len);

		if (end == 0)
			return logical;
		logical = end;
	}
	return UINT64_MAX;
}

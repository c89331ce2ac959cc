/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Computes where the RAID profiles put data. */
#include "common/volume/stripe.h"

#include <inttypes.h>
#include <stdio.h>

#include <isa-l/erasure_code.h>

#include "common/volume/mirror.h"


#define STRIPED (GROUP_RAID0 | GROUP_RAID10 | GROUP_RAID5 | GROUP_RAID6)

/* The ways to read a stripe of RAID6 before those that leave out a second data stripe. */
enum { DIRECT, FROM_P, FROM_Q, FROM_BOTH };

unsigned stripe_n_parity(const struct chunk *chunk)
{
	return chunk->type & GROUP_RAID6 ? 2 : chunk->type & GROUP_RAID5 ? 1 : 0;
}

static unsigned n_data(const struct chunk *chunk)
{
	if (!(chunk->type & STRIPED))
		return 1;
	if (chunk->type & GROUP_RAID10)
		return chunk->n_stripes / chunk->sub_stripes;
	return chunk->n_stripes - stripe_n_parity(chunk);
}

unsigned stripe_n_data(const struct chunk *chunk)
{
	return n_data(chunk);
}

unsigned chunk_n_mirrors(const struct chunk *chunk)
{
	switch (chunk->type & GROUP_PROFILE_MASK) {
	case GROUP_DUP:
	case GROUP_RAID1:
	case GROUP_RAID1C3:
	case GROUP_RAID1C4:
		return chunk->n_stripes;
	case GROUP_RAID10:
		return chunk->sub_stripes;
	case GROUP_RAID5:
		return 2;
	case GROUP_RAID6:
		return FROM_BOTH + n_data(chunk) - 1;
	default:
		return 1;
	}
}

uint64_t stripe_length(const struct chunk *chunk)
{
	if (!(chunk->type & STRIPED))
		return chunk->length;
	return ((chunk->length - 1) / chunk->stripe_len / n_data(chunk) + 1) * chunk->stripe_len;
}

bool stripe_is_computed(const struct chunk *chunk, unsigned mirror)
{
	return stripe_n_parity(chunk) > 0 && mirror > DIRECT;
}

/* A place in the rows of a striped chunk. */
struct row {
	uint64_t number;
	unsigned data;		/* index among the data stripes of the row */
	uint64_t within;	/* offset in that stripe */
};

static struct row row_of(const struct chunk *chunk, uint64_t logical)
{
	const uint64_t offset = logical - chunk->logical, stripe = offset / chunk->stripe_len;

	return (struct row){ stripe / n_data(chunk), (unsigned)(stripe % n_data(chunk)), offset % chunk->stripe_len };
}

/* Parity moves by one stripe in each row. Returns the stripe that takes the part of stripe i. */
static unsigned rotated(const struct chunk *chunk, const struct row *row, unsigned i)
{
	return (unsigned)((row->number + i) % chunk->n_stripes);
}

struct stripe_place stripe_place(const struct chunk *chunk, uint64_t logical, unsigned mirror)
{
	const uint64_t offset = logical - chunk->logical, left = chunk->length - offset;

	if (!(chunk->type & STRIPED))
		return (struct stripe_place){ mirror, chunk->stripe[mirror].physical + offset, left };

	const struct row row = row_of(chunk, logical);
	const uint64_t in_stripe = chunk->stripe_len - row.within;
	const unsigned stripe = chunk->type & GROUP_RAID10 ? row.data * chunk->sub_stripes + mirror :
				stripe_n_parity(chunk) > 0 ? rotated(chunk, &row, row.data) : row.data;

	return (struct stripe_place){
		.stripe = stripe,
		.physical = chunk->stripe[stripe].physical + row.number * chunk->stripe_len + row.within,
		.len = in_stripe < left ? in_stripe : left,
	};
}

struct stripe_place stripe_parity(const struct chunk *chunk, uint64_t logical, unsigned parity)
{
	const struct row row = row_of(chunk, logical);
	const unsigned stripe = rotated(chunk, &row, n_data(chunk) + parity - 1);

	return (struct stripe_place){
		.stripe = stripe,
		.physical = chunk->stripe[stripe].physical + row.number * chunk->stripe_len + row.within,
		.len = chunk->stripe_len - row.within,
	};
}

uint64_t chunk_physical(const struct chunk *chunk, uint64_t logical, unsigned mirror)
{
	return stripe_place(chunk, logical, mirror).physical;
}

struct stripe_row stripe_row(const struct chunk *chunk, uint64_t logical)
{
	const uint64_t number = row_of(chunk, logical).number;

	return (struct stripe_row){
		.number = number,
		.logical = chunk->logical + number * n_data(chunk) * chunk->stripe_len,
		.offset = number * chunk->stripe_len,
		.n_data = n_data(chunk),
		.n_parity = stripe_n_parity(chunk),
	};
}

unsigned stripe_of_row(const struct chunk *chunk, const struct stripe_row *row, unsigned i)
{
	return rotated(chunk, &(struct row){ .number = row->number }, i);
}

unsigned stripe_in_row(const struct chunk *chunk, const struct stripe_row *row, unsigned stripe)
{
	return (unsigned)((stripe + chunk->n_stripes - row->number % chunk->n_stripes) % chunk->n_stripes);
}

/* 2 to the power of i. */
uint8_t stripe_weight(unsigned i)
{
	uint8_t w = 1;

	while (i-- > 0)
		w = gf_mul(w, 2);
	return w;
}

/* Returns the second data stripe that a mirror of RAID6 leaves out. */
static unsigned left_out(const struct row *row, unsigned mirror)
{
	const unsigned i = mirror - FROM_BOTH;

	return i < row->data ? i : i + 1;
}

static void add_term(struct stripe_sum *sum, unsigned stripe, uint8_t factor)
{
	sum->stripe[sum->n] = stripe;
	sum->factor[sum->n++] = factor;
}

/*
 * P is the sum of all data D, Q that of all weight w times D.  Without D_t, the wanted one:
 *	from P	D_t = P + sum D_i			from Q	D_t = (Q + sum w_i D_i) / w_t
 * and without D_x as well, from both:	D_t = (w_x (P + sum D_i) + Q + sum w_i D_i) / (w_x + w_t)
 */
void stripe_sum(const struct chunk *chunk, uint64_t logical, unsigned mirror, struct stripe_sum *sum)
{
	const struct row row = row_of(chunk, logical);
	const unsigned data = n_data(chunk);
	const uint8_t w_t = stripe_weight(row.data);

	*sum = (struct stripe_sum){ .offset = row.number * chunk->stripe_len + row.within };
	if (mirror == FROM_P) {
		for (unsigned i = 0; i < data; i++)
			if (i != row.data)
				add_term(sum, rotated(chunk, &row, i), 1);
		add_term(sum, rotated(chunk, &row, data), 1);
	} else if (mirror == FROM_Q) {
		for (unsigned i = 0; i < data; i++)
			if (i != row.data)
				add_term(sum, rotated(chunk, &row, i), gf_mul(stripe_weight(i), gf_inv(w_t)));
		add_term(sum, rotated(chunk, &row, data + 1), gf_inv(w_t));
	} else {
		const unsigned x = left_out(&row, mirror);
		const uint8_t w_x = stripe_weight(x), share = gf_inv(w_x ^ w_t);

		for (unsigned i = 0; i < data; i++)
			if (i != row.data && i != x)
				add_term(sum, rotated(chunk, &row, i), gf_mul(share, w_x ^ stripe_weight(i)));
		add_term(sum, rotated(chunk, &row, data), gf_mul(share, w_x));
		add_term(sum, rotated(chunk, &row, data + 1), share);
	}
}

const char *stripe_text(const struct chunk *chunk, uint64_t logical, unsigned mirror, char text[MIRROR_TEXT_SIZE])
{
	const struct stripe_place place = stripe_place(chunk, logical, mirror);
	const uint64_t devid = chunk->stripe[place.stripe].devid;

	if (!stripe_is_computed(chunk, mirror)) {
		snprintf(text, MIRROR_TEXT_SIZE, "devid %" PRIu64 ", physical %" PRIu64, devid, place.physical);
	} else if (mirror < FROM_BOTH) {
		snprintf(text, MIRROR_TEXT_SIZE, "computed from %s, without devid %" PRIu64,
			 stripe_n_parity(chunk) == 1 ? "parity" : mirror == FROM_P ? "parity P" : "parity Q", devid);
	} else {
		const struct row row = row_of(chunk, logical);
		const unsigned x = rotated(chunk, &row, left_out(&row, mirror));

		snprintf(text, MIRROR_TEXT_SIZE, "computed from both parities, without devid %" PRIu64 " and devid %" PRIu64, devid,
			 chunk->stripe[x].devid);
	}
	return text;
}

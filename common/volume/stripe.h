/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Where the bytes of a chunk are: the arithmetic of the profiles, without any device. A "mirror" is a way to read: one of the copies, if
 * the profile has copies. With parity, mirror 0 is the data themselves, and the others are computed from the other stripes of the row.
 */
#ifndef COMMON_VOLUME_STRIPE_H
#define COMMON_VOLUME_STRIPE_H

#include "common/volume/mirror.h"
#include "common/volume/volume.h"

struct stripe_place {
	unsigned stripe;	/* index into chunk->stripe[] */
	uint64_t physical;	/* on the device of that stripe */
	uint64_t len;		/* how many contiguous bytes follow, up to the end of the chunk */
};

/* logical must be in the chunk. mirror < chunk_n_mirrors(); with parity it does not matter here. */
struct stripe_place stripe_place(const struct chunk *chunk, uint64_t logical, unsigned mirror);

/* The bytes that the chunk takes on each device. */
uint64_t stripe_length(const struct chunk *chunk);

/* The number of its stripes that hold different data. */
unsigned stripe_n_data(const struct chunk *chunk);
/* 0; 1 with RAID5, 2 with RAID6. */
unsigned stripe_n_parity(const struct chunk *chunk);
/* Where parity 1 (P) or 2 (Q) of the row of logical is: of the bytes at the same place of each of its stripes. */
struct stripe_place stripe_parity(const struct chunk *chunk, uint64_t logical, unsigned parity);

/* A row of a chunk with parity: stripe_len bytes of each of its stripes, which belong together. */
struct stripe_row {
	uint64_t number;	/* 0, 1... in the chunk */
	uint64_t logical;	/* of its first byte of data */
	uint64_t offset;	/* behind chunk->stripe[].physical */
	unsigned n_data, n_parity;
};
struct stripe_row stripe_row(const struct chunk *chunk, uint64_t logical);
/* Which stripe of the chunk is the i-th of a row: first its data in logical order, then P, then Q. And the reverse. */
unsigned stripe_of_row(const struct chunk *chunk, const struct stripe_row *row, unsigned i);
unsigned stripe_in_row(const struct chunk *chunk, const struct stripe_row *row, unsigned stripe);
/* Q is the sum of all data of a row, each times its weight; P is their sum. */
uint8_t stripe_weight(unsigned i);

/* Does this way to read need a computation? */
bool stripe_is_computed(const struct chunk *chunk, unsigned mirror);

/*
 * A computed mirror is the sum over all k < n of factor[k] times the bytes of stripe[k] at the same place of the row, in GF(2^8) with the
 * polynomial 0x11d. place.len of stripe_place() applies to all of them.
 */
struct stripe_sum {
	unsigned n;
	unsigned stripe[CHUNK_STRIPES_PARITY_MAX];
	uint8_t factor[CHUNK_STRIPES_PARITY_MAX];
	uint64_t offset;	/* behind chunk->stripe[].physical */
};

void stripe_sum(const struct chunk *chunk, uint64_t logical, unsigned mirror, struct stripe_sum *sum);

/* "devid 2, physical 1048576"; "computed from parity Q, without devid 2".  For messages. */
const char *stripe_text(const struct chunk *chunk, uint64_t logical, unsigned mirror, char text[MIRROR_TEXT_SIZE]);

#endif /* COMMON_VOLUME_STRIPE_H */

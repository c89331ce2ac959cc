/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Changes all data that have checksums in place: every byte ^ 0x5a, in pieces of many lengths and out of order, as no kernel would write. With
 * BAD > 0, every BAD-th sector is left out, and is destroyed on its device before: only parity has it then.
 * With BAD < 0, every -BAD-th sector is destroyed, and nothing else is done.
 * rewrite BAD DEVICE...
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/convert/csum-update.h"
#include "common/fs/csum-lookup.h"
#include "common/util/array.h"
#include "common/volume/mirror.h"
#include "common/volume/parity-write.h"
#include "common/volume/stripe.h"
#include "common/volume/devices.h"
#include "tests/support/edit.h"

#define SECTOR 4096u
#define PIECE_MAX 40u	/* sectors */

struct piece {
	uint64_t logical;
	unsigned n;
};

struct rewriting {
	struct volume *volume;
	struct transaction *tx;
	struct piece *piece;
	size_t n, room;
	bool only_bad;
	uint64_t bad, n_sectors, n_bad;
	uint64_t seed;
};

static unsigned random_below(struct rewriting *r, unsigned n)
{
	r->seed = r->seed * 6364136223846793005u + 1442695040888963407u;
	return (unsigned)((r->seed >> 33) % n);
}

static bool destroy(struct rewriting *r, uint64_t logical, struct error *err)
{
	uint8_t noise[SECTOR];
	const struct chunk *chunk;

	if (!volume_chunk(r->volume, logical, &chunk, err))
		return false;

	const struct stripe_place place = stripe_place(chunk, logical, 0);
	const struct chunk_stripe *stripe = &chunk->stripe[place.stripe];

	for (unsigned i = 0; i < SECTOR; i++)
		noise[i] = (uint8_t)random_below(r, 256);
	r->n_bad++;
	return device_write(volume_device_find(r->volume, stripe->devid, stripe->dev_uuid)->device, noise, SECTOR, place.physical, err);
}

/* Cuts the run into pieces. */
static bool collect(void *context, uint64_t logical, size_t n_sectors, const uint8_t *csums, struct error *err)
{
	struct rewriting *r = context;
	bool is_open = false;
	unsigned left = 0;

	(void)csums;
	for (; n_sectors > 0; n_sectors--, logical += SECTOR) {
		if (r->bad && ++r->n_sectors % r->bad == 0) {
			if (!destroy(r, logical, err))
				return false;
			is_open = false;
			continue;
		}
		if (is_open && left > 0) {
			r->piece[r->n - 1].n++;
			left--;
			continue;
		}
		if (!ARRAY_ROOM(r->piece, r->n, r->room, err))
			return false;
		r->piece[r->n++] = (struct piece){ logical, 1 };
		is_open = true;
		left = random_below(r, PIECE_MAX);
	}
	return true;
}

static bool rewrite_piece(struct rewriting *r, const struct piece *piece, struct error *err)
{
	uint8_t bytes[PIECE_MAX * SECTOR];
	const size_t len = piece->n * SECTOR;

	if (!volume_read(r->volume, piece->logical, bytes, len, 0, err))
		return false;
	for (size_t i = 0; i < len; i++)
		bytes[i] ^= 0x5a;
	return csum_update(r->volume, r->tx, piece->logical, bytes, len, err) && volume_write(r->volume, piece->logical, bytes, len, err) &&
	       volume_read_back(r->volume, piece->logical, bytes, len, err);
}

static bool rewrite_all(struct rewriting *r, struct error *err)
{
	for (size_t i = 0; i < r->volume->n_chunks; i++) {
		const struct chunk *chunk = &r->volume->chunks[i];

		if (chunk->type & GROUP_DATA && !csum_lookup(r->volume, chunk->logical, chunk->length, collect, r, err))
			return false;
	}
	for (size_t i = r->n; i > 1; i--) {
		const size_t other = random_below(r, (unsigned)i);
		const struct piece piece = r->piece[i - 1];

		r->piece[i - 1] = r->piece[other];
		r->piece[other] = piece;
	}
	for (size_t i = 0; i < r->n && !r->only_bad; i++)
		if (!rewrite_piece(r, &r->piece[i], err))
			return false;
	return true;
}

static bool run(int64_t bad, char **path, unsigned n, struct error *err)
{
	cleanup_volume struct volume *volume = NULL;
	struct rewriting r = { .bad = bad < 0 ? -(uint64_t)bad : (uint64_t)bad, .only_bad = bad < 0, .seed = n };
	struct device *device[16];
	struct allocator *allocator;

	for (unsigned i = 0; i < n; i++)
		if (!device_open(path[i], DEVICE_WRITABLE, &device[i], err))
			return false;
	if (!volume_open(device[0], &(struct volume_options){ .others = device + 1, .n_others = n - 1 }, &volume, err) ||
	    !allocator_open(volume, &allocator, err))
		return false;
	volume->csum_lookup = csum_lookup;
	r.volume = volume;

	const bool ok = transaction_begin(volume, allocator, &r.tx, err) && rewrite_all(&r, err) && edit_commit(volume, r.tx, err);

	allocator_close(allocator);
	printf("%zu pieces, %" PRIu64 " bad sectors\n", r.n, r.n_bad);
	free(r.piece);
	return ok;
}

int main(int argc, char **argv)
{
	struct error err = { 0 };

	if (argc < 3 || argc > 18) {
		fprintf(stderr, "usage: rewrite BAD DEVICE...\n");
		return 1;
	}
	if (!run(strtoll(argv[1], NULL, 0), argv + 2, (unsigned)(argc - 2), &err)) {
		fprintf(stderr, "rewrite: %s\n", err.text);
		return err.kind;
	}
	return 0;
}

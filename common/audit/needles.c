/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "common/audit/needles.h"

#include <assert.h>
#include <stdlib.h>

#include "common/crypto/secret.h"
#include "common/util/hash64.h"

#define SAMPLED_SHIFT 58		/* a hash with zeros above this bit is taken: 1 of 64 */
#define FILTER_SHIFT 26			/* other bits than those, and than the lowest 32, which choose the slot */
#define FILTER_BITS_MIN (1u << 15)
#define FILTER_BITS_PER_NEEDLE 64u
#define PROBES_MAX 64u			/* nobody who chooses the bytes can make it slow */
#define DIFFERENT_MIN 6u		/* of 16 bytes: numbers of 4 bytes and repeated ones are found everywhere */

static_assert(FILTER_SHIFT + 26 <= SAMPLED_SHIFT && NEEDLES_FILTER_MAX == 1u << (26 - 3), "the filter has bits of its own");

static inline uint64_t window_hash(const uint8_t *at)
{
	uint64_t a, b, hash;

	memcpy(&a, at, sizeof(a));
	memcpy(&b, at + sizeof(a), sizeof(b));
	hash = (a + b * 0x9e3779b97f4a7c15ull + 0x2545f4914f6cdd1dull) * 0xd6e8feb86659fd93ull;
	return hash ^ hash >> 32;
}

static inline bool is_sampled(uint64_t hash)
{
	return hash >> SAMPLED_SHIFT == 0;
}

static inline uint32_t filter_bit(const struct needles *needles, uint64_t hash)
{
	return (uint32_t)(hash >> FILTER_SHIFT) & needles->filter_mask;
}

static bool is_distinct(const uint8_t *at)
{
	uint64_t seen[4] = { 0 };

	for (unsigned i = 0; i < NEEDLE_WINDOW; i++)
		seen[at[i] / 64] |= 1ull << at[i] % 64;

	unsigned n = 0;

	for (unsigned i = 0; i < 4; i++)
		n += (unsigned)__builtin_popcountll(seen[i]);
	return n >= DIFFERENT_MIN;
}

size_t needles_memory(size_t n)
{
	return (n + n / 3 + 64) * sizeof(struct needle);
}

bool needles_new(size_t n, size_t n_anywhere, struct needles *needles, struct error *err)
{
	uint64_t bits = FILTER_BITS_MIN;

	while (bits < (uint64_t)n_anywhere * FILTER_BITS_PER_NEEDLE && bits < NEEDLES_FILTER_MAX * 8ull)
		bits *= 2;
	*needles = (struct needles){ .n_slots = needles_memory(n) / sizeof(struct needle), .filter_mask = (uint32_t)bits - 1 };
	needles->slot = calloc(needles->n_slots, sizeof(*needles->slot));
	needles->filter = calloc(bits / 8, 1);
	return (needles->slot && needles->filter) || error_memory(err);
}

void needles_free(struct needles *needles)
{
	if (needles->slot)
		wiped_free(needles->slot, needles->n_slots * sizeof(*needles->slot));
	if (needles->filter)
		wiped_free(needles->filter, ((size_t)needles->filter_mask + 1) / 8);
	*needles = (struct needles){ 0 };
}

/* Its slot, or the free one where it belongs. NULL: too many are in the way. */
static struct needle *slot_of(const struct needles *needles, uint64_t hash)
{
	size_t at = (size_t)((hash & UINT32_MAX) * needles->n_slots >> 32);

	for (unsigned i = 0; i < PROBES_MAX; i++) {
		struct needle *const needle = &needles->slot[at];

		if (needle->text == 0 || needle->hash == hash)
			return needle;
		at = at + 1 < needles->n_slots ? at + 1 : 0;
	}
	return NULL;
}

const struct needle *needles_find(const struct needles *needles, uint64_t hash)
{
	const struct needle *const needle = slot_of(needles, hash);

	return needle && needle->text > 0 ? needle : NULL;
}

/* *is_new: no other text has it. False: it could not be added. */
static bool add(struct needles *needles, uint64_t hash, uint32_t text, uint32_t offset, bool *is_new)
{
	struct needle *const needle = slot_of(needles, hash);

	if (!needle)
		return false;
	*is_new = needle->text == 0;
	if (*is_new) {
		*needle = (struct needle){ hash, text + 1, offset };
		needles->n++;
	}
	return true;
}

/* One that is looked for at every offset. */
static bool add_anywhere(struct needles *needles, uint32_t text, uint32_t offset, const uint8_t *at)
{
	const uint64_t hash = window_hash(at);
	const uint32_t bit = filter_bit(needles, hash);
	bool is_new;

	if (!add(needles, hash, text, offset, &is_new))
		return false;
	needles->filter[bit / 8] |= (uint8_t)(1u << bit % 8);
	return true;
}

/* The first of the windows that begin in [at, end) of which a fingerprint says something. False: none. */
static bool add_first(struct needles *needles, uint32_t text, uint32_t offset, const uint8_t *bytes, size_t at, size_t end)
{
	for (; at < end; at++) {
		if (is_distinct(bytes + at))
			return add_anywhere(needles, text, offset + (uint32_t)at, bytes + at);
	}
	return false;
}

static uint64_t block_hash(const uint8_t *bytes)
{
	return hash64(bytes, NEEDLE_BLOCK, 0);
}

static bool is_one_byte(const uint8_t *bytes, size_t len)
{
	return len < 2 || memcmp(bytes, bytes + 1, len - 1) == 0;
}

static bool add_whole(struct needles *needles, uint32_t text, uint32_t offset, const uint8_t *bytes, size_t len)
{
	bool is_new;

	if (len < NEEDLE_BLOCK || is_one_byte(bytes, len) || !add(needles, block_hash(bytes), text, offset | NEEDLE_WHOLE_BLOCK, &is_new))
		return false;
	needles->n_blocks++;
	return true;
}

/*
 * Of the windows that the hash chooses, n_max about as far from each other, but the last in any case: an end may be all that is left. One that
 * another text has does not count: beginnings are often the same.
 */
bool needles_add_block(struct needles *needles, unsigned n_max, uint32_t text, uint32_t offset, const uint8_t *bytes, size_t len)
{
	const size_t n = len < NEEDLE_WINDOW ? 0 : len - NEEDLE_WINDOW + 1, apart = len / (n_max - 1);
	size_t next = 0, added_to = 0;
	unsigned n_added = 0;
	bool has_any = false, is_new = false;

	for (size_t i = 0; i < n && n_added + 1 < n_max; i++) {
		const uint64_t hash = window_hash(bytes + i);

		if (i < next || !is_sampled(hash) || !is_distinct(bytes + i) || !add(needles, hash, text, offset + (uint32_t)i, &is_new))
			continue;
		has_any = true;
		added_to = i;
		next = is_new ? i + apart : i;
		n_added += is_new;
	}
	if (!has_any)
		return add_first(needles, text, offset, bytes, 0, n) || add_whole(needles, text, offset, bytes, len);
	is_new = false;
	for (size_t i = n; i-- > added_to + 1 && !is_new; ) {
		const uint64_t hash = window_hash(bytes + i);

		if (is_sampled(hash) && is_distinct(bytes + i) && !add(needles, hash, text, offset + (uint32_t)i, &is_new))
			break;
	}
	return true;
}

bool needles_add_short(struct needles *needles, uint32_t text, const uint8_t *bytes, size_t len)
{
	const size_t n = len < NEEDLE_WINDOW ? 0 : len - NEEDLE_WINDOW + 1;
	bool has_any = false;

	for (size_t at = 0; at < n; at += NEEDLE_STEP)
		has_any |= add_first(needles, text, 0, bytes, at, at + NEEDLE_STEP < n ? at + NEEDLE_STEP : n);
	/* An end of it may be all that is left. */
	if (n > 0 && is_distinct(bytes + n - 1))
		has_any |= add_anywhere(needles, text, (uint32_t)n - 1, bytes + n - 1);
	return has_any;
}

const uint8_t *needles_next(const struct needles *needles, const uint8_t *at, const uint8_t *end, uint64_t *hash)
{
	const uint8_t *const filter = needles->filter;

	for (; at < end; at++) {
		const uint64_t h = window_hash(at);
		const uint32_t bit = filter_bit(needles, h);

		if (is_sampled(h) || filter[bit / 8] & 1u << bit % 8) {
			*hash = h;
			return at;
		}
	}
	return end;
}

const struct needle *needles_find_block(const struct needles *needles, const uint8_t block[NEEDLE_BLOCK])
{
	const struct needle *const needle = needles->n_blocks == 0 ? NULL : needles_find(needles, block_hash(block));

	return needle && needle->offset & NEEDLE_WHOLE_BLOCK ? needle : NULL;
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Compares copies sector by sector. Only where they differ is there a search for evidence in favour of one of them. */
#include "common/fs/copies.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/crypto/secret.h"
#include "common/fs/csum-lookup.h"
#include "common/volume/csum.h"
#include "common/volume/devices.h"
#include "common/volume/mirror.h"
#include "common/volume/stripe.h"

#define COPIES_MAX 4			/* RAID1C4 */
#define PARITY_COPIES_MAX 3u		/* the data, what P gives, what Q gives; with more, one bad stripe would outvote the others */
#define SAMPLES 16u			/* sectors with checksums, on each side */
#define SAMPLES_MIN 8u			/* fewer prove nothing */
#define WINDOW ((uint64_t)32 << 20)	/* how far away the samples may be */

struct copy {
	unsigned mirror;
	bool is_stale;		/* its device missed commits */
	unsigned n_good, n_bad;	/* samples */
	uint8_t *bytes;
};

/* Tells how a sector was decided. The last sector decides for a range. */
enum reason { SAME, CURRENT, MOST, NEAR, UNKNOWN };

/* A part of one stripe, so each copy is on a single device. */
struct part {
	const struct copies *copies;
	struct volume *volume;
	const struct chunk *chunk;
	uint64_t logical;
	size_t len;
	struct copy copy[COPIES_MAX];
	unsigned n;
	bool has_unread;	/* in one of them some sector cannot be read, and perhaps others can */
	bool is_sampled;
	unsigned n_samples;
};

/* --- what is near it ------------------------------------------------------------------------------------------------ */

struct sample {
	uint64_t logical;
	uint8_t csum[CSUM_SIZE];
};

struct samples {
	const struct part *part;
	bool keeps_last;	/* else the first */
	size_t n;
	struct sample at[SAMPLES];
};

static bool note_samples(void *context, uint64_t logical, size_t n_sectors, const uint8_t *csums, struct error *err)
{
	struct samples *s = context;
	const struct part *part = s->part;
	const struct superblock *super = &part->volume->super;
	const size_t csum_size = csum_type_size(super->csum_type);
	const unsigned stripe = stripe_place(part->chunk, part->logical, 0).stripe;

	(void)err;
	for (; n_sectors > 0; n_sectors--, logical += super->sector_size, csums += csum_size) {
		if ((!s->keeps_last && s->n == SAMPLES) || stripe_place(part->chunk, logical, 0).stripe != stripe)
			continue;

		struct sample *sample = &s->at[s->n++ % SAMPLES];

		sample->logical = logical;
		memcpy(sample->csum, csums, csum_size);
	}
	return true;
}

static void judge_sample(struct part *part, const struct sample *sample, uint8_t *sector)
{
	const struct superblock *super = &part->volume->super;

	for (unsigned i = 0; i < part->n; i++) {
		struct error unread = { 0 };

		if (!volume_read(part->volume, sample->logical, sector, super->sector_size, part->copy[i].mirror, &unread))
			continue;
		if (csum_matches(super->csum_type, sector, super->sector_size, sample->csum))
			part->copy[i].n_good++;
		else
			part->copy[i].n_bad++;
	}
}

/* Parts of the csum tree that cannot be read give no samples. */
static bool take_samples(struct part *part, uint64_t from, uint64_t to, bool keeps_last, uint8_t *sector, struct error *err)
{
	struct samples *s = calloc(1, sizeof(*s));
	struct error ignored = { 0 };
	size_t n;

	if (!s)
		return error_memory(err);
	s->part = part;
	s->keeps_last = keeps_last;
	if (from < to && !csum_lookup(part->volume, from, to - from, note_samples, s, &ignored))
		s->n = 0;
	n = s->n < SAMPLES ? s->n : SAMPLES;
	for (size_t i = 0; i < n; i++)
		judge_sample(part, &s->at[i], sector);
	part->n_samples += (unsigned)n;
	free(s);
	return true;
}

static bool look_around(struct part *part, struct error *err)
{
	const uint64_t first = part->chunk->logical, end = first + part->chunk->length, after = part->logical + part->len;
	uint8_t *sector;
	bool ok;

	if (part->is_sampled)
		return true;
	part->is_sampled = true;
	sector = malloc(part->volume->super.sector_size);
	ok = sector || error_memory(err);
	ok = ok && take_samples(part, part->logical - first > WINDOW ? part->logical - WINDOW : first, part->logical, true, sector, err) &&
	     take_samples(part, after, end - after > WINDOW ? after + WINDOW : end, false, sector, err);
	free(sector);
	return ok;
}

/* --- one sector ------------------------------------------------------------------------------------------------------- */

static bool all_same(const struct part *part, unsigned among, size_t at, unsigned *any)
{
	const uint32_t sector_size = part->volume->super.sector_size;
	bool found = false;

	for (unsigned i = 0; i < part->n; i++) {
		if (!(among & 1u << i))
			continue;
		if (found && memcmp(part->copy[*any].bytes + at, part->copy[i].bytes + at, sector_size) != 0)
			return false;
		if (!found)
			*any = i;
		found = true;
	}
	return found;
}

static bool most_same(const struct part *part, unsigned among, size_t at, unsigned *any)
{
	const uint32_t sector_size = part->volume->super.sector_size;

	for (unsigned i = 0; i < part->n; i++) {
		unsigned n = 0, n_same = 0;

		for (unsigned j = 0; j < part->n && among & 1u << i; j++) {
			n += among >> j & 1;
			n_same += among & 1u << j && memcmp(part->copy[i].bytes + at, part->copy[j].bytes + at, sector_size) == 0;
		}
		*any = i;
		if (2 * n_same > n)
			return true;
	}
	return false;
}

/* Returns the copies that no sample speaks against, provided that all others are bad in every sample. */
static unsigned near_ones(const struct part *part, unsigned among)
{
	unsigned good = 0, bad = 0;

	for (unsigned i = 0; i < part->n; i++) {
		if (!(among & 1u << i))
			continue;
		if (part->copy[i].n_bad == 0 && part->copy[i].n_good >= SAMPLES_MIN)
			good |= 1u << i;
		if (part->copy[i].n_good == 0 && part->copy[i].n_bad >= SAMPLES_MIN)
			bad |= 1u << i;
	}
	return (good | bad) == among ? good : 0;
}

static bool decide(struct part *part, size_t at, unsigned *chosen, enum reason *reason, struct error *err)
{
	const unsigned all = (1u << part->n) - 1;
	unsigned among = 0;

	*reason = SAME;
	if (all_same(part, all, at, chosen))
		return true;
	for (unsigned i = 0; i < part->n; i++)
		among |= part->copy[i].is_stale ? 0 : 1u << i;
	if (among == 0)
		among = all;
	*reason = CURRENT;
	if (all_same(part, among, at, chosen))
		return true;
	*reason = MOST;
	if (most_same(part, among, at, chosen))
		return true;
	if (!look_around(part, err))
		return false;
	*reason = NEAR;
	if (all_same(part, near_ones(part, among), at, chosen))
		return true;
	*reason = UNKNOWN;
	*chosen = part->n;
	for (unsigned i = 0; i < part->n; i++) {
		if (among & 1u << i && (*chosen == part->n || part->copy[i].n_bad < part->copy[*chosen].n_bad))
			*chosen = i;
	}
	return true;
}

/* --- a part ------------------------------------------------------------------------------------------------------------ */

static void tell_part(const struct part *part, size_t first, size_t end, unsigned chosen, enum reason reason)
{
	struct copies_finding finding = { .from = part->logical + first, .to = part->logical + end, .is_known = reason < UNKNOWN,
					   .mirror = part->copy[chosen].mirror };
	char text[1024], near[128], place[2][MIRROR_TEXT_SIZE];
	const char *why[] = {
		[CURRENT] = "the device of the other was missing when the filesystem was last written to", [MOST] = "most copies agree",
		[NEAR] = near, [UNKNOWN] = "nothing tells which is right",
	};
	unsigned other = chosen;

	for (unsigned i = 0; i < part->n && other == chosen; i++) {
		if (i != chosen && memcmp(part->copy[i].bytes + first, part->copy[chosen].bytes + first, end - first) != 0)
			other = i;
	}
	snprintf(near, sizeof(near), "all of the %u sectors with checksums near it are right in one and wrong in the other",
		 part->n_samples);

	const unsigned a = part->copy[chosen < other ? chosen : other].mirror, b = part->copy[chosen < other ? other : chosen].mirror;

	snprintf(text, sizeof(text), "have no checksum, and mirrors %u and %u differ (%s; %s): %s, mirror %u is used", a + 1, b + 1,
		 volume_mirror_text(part->volume, finding.from, a, place[0]), volume_mirror_text(part->volume, finding.from, b, place[1]),
		 why[reason], part->copy[chosen].mirror + 1);
	finding.text = text;
	part->copies->tell(part->copies->context, &finding);
}

static void tell_old(const struct part *part)
{
	char text[512], place[MIRROR_TEXT_SIZE];
	const struct copies_finding finding = { .from = part->logical, .to = part->logical + part->len, .text = text };

	snprintf(text, sizeof(text), "have no checksum, and are there only on a device that was missing when the filesystem was last written to (%s): "
		 "they may be old", volume_mirror_text(part->volume, part->logical, part->copy[0].mirror, place));
	part->copies->tell(part->copies->context, &finding);
}

/* Reports sectors that are adjacent, or nearly so, as one range if they were decided in the same way. */
static bool decide_part(struct part *part, uint8_t *bytes, struct error *err)
{
	const uint32_t sector_size = part->volume->super.sector_size;
	size_t first = 0, end = 0;
	unsigned of = 0, chosen;
	enum reason so_far = SAME, reason;

	for (size_t at = 0; at < part->len; at += sector_size) {
		if (!decide(part, at, &chosen, &reason, err))
			return false;
		memcpy(bytes + at, part->copy[chosen].bytes + at, sector_size);
		if (reason == SAME && !part->copies->is_exact)
			continue;
		if (so_far != SAME && (so_far != reason || of != chosen))
			tell_part(part, first, end, of, so_far);
		if (so_far != reason || of != chosen)
			first = at;
		so_far = reason;
		of = chosen;
		end = at + sector_size;
	}
	if (so_far != SAME)
		tell_part(part, first, end, of, so_far);
	return true;
}

static bool is_on_stale(const struct volume *volume, const struct chunk_stripe *stripe)
{
	const struct volume_device *device = volume_device_find(volume, stripe->devid, stripe->dev_uuid);

	return device && device->is_stale;
}

/* A copy that is computed from a stripe which missed commits is as old as that stripe. */
static bool is_stale(const struct part *part, unsigned mirror)
{
	const struct chunk *chunk = part->chunk;
	struct stripe_sum sum;

	if (!stripe_is_computed(chunk, mirror))
		return is_on_stale(part->volume, &chunk->stripe[stripe_place(chunk, part->logical, mirror).stripe]);
	stripe_sum(chunk, part->logical, mirror, &sum);
	for (unsigned k = 0; k < sum.n; k++)
		if (is_on_stale(part->volume, &chunk->stripe[sum.stripe[k]]))
			return true;
	return false;
}

static bool has_stale(const struct volume *volume, const struct chunk *chunk)
{
	for (unsigned i = 0; i < chunk->n_stripes; i++)
		if (is_on_stale(volume, &chunk->stripe[i]))
			return true;
	return false;
}

static bool compare_part(struct part *part, uint8_t *bytes, uint8_t *room, struct error *err)
{
	const unsigned n_mirrors = chunk_n_mirrors(part->chunk);
	const bool has_parity = stripe_is_computed(part->chunk, 1);
	const unsigned most = has_parity ? PARITY_COPIES_MAX : COPIES_MAX;
	bool same = true, old = true;

	for (unsigned mirror = 0; mirror < n_mirrors && part->n < most; mirror++) {
		struct copy *copy = &part->copy[part->n];
		struct error unread = { 0 };

		*copy = (struct copy){ .mirror = mirror, .is_stale = is_stale(part, mirror), .bytes = room + part->n * part->len };
		/* A stale copy only serves to show that there is a difference, and one is enough for that. */
		if (has_parity && copy->is_stale && part->n > 0)
			continue;
		if (!volume_read(part->volume, part->logical, copy->bytes, part->len, mirror, &unread)) {
			part->has_unread |= volume_has_mirror(part->volume, part->logical, part->len, mirror);
			continue;
		}
		same = same && memcmp(copy->bytes, bytes, part->len) == 0;
		old = old && copy->is_stale;
		part->n++;
	}
	if (part->n == 0 || (part->has_unread && part->len > part->volume->super.sector_size))
		return true;
	if (old)
		tell_old(part);
	return same || decide_part(part, bytes, err);
}

bool copies_compare(const struct copies *copies, uint64_t logical, uint8_t *bytes, size_t len, struct error *err)
{
	const struct chunk *chunk = copies->chunk;
	const unsigned n_mirrors = chunk_n_mirrors(chunk);
	const size_t size = len * (n_mirrors < COPIES_MAX ? n_mirrors : COPIES_MAX);
	uint64_t by_sector = 0;		/* up to there a copy has a sector that cannot be read */
	uint8_t *room;
	bool ok = true;

	/* Without a second copy, it only matters whether this one is stale. */
	if (len == 0 || (n_mirrors == 1 && !has_stale(copies->volume, chunk)))
		return true;
	room = malloc(size);
	if (!room)
		return error_memory(err);
	while (ok && len > 0) {
		const uint64_t most = logical < by_sector ? copies->volume->super.sector_size : stripe_place(chunk, logical, 0).len;
		struct part part = {
			.copies = copies, .volume = copies->volume, .chunk = chunk, .logical = logical, .len = most < len ? (size_t)most : len,
		};

		ok = compare_part(&part, bytes, room, err);
		if (part.has_unread && part.len > copies->volume->super.sector_size) {
			by_sector = logical + part.len;
			continue;
		}
		logical += part.len;
		bytes += part.len;
		len -= part.len;
	}
	wiped_free(room, size);
	return ok;
}

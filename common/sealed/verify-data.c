/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Reads the extents in disk order, unit by unit, mirror by mirror. */
#include "common/sealed/verify-data.h"

#include <stdio.h>
#include <stdlib.h>

#include "common/fs/data-check.h"
#include "common/sealed/carried.h"
#include "common/sealed/unit-hints.h"
#include "common/volume/mirror.h"
#include "common/volume/tolerance.h"

#define MIRRORS_MAX 31u

struct data_verify {
	struct volume *volume;
	uint32_t sector_size;
	char csum_gap[sizeof(((struct error *)0)->text)];	/* what could not be read of the csum tree last, reported once */
	uint8_t *bytes;			/* a unit on one mirror, with the sectors that it begins and ends in */
	struct verify_runs runs;
	bool has_parity;
	struct carried carried;
	struct unit_hints hints;
	uint8_t first[sizeof(((struct crypt_unit *)0)->first)];	/* first bytes of the unit, on its last mirror with a right first block */
	bool has_first;
	struct block_marks mark[CRYPT_UNIT_BLOCKS_MAX];
	uint32_t absent[CRYPT_UNIT_BLOCKS_MAX];		/* unread blocks on missing devices */
};

/* The current unit on one mirror. */
struct look {
	struct data_verify *d;
	const struct crypt_unit *unit;
	uint32_t bit;
	uint64_t base;			/* logical address of d->bytes */
	uint64_t begin;			/* address of the unit itself */
	size_t len;			/* size of d->bytes */
};

/* --- one unit on one mirror ------------------------------------------------------------------------------------ */

/* Reads the unit at once, or block by block if that fails. Unreadable blocks are zeros and marked. */
static void read_mirror(struct look *look, unsigned mirror)
{
	struct data_verify *d = look->d;
	struct error unread = { 0 };

	if (volume_read(d->volume, look->base, d->bytes, look->len, mirror, &unread))
		return;
	for (size_t at = 0; at < look->len; at += CRYPT_BLOCK) {
		const uint64_t block = (look->base + at - look->begin) / CRYPT_BLOCK;

		if (volume_read(d->volume, look->base + at, d->bytes + at, CRYPT_BLOCK, mirror, &unread))
			continue;
		memset(d->bytes + at, 0, CRYPT_BLOCK);
		if (look->base + at < look->begin || block >= look->unit->blocks)
			continue;
		d->mark[block].unread |= look->bit;
		if (!volume_has_mirror(d->volume, look->base + at, CRYPT_BLOCK, mirror))
			d->absent[block] |= look->bit;
	}
}

static bool check_tags(struct look *look, struct unit_cipher *cipher, struct error *err)
{
	struct data_verify *d = look->d;
	const uint8_t *block = d->bytes + (look->begin - look->base);
	uint8_t plain[CRYPT_BLOCK];
	bool ok = true;

	for (uint32_t i = 0; ok && i < look->unit->blocks; i++, block += CRYPT_BLOCK) {
		bool authentic = false;

		ok = unit_cipher_open(cipher, i, block, CRYPT_BLOCK, plain, look->unit->tags + (size_t)i * CRYPT_TAG_SIZE, &authentic,
				      err);
		if (ok && !authentic && !(d->mark[i].unread & look->bit))
			d->mark[i].tag |= look->bit;
		if (authentic && i == 0) {
			memcpy(d->first, block, sizeof(d->first));
			d->has_first = true;
		}
	}
	secret_wipe(plain, sizeof(plain));
	return ok;
}

/* A sector may be longer than a block, so a unit may begin or end in the middle of one. */
static bool wrong_csum(void *context, uint64_t logical, const uint8_t *sector, const uint8_t *csum, struct error *err)
{
	struct look *look = context;
	struct data_verify *d = look->d;

	(void)sector, (void)csum, (void)err;
	for (uint64_t at = logical; at < logical + d->sector_size; at += CRYPT_BLOCK) {
		const uint64_t block = (at - look->begin) / CRYPT_BLOCK;

		if (at >= look->begin && block < look->unit->blocks && !((d->mark[block].unread | d->mark[block].tag) & look->bit))
			d->mark[block].csum |= look->bit;
	}
	return true;
}

static bool look_at_csums(struct look *look, struct error *err)
{
	struct data_verify *d = look->d;
	const struct data_check check = {
		.volume = d->volume, .logical = look->base, .bytes = d->bytes, .len = look->len, .wrong = wrong_csum, .context = look,
	};
	struct error why = { 0 };

	if (data_check(&check, &why))
		return true;
	if (!error_is_damage(&why)) {
		*err = why;
		return false;
	}
	if (strcmp(why.text, d->csum_gap) == 0)
		return true;
	snprintf(d->csum_gap, sizeof(d->csum_gap), "%s", why.text);
	verify_bad(d->runs.v, "checksum tree", "%s; data checksums that depend on it are not compared", why.text);
	return true;
}

static bool has_good_mirror(const struct block_marks *mark, unsigned n_mirrors)
{
	return (mark->unread | mark->tag | mark->csum) != (1u << n_mirrors) - 1;
}

static bool all_have_good_mirrors(const struct look *look, unsigned n_mirrors)
{
	for (uint32_t i = 0; i < look->unit->blocks; i++)
		if (!has_good_mirror(&look->d->mark[i], n_mirrors))
			return false;
	return true;
}

static bool look_at_mirrors(struct look *look, struct error *err)
{
	struct data_verify *d = look->d;
	const struct crypt_unit *unit = look->unit;
	cleanup_unit_cipher struct unit_cipher *cipher = NULL;

	if (!unit_cipher_new(d->runs.v->view.domain->schedule, unit->cipher, "unit", &unit->u, sizeof(unit->u), &cipher, err))
		return false;
	for (unsigned mirror = 0; mirror < d->runs.n_mirrors; mirror++) {
		/* By then everything that exists has been checked. */
		if (mirror >= 3 && d->has_parity && all_have_good_mirrors(look, mirror))
			break;
		look->bit = 1u << mirror;
		read_mirror(look, mirror);
		if (!check_tags(look, cipher, err) || !look_at_csums(look, err))
			return false;
	}
	/* A missing copy is not a bad one as long as there is another. */
	for (uint32_t i = 0; i < unit->blocks; i++)
		if (has_good_mirror(&d->mark[i], d->runs.n_mirrors))
			d->mark[i].unread &= ~d->absent[i];
	for (uint32_t i = 0; i < unit->blocks; i++) {
		bool carried;

		if (!carried_has(&d->carried, d->runs.v->view.domain, unit->unit_id, i, &carried, err))
			return false;
		d->mark[i].carried = carried;
	}
	return true;
}

static bool verify_unit(void *context, const struct crypt_unit *unit, uint64_t place, bool *go, struct error *err)
{
	struct data_verify *d = context;
	const uint64_t begin = unit->offset_in_extent, end = begin + (uint64_t)unit->blocks * CRYPT_BLOCK;
	const uint64_t base = begin - begin % d->sector_size, rest = end % d->sector_size;
	struct look look = {
		.d = d,
		.unit = unit,
		.base = d->runs.extent->logical + base,
		.begin = d->runs.extent->logical + begin,
		.len = end + (rest ? d->sector_size - rest : 0) - base,
	};

	(void)place, (void)go;
	memset(d->mark, 0, unit->blocks * sizeof(d->mark[0]));
	memset(d->absent, 0, unit->blocks * sizeof(d->absent[0]));
	d->has_first = false;
	if (unit->sealed) {
		if (!look_at_mirrors(&look, err) ||
		    !unit_hints_check(&d->hints, d->runs.v->view.scan, d->runs.extent, unit, d->has_first ? d->first : NULL, err))
			return false;
	} else {
		for (uint32_t i = 0; i < unit->blocks; i++)
			d->mark[i].unsealed = 1;
	}
	for (uint32_t i = 0; i < unit->blocks; i++) {
		if (!verify_runs_add(&d->runs, begin + (uint64_t)i * CRYPT_BLOCK, &d->mark[i], err))
			return false;
	}
	d->runs.v->result->n_blocks += unit->blocks;
	return true;
}

/* --- extents ------------------------------------------------------------------------------------------------------ */

static bool verify_extent(struct data_verify *d, struct error *err)
{
	const struct unit_map *units = d->runs.v->view.units;
	const struct chunk *chunk;
	struct unit_group group;

	if (!unit_map_at(units, d->runs.extent->logical, &group))
		return true;
	if (!volume_chunk(d->volume, d->runs.extent->logical, &chunk, err))
		return false;
	d->runs.n_mirrors = chunk_n_mirrors(chunk);
	d->has_parity = chunk->type & (GROUP_RAID5 | GROUP_RAID6);
	if (d->runs.n_mirrors > MIRRORS_MAX)
		return error_set(err, ERROR_REFUSED, "%u mirrors, at most %u are supported", d->runs.n_mirrors, MIRRORS_MAX);
	return unit_map_visit(units, &group, verify_unit, d, err) && verify_runs_end_extent(&d->runs, err);
}

static bool verify_extents(struct data_verify *d, struct error *err)
{
	const struct domain_reader_options *options = d->runs.v->options;
	const struct scan *scan = d->runs.v->view.scan;
	uint64_t done = 0;

	for (size_t i = 0; i < scan->n_extents; i++) {
		d->runs.extent = &scan->extent[i];
		if (!verify_extent(d, err))
			return false;
		done += d->runs.extent->length;
		if (options->progress)
			options->progress(options->context, done, scan->data_bytes);
	}
	return verify_runs_end(&d->runs, err);
}

bool verify_data(struct verify *v, struct error *err)
{
	struct volume *volume = v->view.domain->volume;
	const uint32_t sector_size = volume->super.sector_size;
	struct data_verify d = {
		.runs.v = v,
		.volume = volume,
		.sector_size = sector_size,
		.bytes = malloc((size_t)CRYPT_UNIT_BLOCKS_MAX * CRYPT_BLOCK + 2 * (size_t)sector_size),
	};
	bool ok = d.bytes ? verify_extents(&d, err) : error_memory(err);

	if (ok)
		unit_hints_tell(&d.hints, volume);

	free(d.bytes);
	carried_free(&d.carried);
	return ok;
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Reads the extents in disk order, unit by unit, mirror by mirror. Failures are collected into ranges of a file before they are reported. */
#include "common/sealed/verify-data.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/fs/data-check.h"
#include "common/sealed/carried.h"
#include "common/sealed/extent-also.h"
#include "common/sealed/extent-part.h"
#include "common/sealed/unit-hints.h"
#include "common/volume/mirror.h"
#include "common/volume/tolerance.h"

/* What is wrong with a block, one bit per mirror. */
struct marks {
	uint32_t unread, tag, csum, unsealed, carried;
};

#define MIRRORS_MAX 31u

/* Adjacent blocks of an extent with the same marks. */
struct run {
	uint64_t from, to;	/* in the extent; equal: there are none */
	struct marks marks;
};

/* The part of a file that was found bad last. The next part may continue it. */
struct finding {
	bool any;
	uint32_t member;
	uint64_t inode;
	struct extent_part part;
	struct marks marks;
	unsigned n_mirrors;
	uint64_t logical;	/* address where it begins */
	uint64_t extent;	/* the first extent that it is in */
};

struct data_verify {
	struct verify *v;
	struct volume *volume;
	uint32_t sector_size;
	char csum_gap[sizeof(((struct error *)0)->text)];	/* what could not be read of the csum tree last, reported once */
	uint8_t *bytes;			/* a unit on one mirror, with the sectors that it begins and ends in */
	const struct scan_extent *extent;
	unsigned n_mirrors;		/* mirrors of its chunk */
	bool has_parity;
	struct run run;
	struct finding finding;
	uint64_t also_of;		/* the last extent whose other owners were searched for, */
	char also[EXTENT_ALSO_SIZE];	/* and the answer */
	struct carried carried;
	struct unit_hints hints;
	uint8_t first[sizeof(((struct crypt_unit *)0)->first)];	/* first bytes of the unit, on its last mirror with a right first block */
	bool has_first;
	struct marks mark[CRYPT_UNIT_BLOCKS_MAX];
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

/* --- findings ----------------------------------------------------------------------------------------------- */

void verify_bad(struct verify *v, const char *path, const char *format, ...)
{
	char what[512];
	va_list args;

	va_start(args, format);
	vsnprintf(what, sizeof(what), format, args);
	va_end(args);
	v->result->n_bad++;
	v->bad(v->context, path, what, NULL);
}

bool verify_bad_in(struct verify *v, const struct tree *subvolume, uint64_t inode, const char *what, const struct verify_range *range,
		   struct error *err)
{
	char *label = file_label(v->view.list, subvolume, inode);

	if (!label)
		return error_memory(err);
	v->result->n_bad++;
	v->bad(v->context, label, what, range);
	free(label);
	return true;
}

static bool same_marks(const struct marks *a, const struct marks *b)
{
	return memcmp(a, b, sizeof(*a)) == 0;
}

/* Appends "fail authentication on mirror 2 of 2" to the text. */
static void append_marks(char *text, size_t size, const char *what, uint32_t mirrors, unsigned n_mirrors)
{
	size_t n = strlen(text);

	if (!mirrors)
		return;
	n += (size_t)snprintf(text + n, size - n, "%s %s", n ? "," : "", what);
	if (n_mirrors == 1)
		return;
	if (mirrors == (1u << n_mirrors) - 1) {
		snprintf(text + n, size - n, " on every mirror");
		return;
	}
	for (unsigned i = 0, any = 0; i < n_mirrors; i++) {
		if (mirrors & 1u << i)
			n += (size_t)snprintf(text + n, size - n, any++ ? " and %u" : " on mirror %u", i + 1);
	}
	snprintf(text + n, size - n, " of %u", n_mirrors);
}

static bool tell_finding(struct data_verify *d, struct error *err)
{
	const struct finding *f = &d->finding;
	char how[256] = "", what[384 + EXTENT_ALSO_SIZE];

	if (!f->any)
		return true;
	append_marks(how, sizeof(how), "cannot be read", f->marks.unread, f->n_mirrors);
	append_marks(how, sizeof(how), "fail authentication", f->marks.tag, f->n_mirrors);
	append_marks(how, sizeof(how), "do not match their checksums", f->marks.csum, f->n_mirrors);
	append_marks(how, sizeof(how), CARRIED_TEXT, f->marks.carried, 1);
	append_marks(how, sizeof(how), "were never sealed", f->marks.unsealed, 1);
	d->finding.any = false;

	const struct tree *subvolume = &d->v->view.scan->tree[f->member];

	/* Search for the other owners of an extent once, even if it has many bad parts. */
	if (d->also_of != f->extent || d->also_of == 0)
		extent_also_in(d->v->view.list, f->extent, subvolume->id, f->inode, d->also);
	d->also_of = f->extent;
	snprintf(what, sizeof(what), "bytes %" PRIu64 " to %" PRIu64 "%s%s (data at %" PRIu64 ")%s", f->part.first, f->part.last,
		 f->part.unused ? " of an extent, which the file does not use," : "", how, f->logical, d->also);
	const struct verify_range range = {
		.subvolume = subvolume->id,
		.inode = f->inode,
		.first = f->part.first,
		.last = f->part.last,
		.unused = f->part.unused,
		.is_carried = f->marks.carried,
		.logical = f->logical,
	};

	return verify_bad_in(d->v, subvolume, f->inode, what, &range, err);
}

/* Adds one part of the file that a run stands for. */
static bool add_part(void *context, const struct extent_part *part, struct error *err)
{
	struct data_verify *d = context;
	const struct scan_extent *extent = d->extent;
	struct finding *f = &d->finding;

	if (f->any && f->member == extent->member && f->inode == extent->inode && f->n_mirrors == d->n_mirrors &&
	    !f->part.unused && !part->unused && f->part.last + 1 == part->first && same_marks(&f->marks, &d->run.marks)) {
		f->part.last = part->last;
		return true;
	}
	if (!tell_finding(d, err))
		return false;
	*f = (struct finding){
		.any = true,
		.member = extent->member,
		.inode = extent->inode,
		.part = *part,
		.marks = d->run.marks,
		.n_mirrors = d->n_mirrors,
		.logical = extent->logical + d->run.from,
		.extent = extent->logical,
	};
	return true;
}

static bool end_run(struct data_verify *d, struct error *err)
{
	const struct run run = d->run;

	if (run.from == run.to)
		return true;
	if (!extent_parts(d->v->view.scan, d->extent, run.from, run.to, add_part, d, err))
		return false;
	d->run = (struct run){ 0 };
	return true;
}

/* Adds a block at offset in the extent. Offsets ascend. */
static bool add_block(struct data_verify *d, uint64_t offset, const struct marks *marks, struct error *err)
{
	static const struct marks good;

	if (d->run.from != d->run.to && d->run.to == offset && same_marks(&d->run.marks, marks)) {
		d->run.to += CRYPT_BLOCK;
		return true;
	}
	if (!end_run(d, err))
		return false;
	if (!same_marks(marks, &good))
		d->run = (struct run){ offset, offset + CRYPT_BLOCK, *marks };
	return true;
}

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
	verify_bad(d->v, "checksum tree", "%s; data checksums that depend on it are not compared", why.text);
	return true;
}

static bool has_good_mirror(const struct marks *mark, unsigned n_mirrors)
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

	if (!unit_cipher_new(d->v->view.domain->schedule, unit->cipher, "unit", &unit->u, sizeof(unit->u), &cipher, err))
		return false;
	for (unsigned mirror = 0; mirror < d->n_mirrors; mirror++) {
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
		if (has_good_mirror(&d->mark[i], d->n_mirrors))
			d->mark[i].unread &= ~d->absent[i];
	for (uint32_t i = 0; i < unit->blocks; i++) {
		bool carried;

		if (!carried_has(&d->carried, d->v->view.domain, unit->unit_id, i, &carried, err))
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
		.base = d->extent->logical + base,
		.begin = d->extent->logical + begin,
		.len = end + (rest ? d->sector_size - rest : 0) - base,
	};

	(void)place, (void)go;
	memset(d->mark, 0, unit->blocks * sizeof(d->mark[0]));
	memset(d->absent, 0, unit->blocks * sizeof(d->absent[0]));
	d->has_first = false;
	if (unit->sealed) {
		if (!look_at_mirrors(&look, err) ||
		    !unit_hints_check(&d->hints, d->v->view.scan, d->extent, unit, d->has_first ? d->first : NULL, err))
			return false;
	} else {
		for (uint32_t i = 0; i < unit->blocks; i++)
			d->mark[i].unsealed = 1;
	}
	for (uint32_t i = 0; i < unit->blocks; i++) {
		if (!add_block(d, begin + (uint64_t)i * CRYPT_BLOCK, &d->mark[i], err))
			return false;
	}
	d->v->result->n_blocks += unit->blocks;
	return true;
}

/* --- extents ------------------------------------------------------------------------------------------------------ */

static bool verify_extent(struct data_verify *d, struct error *err)
{
	const struct unit_map *units = d->v->view.units;
	const struct chunk *chunk;
	struct unit_group group;

	if (!unit_map_at(units, d->extent->logical, &group))
		return true;
	if (!volume_chunk(d->volume, d->extent->logical, &chunk, err))
		return false;
	d->n_mirrors = chunk_n_mirrors(chunk);
	d->has_parity = chunk->type & (GROUP_RAID5 | GROUP_RAID6);
	if (d->n_mirrors > MIRRORS_MAX)
		return error_set(err, ERROR_REFUSED, "%u mirrors, at most %u are supported", d->n_mirrors, MIRRORS_MAX);
	return unit_map_visit(units, &group, verify_unit, d, err) && end_run(d, err);
}

static bool verify_extents(struct data_verify *d, struct error *err)
{
	const struct domain_reader_options *options = d->v->options;
	const struct scan *scan = d->v->view.scan;
	uint64_t done = 0;

	for (size_t i = 0; i < scan->n_extents; i++) {
		d->extent = &scan->extent[i];
		if (!verify_extent(d, err))
			return false;
		done += d->extent->length;
		if (options->progress)
			options->progress(options->context, done, scan->data_bytes);
	}
	return tell_finding(d, err);
}

bool verify_data(struct verify *v, struct error *err)
{
	struct volume *volume = v->view.domain->volume;
	const uint32_t sector_size = volume->super.sector_size;
	struct data_verify d = {
		.v = v,
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

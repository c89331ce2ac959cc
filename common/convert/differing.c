/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Compares copies block by block before sealing begins, and remembers what was decided of each one that differs. */
#include "common/convert/differing.h"

#include <inttypes.h>
#include <stdlib.h>

#include "common/convert/bad-blocks.h"
#include "common/sealed/csum-gaps.h"
#include "common/sealed/extent-also.h"
#include "common/util/array.h"
#include "common/util/lower-bound.h"
#include "common/util/plural.h"
#include "common/util/sorted64.h"
#include "common/volume/mirror.h"

#define COMPARED_AT_ONCE ((size_t)1 << 20)
#define KNOWN ((uint64_t)1 << 8)	/* beside the address of a block and its mirror */

struct comparing {
	struct volume *volume;
	const struct chunk *chunk;
	uint8_t *bytes;
	csum_gap_visit *visit;
	void *context;
	struct error *err;
	bool ok;
};

static void tell_copies(void *context, const struct copies_finding *finding)
{
	struct comparing *comparing = context;

	if (comparing->ok)
		comparing->ok = comparing->visit(comparing->context, finding->from, finding->to, finding, comparing->err);
}

static bool compare_gap(void *context, uint64_t from, uint64_t to, const struct copies_finding *finding, struct error *err)
{
	struct comparing *comparing = context;
	const struct copies copies = {
		.volume = comparing->volume, .chunk = comparing->chunk, .tell = tell_copies, .context = comparing, .is_exact = true,
	};

	(void)finding;
	while (comparing->ok && from < to) {
		const size_t len = to - from < COMPARED_AT_ONCE ? (size_t)(to - from) : COMPARED_AT_ONCE;
		struct error unread = { 0 };

		/* What no mirror can read has no copies to compare, and the conversion meets it in due course. */
		(void)!volume_read_any(comparing->volume, from, comparing->bytes, len, &unread);
		if (!copies_compare(&copies, from, comparing->bytes, len, err))
			return false;
		from += len;
	}
	return comparing->ok;
}

static bool find_differing(struct volume *volume, uint64_t logical, uint64_t len, csum_gap_visit *visit, void *context, struct error *err)
{
	struct comparing comparing = { .volume = volume, .visit = visit, .context = context, .err = err, .ok = true };
	bool ok;

	if (!volume_chunk(volume, logical, &comparing.chunk, err))
		return false;
	if (chunk_n_mirrors(comparing.chunk) == 1)
		return true;
	comparing.bytes = calloc(1, COMPARED_AT_ONCE);
	ok = comparing.bytes ? csum_gaps_visit(volume, logical, len, compare_gap, &comparing, err) : error_memory(err);
	wiped_free(comparing.bytes, COMPARED_AT_ONCE);
	return ok;
}

/* A part of a file that was found last; the next one may continue it. */
struct part {
	const struct tree *subvolume;	/* NULL: none */
	uint64_t inode, extent, from, to;	/* extent, from, to: logical */
	struct extent_part bytes;
	unsigned mirror;
	bool is_known;
};

struct finding {
	struct conversion *c;
	bool tells_known, tells_unknown;
	struct part part;
};

static bool tell_part(struct finding *finding, struct error *err)
{
	struct conversion *c = finding->c;
	const struct part part = finding->part;
	char also[EXTENT_ALSO_SIZE], *label;
	struct convert_bad_block block = {
		.differs = true, .mirror = part.mirror, .is_lost = !damage_carries(c) && !damage_skips(c), .is_carried = damage_carries(c),
		.inode = part.inode, .first = part.bytes.first, .last = part.bytes.last, .logical = part.from, .also = also,
	};

	finding->part.subvolume = NULL;
	if (!part.subvolume || !(part.is_known ? finding->tells_known : finding->tells_unknown))
		return true;
	block.subvolume = part.subvolume->id;
	block.path = label = file_label(&c->list, part.subvolume, part.inode);
	if (!label)
		return error_memory(err);
	extent_also_in(&c->list, part.extent, part.subvolume->id, part.inode, also);
	if (part.is_known)
		conversion_note(c, "%.300s: bytes %" PRIu64 " to %" PRIu64 " have no checksum, and the copies differ: the checksums near them show "
				"that mirror %u is right", label, block.first, block.last, part.mirror + 1);
	else if (c->ui && c->ui->bad_block)
		c->ui->bad_block(c->ui->context, &block);
	free(label);
	return true;
}

static bool differs(void *context, const struct csum_gap *gap, struct error *err)
{
	const uint64_t begin = gap->item->disk_bytenr;
	const bool is_known = gap->finding->is_known;
	const unsigned mirror = gap->finding->mirror;
	struct finding *finding = context;
	struct conversion *c = finding->c;
	struct part *part = &finding->part;
	struct extent_part bytes;

	/* Behind the end of the file, nothing is shown. What the last sector has there counts, as it does in reading. */
	if (!extent_part_of(gap->item, gap->file_offset, gap->from - begin, gap->to - begin, &bytes) || bytes.first >= gap->inode->size)
		return true;
	for (uint64_t at = gap->from; at < gap->to; at += CRYPT_BLOCK) {
		if (!ARRAY_ROOM(c->differing.at, c->differing.n, c->differing.room, err))
			return false;
		c->differing.at[c->differing.n++] = at | (is_known ? KNOWN : 0) | mirror;
	}
	if (part->subvolume == gap->subvolume && part->inode == gap->number && part->to == gap->from && part->bytes.last + 1 == bytes.first &&
	    part->is_known == is_known && part->mirror == mirror) {
		part->to = gap->to;
		part->bytes.last = bytes.last;
		return true;
	}
	if (!tell_part(finding, err))
		return false;
	*part = (struct part){ gap->subvolume, gap->number, begin, gap->from, gap->to, bytes, mirror, is_known };
	return true;
}

/* *n_unknown: the number of blocks of which nobody knows which copy is right. */
static bool find(struct finding *finding, uint64_t *n_unknown, struct error *err)
{
	struct conversion_differing *differing = &finding->c->differing;
	const struct csum_gap_search search = { .scan = finding->c->scan, .look = find_differing, .found = differs, .context = finding };
	uint64_t last = UINT64_MAX;

	differing->n = *n_unknown = 0;
	if (!csum_gaps_search(&search, err) || !tell_part(finding, err))
		return false;
	/* Of a block that two items show, what is not known comes first, and counts. */
	differing->n = sort64_unique(differing->at, differing->n);
	for (size_t i = 0; i < differing->n; i++) {
		const uint64_t address = differing->at[i] & ~(uint64_t)(CRYPT_BLOCK - 1);

		*n_unknown += address != last && !(differing->at[i] & KNOWN);
		last = address;
	}
	return true;
}

bool differing_find(struct conversion *c, struct error *err)
{
	struct finding finding = { .c = c };
	uint64_t n;

	return find(&finding, &n, err);
}

bool differing_check(struct conversion *c, bool dry_run, struct error *err)
{
	const bool decided = damage_carries(c) || damage_skips(c);
	struct finding finding = { .c = c, .tells_known = true, .tells_unknown = dry_run || !decided };
	uint64_t n;

	if (!find(&finding, &n, err))
		return false;
	if (dry_run && damage_carries(c))
		c->plan->n_chosen = n;
	else if (dry_run && decided)
		c->plan->n_skipped = n;
	if (n == 0 || decided)
		return true;
	error_set(err, ERROR_CORRUPT, "%" PRIu64 " block%s without checksum%s, listed above, differ%s between the copies, and nothing tells "
		  "which one is right; nothing was changed", n, plural(n), plural(n), n == 1 ? "s" : "");
	return error_hint(err, "--on-error=continue seals the copy that `btrfs-crypt cat` prints, and overwrites the others; --skip-damaged "
			  "leaves them as they are, not sealed");
}

bool differing_at(const struct conversion *c, uint64_t address, unsigned *mirror, bool *is_known)
{
	const uint64_t *at = c->differing.at;
	const size_t found = LOWER_BOUND(i, c->differing.n, at[i] < address);

	if (found == c->differing.n || at[found] - address >= CRYPT_BLOCK)
		return false;
	*mirror = at[found] & (KNOWN - 1);
	*is_known = at[found] & KNOWN;
	return true;
}

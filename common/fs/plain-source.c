/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Extents as they are on disk: checks every stored checksum, takes the next mirror if one does not match, and compares copies without checksums. */
#include "common/fs/source.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/fs/copies.h"
#include "common/fs/data-check.h"
#include "common/fs/path.h"
#include "common/util/hex.h"
#include "common/volume/csum.h"
#include "common/volume/mirror.h"
#include "common/volume/stripe-tree.h"
#include "common/volume/warn.h"

/* Adjacent sectors of a bad mirror that the same good mirror replaced. They get one warning. */
struct repair {
	uint64_t from, to;	/* logical; equal if there are none */
	uint64_t bad_end;	/* physical, on the bad mirror */
	unsigned bad, good;
};

struct check {
	struct volume *volume;
	const struct file_item *item;
	uint64_t logical;	/* address of bytes[0] */
	uint8_t *bytes;
	const struct chunk *chunk;
	unsigned n_mirrors;
	bool lacks_csums;	/* the range being compared between mirrors should have checksums */
	struct repair repair;
};

/* Finds the bytes of the file that [from, to) of the extent holds. */
static void file_range(const struct check *check, uint64_t from, uint64_t to, uint64_t *first, uint64_t *last)
{
	const struct file_extent *e = check->item->extent;
	const uint64_t in_extent = from - e->disk_bytenr;

	*first = check->item->file_offset;
	*last = check->item->file_offset + e->num_bytes - 1;
	if (e->compression == COMPRESS_NONE && in_extent >= e->offset && in_extent - e->offset < e->num_bytes) {
		*first += in_extent - e->offset;
		*last = *first + (to - from) - 1;
	}
}

/* An image that btrfs-image restored has zeros or old bytes instead of file data. That is not damage. */
static bool is_dump(const struct check *check)
{
	return check->volume->super.flags & SUPER_FLAG_METADUMP_V2;
}

static bool not_in_dump(const struct check *check, uint64_t from, uint64_t to, struct error *err)
{
	uint64_t first, last;

	file_range(check, from, to, &first, &last);
	return error_set(err, ERROR_REFUSED, "inode %" PRIu64 " bytes %" PRIu64 " to %" PRIu64 ": the image was restored from a btrfs-image dump, "
			 "which has no data", check->item->inode, first, last);
}

static void tell_repair(struct check *check)
{
	struct repair *r = &check->repair;
	char place[MIRROR_TEXT_SIZE], to[32] = "";

	if (r->from == r->to)
		return;
	if (r->to - r->from > check->volume->super.sector_size)
		snprintf(to, sizeof(to), " to %" PRIu64, r->to - 1);
	volume_warn_at(check->volume, r->from, r->to - r->from, "data at %" PRIu64 "%s: mirror %u does not match its checksum, mirror %u does (%s)",
		       r->from, to, r->bad + 1, r->good + 1, volume_mirror_text(check->volume, r->from, r->bad, place));
	r->from = r->to;
}

static void note_repair(void *context, uint64_t logical, unsigned bad, unsigned good)
{
	struct check *check = context;
	const uint32_t sector_size = check->volume->super.sector_size;
	struct repair *r = &check->repair;
	struct stripe_place place;
	struct error unknown;

	/* This cannot fail: the sector was just read from there. */
	(void)!volume_place(check->volume, check->chunk, logical, bad, &place, &unknown);

	const uint64_t physical = place.physical;

	if (r->from == r->to || r->to != logical || r->bad_end != physical || r->bad != bad || r->good != good) {
		tell_repair(check);
		*r = (struct repair){ .from = logical, .bad = bad, .good = good };
	}
	r->to = logical + sector_size;
	r->bad_end = physical + sector_size;
}

static void tell_doubt(const struct check *check, uint64_t from, uint64_t to, const char *text)
{
	struct report doubt = { .kind = REPORT_DOUBTFUL, .inode = check->item->inode, .logical = from, .disk_length = to - from, .text = text };

	file_range(check, from, to, &doubt.first, &doubt.end);
	doubt.end++;
	report_to(&check->volume->reporter, &doubt);
}

/* A tolerant read hands out the bytes as they are and reports what is wrong. False: keeps the error. */
static bool give_invalid(const struct check *check, uint64_t from, uint64_t to, struct error *err)
{
	if (!check->volume->tolerance.is_tolerant || !error_is_damage(err))
		return false;
	tell_doubt(check, from, to, err->text);
	*err = (struct error){ 0 };
	return true;
}

static bool mismatch(void *context, uint64_t logical, const uint8_t *sector, const uint8_t *want, struct error *err)
{
	const struct check *check = context;
	const struct superblock *super = &check->volume->super;
	const size_t csum_size = csum_type_size(super->csum_type);
	char have_text[2 * CSUM_SIZE + 1], want_text[2 * CSUM_SIZE + 1];
	uint8_t have[CSUM_SIZE];
	uint64_t first, last;

	if (is_dump(check))
		return not_in_dump(check, logical, logical + super->sector_size, err);
	file_range(check, logical, logical + super->sector_size, &first, &last);
	csum_compute(super->csum_type, sector, super->sector_size, have);
	hex_text(have, csum_size, have_text);
	hex_text(want, csum_size, want_text);
	error_set(err, ERROR_CORRUPT,
		  "inode %" PRIu64 " bytes %" PRIu64 " to %" PRIu64 ": data at %" PRIu64 ": %s is %s, the csum tree has %s%s",
		  check->item->inode, first, last, logical, csum_type_name(super->csum_type), have_text, want_text,
		  check->n_mirrors > 1 ? ", and no mirror matches" : "");
	return error_at(err, logical, super->sector_size) || give_invalid(check, logical, logical + super->sector_size, err);
}

static void tell_copies(void *context, const struct copies_finding *finding)
{
	const struct check *check = context;
	uint64_t first, last;
	char text[1100];

	snprintf(text, sizeof(text), "data at %" PRIu64 " %s", finding->from, finding->text);
	if (!finding->is_known && !check->lacks_csums)
		return tell_doubt(check, finding->from, finding->to, text);
	file_range(check, finding->from, finding->to, &first, &last);
	volume_warn_at(check->volume, finding->from, finding->to - finding->from, "inode %" PRIu64 " bytes %" PRIu64 " to %" PRIu64 ": %s",
		       check->item->inode, first, last, text);
}

/* A kernel takes checksums missing from the csum tree for damage, except for inodes that are flagged to have none. */
static bool tell_absent(struct check *check, uint64_t from, uint64_t to, struct error *err)
{
	struct error unknown = { 0 };
	struct inode inode;
	char text[128];

	check->lacks_csums = false;
	if (!inode_get(check->item->subvolume, check->item->inode, &inode, &unknown)) {
		if (error_is_damage(&unknown))
			return true;	/* a lost inode item is reported elsewhere */
		return *err = unknown, false;
	}
	check->lacks_csums = !(inode.flags & INODE_NODATASUM);
	if (!check->lacks_csums)
		return true;
	snprintf(text, sizeof(text), "data at %" PRIu64 " have no checksum in the csum tree, but should have one", from);
	tell_doubt(check, from, to, text);
	return true;
}

/* Compares the copies of data without checksums. */
static bool compare_copies(void *context, uint64_t logical, size_t n_sectors, const uint8_t *csums, struct error *err)
{
	struct check *check = context;
	const struct copies copies = { .volume = check->volume, .chunk = check->chunk, .tell = tell_copies, .context = check };
	const size_t len = n_sectors * check->volume->super.sector_size;

	if (csums)
		return true;
	if (is_dump(check))
		return not_in_dump(check, logical, logical + len, err);
	return tell_absent(check, logical, logical + len, err) &&
	       copies_compare(&copies, logical, check->bytes + (logical - check->logical), len, err);
}

static bool read_data(struct extent_source *source, const struct file_item *item, uint64_t offset, void *bytes, size_t len, struct error *err)
{
	const struct file_extent *e = item->extent;
	struct volume *volume = item->subvolume->volume;
	struct check check = { .volume = volume, .item = item, .logical = e->disk_bytenr + offset, .bytes = bytes };
	bool ok;

	(void)source;
	if (offset > e->disk_num_bytes || len > e->disk_num_bytes - offset)
		return error_set(err, ERROR_CORRUPT,
				 "inode %" PRIu64 " extent item at %" PRIu64 ": offset %" PRIu64 "+%zu is past its %" PRIu64 " bytes on disk",
				 item->inode, item->file_offset, offset, len, e->disk_num_bytes);
	if (!volume_chunk(volume, check.logical, &check.chunk, err))
		return error_prefix(err, "inode %" PRIu64 " extent item at %" PRIu64, item->inode, item->file_offset);
	check.n_mirrors = chunk_n_mirrors(check.chunk);
	if (!volume_read_any(volume, check.logical, bytes, len, err))
		return error_at(err, check.logical, len) || error_prefix(err, "inode %" PRIu64 " extent item at %" PRIu64, item->inode, item->file_offset);

	const struct data_check data = {
		.volume = volume, .n_mirrors = check.n_mirrors, .logical = check.logical, .bytes = bytes, .len = len,
		.run = compare_copies, .other = note_repair, .wrong = mismatch, .context = &check,
	};

	ok = data_check(&data, err) || give_invalid(&check, check.logical, check.logical + len, err);
	tell_repair(&check);
	return ok;
}

static bool read_inline(struct extent_source *source, const struct file_item *item, uint8_t *out, struct error *err)
{
	const struct file_extent *e = item->extent;

	(void)source;
	if (item->subvolume->volume->super.flags & SUPER_FLAG_METADUMP_V2 && e->payload.left > 0)
		return error_set(err, ERROR_REFUSED, "inode %" PRIu64 " bytes %" PRIu64 " to %" PRIu64 ": the image was restored from a btrfs-image "
				 "dump, which has no data", item->inode, item->file_offset, item->file_offset + e->ram_bytes - 1);
	memcpy(out, e->payload.at, e->payload.left);
	return true;
}

struct extent_source plain_source = { .read = read_data, .read_inline = read_inline };

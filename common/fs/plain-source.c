/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Extents as they are on disk: every stored checksum checked, the next mirror where one does not match. */
#include "common/fs/file-data.h"

#include <inttypes.h>
#include <stdlib.h>

#include "common/util/hex.h"
#include "common/volume/warn.h"

struct check {
	struct volume *volume;
	uint64_t inode, file_offset;
	const struct file_extent *extent;
	uint64_t logical;	/* of bytes[0] */
	uint8_t *bytes;
	uint8_t *spare;		/* one sector, taken at the first mismatch */
	unsigned n_mirrors;
};

/* The bytes of the file that a sector of the extent stands for. */
static bool mismatch(const struct check *check, uint64_t logical, const uint8_t *have, const uint8_t *want, struct error *err)
{
	const struct superblock *super = &check->volume->super;
	const struct file_extent *e = check->extent;
	const uint64_t in_extent = logical - e->disk_bytenr;
	const size_t csum_size = csum_type_size(super->csum_type);
	char have_text[2 * CSUM_SIZE + 1], want_text[2 * CSUM_SIZE + 1];
	uint64_t first = check->file_offset, last = check->file_offset + e->num_bytes - 1;

	if (e->compression == COMPRESS_NONE && in_extent >= e->offset && in_extent - e->offset < e->num_bytes) {
		first += in_extent - e->offset;
		last = first + super->sector_size - 1;
	}
	hex_text(have, csum_size, have_text);
	hex_text(want, csum_size, want_text);
	return error_set(err, ERROR_CORRUPT,
			 "inode %" PRIu64 " bytes %" PRIu64 " to %" PRIu64 ": data at %" PRIu64 ": %s is %s, the csum tree has %s%s",
			 check->inode, first, last, logical, csum_type_name(super->csum_type), have_text, want_text,
			 check->n_mirrors > 1 ? ", and no mirror matches" : "");
}

/* Puts the first mirror's sector that matches in the place of one that does not, and names the one that it should have been. */
static bool repair_sector(struct check *check, uint64_t logical, uint8_t *sector, const uint8_t *want, struct error *err)
{
	const struct superblock *super = &check->volume->super;
	const size_t csum_size = csum_type_size(super->csum_type);
	uint8_t have[CSUM_SIZE];
	char place[MIRROR_TEXT_SIZE];
	unsigned bad = check->n_mirrors;

	if (!check->spare && !(check->spare = malloc(super->sector_size)))
		return error_memory(err);
	for (unsigned mirror = 0; mirror < check->n_mirrors; mirror++) {
		struct error unread = { 0 };

		if (!volume_read(check->volume, logical, check->spare, super->sector_size, mirror, &unread))
			continue;
		csum_compute(super->csum_type, check->spare, super->sector_size, have);
		if (memcmp(have, want, csum_size) != 0) {
			bad = bad < check->n_mirrors ? bad : mirror;
			continue;
		}
		memcpy(sector, check->spare, super->sector_size);
		if (bad < check->n_mirrors)
			volume_warn(check->volume, "data at %" PRIu64 ": mirror %u does not match its checksum, mirror %u does (%s)", logical,
				    bad + 1, mirror + 1, volume_mirror_text(check->volume, logical, bad, place));
		return true;
	}
	csum_compute(super->csum_type, sector, super->sector_size, have);
	return mismatch(check, logical, have, want, err);
}

static bool check_run(void *context, uint64_t logical, size_t n_sectors, const uint8_t *csums, struct error *err)
{
	struct check *check = context;
	const struct superblock *super = &check->volume->super;
	const size_t csum_size = csum_type_size(super->csum_type);
	uint8_t *sector = check->bytes + (logical - check->logical);
	uint8_t have[CSUM_SIZE];

	for (size_t i = 0; i < n_sectors; i++) {
		csum_compute(super->csum_type, sector, super->sector_size, have);
		if (memcmp(have, csums, csum_size) != 0 && !repair_sector(check, logical, sector, csums, err))
			return false;
		logical += super->sector_size;
		sector += super->sector_size;
		csums += csum_size;
	}
	return true;
}

static bool plain_read(struct extent_source *source, const struct tree *subvolume, uint64_t inode, const struct file_extent *e,
		       uint64_t file_offset, uint64_t offset, void *bytes, size_t len, struct error *err)
{
	struct volume *volume = subvolume->volume;
	struct check check = {
		.volume = volume,
		.inode = inode,
		.file_offset = file_offset,
		.extent = e,
		.logical = e->disk_bytenr + offset,
		.bytes = bytes,
	};
	const struct chunk *chunk;
	bool ok;

	(void)source;
	if (offset > e->disk_num_bytes || len > e->disk_num_bytes - offset)
		return error_set(err, ERROR_CORRUPT,
				 "inode %" PRIu64 " extent item at %" PRIu64 ": offset %" PRIu64 "+%zu is past its %" PRIu64 " bytes on disk",
				 inode, file_offset, offset, len, e->disk_num_bytes);
	if (!volume_chunk(volume, check.logical, &chunk, err))
		return error_prefix(err, "inode %" PRIu64 " extent item at %" PRIu64, inode, file_offset);
	check.n_mirrors = chunk_n_mirrors(chunk);
	if (!volume_read_any(volume, check.logical, bytes, len, err))
		return error_prefix(err, "inode %" PRIu64 " extent item at %" PRIu64, inode, file_offset);
	ok = csum_lookup(volume, check.logical, len, check_run, &check, err);
	free(check.spare);
	return ok;
}

static bool plain_read_inline(struct extent_source *source, const struct tree *subvolume, uint64_t inode, uint64_t file_offset,
			      const struct file_extent *e, uint8_t *out, struct error *err)
{
	(void)source, (void)subvolume, (void)inode, (void)file_offset, (void)err;
	memcpy(out, e->payload.at, e->payload.left);
	return true;
}

struct extent_source plain_source = { plain_read, plain_read_inline };

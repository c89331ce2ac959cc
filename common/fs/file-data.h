/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The bytes of a file: extents in order, holes as zeros, decompressed, checksums checked, decrypted where a source says so. */
#ifndef COMMON_FS_FILE_DATA_H
#define COMMON_FS_FILE_DATA_H

#include "common/tree/tree.h"
#include "format/file-extent.h"

/*
 * Where the bytes of extents come from.  The plain source below reads the disk and checks checksums (next mirror on a mismatch;
 * ERROR_CORRUPT where no mirror is right); a sealed domain has one of its own (domain-read.h).
 */
struct extent_source {
	/* len bytes at offset in the on-disk extent of e; both multiples of the sector size.  file_offset: of the item, for messages. */
	bool (*read)(struct extent_source *source, const struct tree *subvolume, uint64_t inode, const struct file_extent *e,
		     uint64_t file_offset, uint64_t offset, void *bytes, size_t len, struct error *err);
	/* Inline payload of e into out (e->payload.left bytes). */
	bool (*read_inline)(struct extent_source *source, const struct tree *subvolume, uint64_t inode, uint64_t file_offset,
			    const struct file_extent *e, uint8_t *out, struct error *err);
};

/* Reads from disk with checksums; stateless. */
extern struct extent_source plain_source;

/* Hands out the file in order, in pieces of at most 1 MiB; holes as zeros.  size: bytes of the file (i_size). */
typedef bool file_write(void *context, const void *bytes, size_t len, struct error *err);
bool file_read(struct extent_source *source, const struct tree *subvolume, uint64_t inode, file_write *write, void *context,
	       struct error *err) must_use;

/* Decompresses exactly out_len bytes (shorter input is zero padded: ERROR_CORRUPT for anything invalid).  sector_size matters to LZO. */
bool decompress(uint8_t compression, const uint8_t *in, size_t in_len, uint8_t *out, size_t out_len, uint32_t sector_size,
		struct error *err) must_use;

/*
 * Stored checksums of data: calls visit for each run of sectors of [logical, +len) that has them, csums borrowed
 * (n * csum size bytes), in address order.  Sectors without are left out.
 */
typedef bool csum_visit(void *context, uint64_t logical, size_t n_sectors, const uint8_t *csums, struct error *err);
/* In the csum tree, or in a log tree, which has the same items. */
bool csum_lookup_in(const struct tree *tree, uint64_t logical, uint64_t len, csum_visit *visit, void *context, struct error *err) must_use;
bool csum_lookup(struct volume *volume, uint64_t logical, uint64_t len, csum_visit *visit, void *context, struct error *err) must_use;

#endif /* COMMON_FS_FILE_DATA_H */

/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The bytes of a file: extents in order, holes as zeros, decompressed, checksums checked, decrypted if the source does so. */
#ifndef COMMON_FS_FILE_DATA_H
#define COMMON_FS_FILE_DATA_H

#include "common/tree/tree.h"
#include "format/file-extent.h"

/*
 * Where the bytes of extents come from. The plain source below reads the disk and checks checksums (tries the next mirror on a mismatch;
 * ERROR_CORRUPT if no mirror is right). A sealed domain has a source of its own (domain-read.h).
 */
struct extent_source {
	/*
	 * Reads len bytes at offset in the on-disk extent of e, both multiples of the sector size. file_offset: of the item, for messages.
	 */
	bool (*read)(struct extent_source *source, const struct tree *subvolume, uint64_t inode, const struct file_extent *e,
		     uint64_t file_offset, uint64_t offset, void *bytes, size_t len, struct error *err);
	/* Reads the inline payload of e into out (e->payload.left bytes). */
	bool (*read_inline)(struct extent_source *source, const struct tree *subvolume, uint64_t inode, uint64_t file_offset,
			    const struct file_extent *e, uint8_t *out, struct error *err);
};

/* Reads from disk with checksums. Stateless. */
extern struct extent_source plain_source;

/* Passes the file on in order, in pieces of at most 1 MiB, with holes as zeros. size: bytes of the file (i_size). */
typedef bool file_write(void *context, const void *bytes, size_t len, struct error *err);
bool file_read(struct extent_source *source, const struct tree *subvolume, uint64_t inode, file_write *write, void *context,
	       struct error *err) must_use;

/* Decompresses exactly out_len bytes (shorter input is zero padded; ERROR_CORRUPT for anything invalid). LZO needs sector_size. */
bool decompress(uint8_t compression, const uint8_t *in, size_t in_len, uint8_t *out, size_t out_len, uint32_t sector_size,
		struct error *err) must_use;

/*
 * Looks up stored checksums of data: calls visit in address order for each run of sectors of [logical, +len) that has them, csums borrowed
 * (n * csum size bytes). Sectors without checksums are left out.
 */
typedef bool csum_visit(void *context, uint64_t logical, size_t n_sectors, const uint8_t *csums, struct error *err);
/* Looks in the csum tree, or in a log tree, which has the same items. */
bool csum_lookup_in(const struct tree *tree, uint64_t logical, uint64_t len, csum_visit *visit, void *context, struct error *err) must_use;
bool csum_lookup(struct volume *volume, uint64_t logical, uint64_t len, csum_visit *visit, void *context, struct error *err) must_use;

#endif /* COMMON_FS_FILE_DATA_H */

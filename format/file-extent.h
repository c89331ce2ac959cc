/* SPDX-License-Identifier: GPL-2.0-or-later */
/* EXTENT_DATA items: where the bytes of a file are. */
#ifndef FORMAT_FILE_EXTENT_H
#define FORMAT_FILE_EXTENT_H

#include "format/cursor.h"
#include "format/ondisk.h"

#define FILE_EXTENT_COMPRESSED_MAX (128u << 10)	/* a compressed extent is never larger, on disk or decoded */

struct file_extent {
	uint64_t generation;
	uint64_t ram_bytes;		/* decoded bytes of the whole extent */
	uint8_t compression;		/* COMPRESS_* */
	uint8_t encryption;
	uint16_t other_encoding;	/* SEAL_MARK on sealed extents */
	uint8_t type;			/* FILE_EXTENT_* */
	uint64_t disk_bytenr;		/* 0: a hole */
	uint64_t disk_num_bytes;
	uint64_t offset;		/* into the decoded extent */
	uint64_t num_bytes;		/* of the file */
	struct cursor payload;		/* FILE_EXTENT_INLINE: borrowed from the leaf */
};

/*
 * Reads the payload of an EXTENT_DATA item with key offset file_offset. REG and PREALLOC: exactly 53 bytes, everything a multiple of
 * sector_size, nothing wraps, num_bytes > 0, compression <= 3, type <= 2. With a disk address, if compressed: offset + num_bytes <=
 * ram_bytes, and neither ram_bytes nor disk_num_bytes exceeds FILE_EXTENT_COMPRESSED_MAX; if not compressed: offset + num_bytes <=
 * disk_num_bytes, and ram_bytes is ignored. INLINE: file_offset 0, uncompressed payload length == ram_bytes, compressed ram_bytes bounded
 * as above.
 */
bool file_extent_read(struct cursor *item, uint64_t file_offset, uint32_t sector_size, struct file_extent *extent,
		      struct error *err) must_use;

static inline bool file_extent_has_disk(const struct file_extent *e)
{
	return e->type != FILE_EXTENT_INLINE && e->disk_bytenr != 0;
}

#endif /* FORMAT_FILE_EXTENT_H */

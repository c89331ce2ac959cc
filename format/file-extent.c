/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Checks file extents, so that afterwards no offset or length leads out of an extent. */
#include "format/file-extent.h"

#include <inttypes.h>

#define corrupt(format, ...) \
	error_set(err, ERROR_CORRUPT, "file extent at %#" PRIx64 ": " format, where, __VA_ARGS__)

static bool check_compressed(const struct file_extent *extent, uint64_t where, struct error *err)
{
	if (extent->compression > COMPRESS_ZSTD)
		return corrupt("compression is %u, not 0 to %u", extent->compression, COMPRESS_ZSTD);
	if (extent->compression == COMPRESS_NONE)
		return true;
	if (extent->ram_bytes > FILE_EXTENT_COMPRESSED_MAX)
		return corrupt("ram_bytes is %" PRIu64 ", at most %u when compressed", extent->ram_bytes,
			       FILE_EXTENT_COMPRESSED_MAX);
	return true;
}

static bool check_aligned(const char *name, uint64_t value, uint32_t sector_size, uint64_t where, struct error *err)
{
	return value % sector_size == 0 ||
	       corrupt("%s is %" PRIu64 ", not a multiple of %u", name, value, sector_size);
}

static bool check_disk(const struct file_extent *extent, uint64_t where, struct error *err)
{
	/* Old kernels left a wrong ram_bytes in extents that are not compressed. Nothing reads it there. */
	const bool compressed = extent->compression != COMPRESS_NONE;
	const uint64_t decoded = compressed ? extent->ram_bytes : extent->disk_num_bytes;

	if (extent->disk_num_bytes == 0)
		return corrupt("disk_num_bytes is 0, the extent has a disk address %#" PRIx64, extent->disk_bytenr);
	if (extent->disk_num_bytes > UINT64_MAX - extent->disk_bytenr)
		return corrupt("disk_num_bytes is %" PRIu64 ", past the end of addresses from %#" PRIx64,
			       extent->disk_num_bytes, extent->disk_bytenr);
	if (compressed && extent->disk_num_bytes > FILE_EXTENT_COMPRESSED_MAX)
		return corrupt("disk_num_bytes is %" PRIu64 ", at most %u when compressed", extent->disk_num_bytes,
			       FILE_EXTENT_COMPRESSED_MAX);
	if (extent->offset > decoded || extent->num_bytes > decoded - extent->offset)
		return corrupt("offset is %" PRIu64 " and num_bytes is %" PRIu64 ", past the extent's %" PRIu64,
			       extent->offset, extent->num_bytes, decoded);
	return true;
}

static bool check_regular(const struct file_extent *extent, uint64_t file_offset, uint32_t sector_size, uint64_t where,
			  struct error *err)
{
	if (!check_aligned("key offset", file_offset, sector_size, where, err) ||
	    !check_aligned("ram_bytes", extent->ram_bytes, sector_size, where, err) ||
	    !check_aligned("disk_bytenr", extent->disk_bytenr, sector_size, where, err) ||
	    !check_aligned("disk_num_bytes", extent->disk_num_bytes, sector_size, where, err) ||
	    !check_aligned("offset", extent->offset, sector_size, where, err) ||
	    !check_aligned("num_bytes", extent->num_bytes, sector_size, where, err))
		return false;
	if (extent->num_bytes == 0)
		return corrupt("num_bytes is 0, not at least %u", sector_size);
	if (extent->num_bytes > UINT64_MAX - file_offset)
		return corrupt("num_bytes is %" PRIu64 ", past the end of a file from %" PRIu64, extent->num_bytes,
			       file_offset);
	return extent->disk_bytenr == 0 || check_disk(extent, where, err);
}

static bool check_inline(const struct file_extent *extent, uint64_t file_offset, uint64_t where, struct error *err)
{
	if (file_offset != 0)
		return corrupt("key offset is %" PRIu64 ", 0 when inline", file_offset);
	if (extent->compression == COMPRESS_NONE && extent->ram_bytes != extent->payload.left)
		return corrupt("ram_bytes is %" PRIu64 ", the payload has %zu", extent->ram_bytes, extent->payload.left);
	return true;
}

bool file_extent_read(struct cursor *item, uint64_t file_offset, uint32_t sector_size, struct file_extent *out,
		      struct error *err)
{
	const uint64_t where = item->offset;
	const size_t tail_size = sizeof(struct disk_file_extent) - FILE_EXTENT_INLINE_HEADER;
	struct disk_file_extent disk = { 0 };

	if (!cursor_read(item, &disk, FILE_EXTENT_INLINE_HEADER))
		return corrupt("%zu bytes, a header takes %u", item->left, FILE_EXTENT_INLINE_HEADER);

	struct file_extent extent = {
		.generation = le64(disk.generation),
		.ram_bytes = le64(disk.ram_bytes),
		.compression = disk.compression,
		.encryption = disk.encryption,
		.other_encoding = le16(disk.other_encoding),
		.type = disk.type,
	};

	if (!check_compressed(&extent, where, err))
		return false;
	if (extent.type > FILE_EXTENT_PREALLOC)
		return corrupt("type is %u, not 0 to %u", extent.type, FILE_EXTENT_PREALLOC);
	if (extent.type == FILE_EXTENT_INLINE) {
		if (!cursor_take(item, item->left, &extent.payload) || !check_inline(&extent, file_offset, where, err))
			return false;
	} else {
		if (item->left != tail_size || !cursor_read(item, &disk.disk_bytenr, tail_size))
			return corrupt("%zu bytes after the header, not %zu", item->left, tail_size);
		extent.disk_bytenr = le64(disk.disk_bytenr);
		extent.disk_num_bytes = le64(disk.disk_num_bytes);
		extent.offset = le64(disk.offset);
		extent.num_bytes = le64(disk.num_bytes);
		if (!check_regular(&extent, file_offset, sector_size, where, err))
			return false;
	}
	*out = extent;
	return true;
}

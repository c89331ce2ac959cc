/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Reads a file from its first byte to its last: items in order, holes as zeros, compressed extents decoded. */
#include "common/fs/file-data.h"

#include <inttypes.h>
#include <stdlib.h>

#include "common/crypto/secret.h"
#include "common/fs/path.h"

#define PIECE (1u << 20)
static_assert(PIECE >= NODE_SIZE_MAX, "an inline extent is one piece");

struct reading {
	struct extent_source *source;
	const struct tree *subvolume;
	uint64_t inode;
	uint64_t size;		/* i_size: no byte behind it is handed out */
	uint64_t at;		/* bytes handed out so far */
	file_write *write;
	void *context;
	uint8_t *piece;		/* PIECE bytes */
	uint8_t *packed, *decoded;	/* FILE_EXTENT_COMPRESSED_MAX each, allocated at the first compressed extent */
	struct file_extent last;	/* the extent in decoded: many items may refer to one compressed extent */
};

/* Adds to the error which item it is about. */
static bool name_extent(const struct reading *r, uint64_t file_offset, struct error *err)
{
	return error_prefix(err, "inode %" PRIu64 " extent item at %" PRIu64, r->inode, file_offset);
}

static bool hand_out(struct reading *r, const uint8_t *bytes, uint64_t len, struct error *err)
{
	if (len > r->size - r->at)
		len = r->size - r->at;
	for (uint64_t done = 0; done < len; ) {
		const size_t n = len - done < PIECE ? len - done : PIECE;

		if (!r->write(r->context, bytes + done, n, err))
			return false;
		done += n;
	}
	r->at += len;
	return true;
}

static bool hand_out_zeros(struct reading *r, uint64_t end, struct error *err)
{
	if (end > r->size)
		end = r->size;
	if (r->at < end)
		memset(r->piece, 0, end - r->at < PIECE ? end - r->at : PIECE);
	while (r->at < end) {
		if (!hand_out(r, r->piece, end - r->at < PIECE ? end - r->at : PIECE, err))
			return false;
	}
	return true;
}

static bool take_decode_buffers(struct reading *r, struct error *err)
{
	if (!r->packed)
		r->packed = malloc(FILE_EXTENT_COMPRESSED_MAX);
	if (!r->decoded)
		r->decoded = malloc(FILE_EXTENT_COMPRESSED_MAX);
	return (r->packed && r->decoded) || error_memory(err);
}

static bool give_inline(struct reading *r, uint64_t file_offset, const struct file_extent *e, struct error *err)
{
	if (!r->source->read_inline(r->source, r->subvolume, r->inode, file_offset, e, r->piece, err))
		return false;
	if (e->compression == COMPRESS_NONE)
		return hand_out(r, r->piece, e->payload.left, err);
	r->last.disk_bytenr = 0;
	if (!take_decode_buffers(r, err) ||
	    !decompress(e->compression, r->piece, e->payload.left, r->decoded, e->ram_bytes,
			r->subvolume->volume->super.sector_size, err))
		return name_extent(r, file_offset, err);
	return hand_out(r, r->decoded, e->ram_bytes, err);
}

static bool is_decoded(const struct reading *r, const struct file_extent *e)
{
	return r->last.disk_bytenr == e->disk_bytenr && r->last.disk_num_bytes == e->disk_num_bytes &&
	       r->last.ram_bytes == e->ram_bytes && r->last.compression == e->compression &&
	       r->last.other_encoding == e->other_encoding;
}

static bool give_compressed(struct reading *r, uint64_t file_offset, const struct file_extent *e, struct error *err)
{
	if (!is_decoded(r, e)) {
		r->last.disk_bytenr = 0;
		if (!take_decode_buffers(r, err))
			return false;
		if (!r->source->read(r->source, r->subvolume, r->inode, e, file_offset, 0, r->packed, e->disk_num_bytes, err))
			return false;
		if (!decompress(e->compression, r->packed, e->disk_num_bytes, r->decoded, e->ram_bytes,
				r->subvolume->volume->super.sector_size, err))
			return name_extent(r, file_offset, err);
		r->last = *e;
	}
	return hand_out(r, r->decoded + e->offset, e->num_bytes, err);
}

/* Reads whole sectors, but none behind the end of the file: nobody needs to know whether those are good. */
static bool give_plain(struct reading *r, uint64_t file_offset, const struct file_extent *e, struct error *err)
{
	const uint64_t sector = r->subvolume->volume->super.sector_size;
	const uint64_t wanted = (r->size - r->at + sector - 1) / sector * sector;
	const uint64_t len = e->num_bytes < wanted ? e->num_bytes : wanted;

	for (uint64_t done = 0; done < len; ) {
		const size_t n = len - done < PIECE ? len - done : PIECE;

		if (!r->source->read(r->source, r->subvolume, r->inode, e, file_offset, e->offset + done, r->piece, n, err) ||
		    !hand_out(r, r->piece, n, err))
			return false;
		done += n;
	}
	return true;
}

static bool check_readable(const struct reading *r, uint64_t file_offset, const struct file_extent *e, uint64_t end,
			   struct error *err)
{
	if (file_offset < end)
		return error_set(err, ERROR_CORRUPT, "begins before the previous item ends, at %" PRIu64, end);
	if (e->encryption != 0)
		return error_set(err, ERROR_REFUSED, "encryption is %u, which this version cannot read", e->encryption);
	if (e->type == FILE_EXTENT_REG && e->other_encoding == SEAL_MARK && r->source == &plain_source)
		return error_set(err, ERROR_KEY, "the extent is sealed and no key was given");
	return true;
}

/* Hands out one item. *end: where it ends in the file. */
static bool give_extent(struct reading *r, uint64_t file_offset, struct cursor *item, uint64_t *end, struct error *err)
{
	struct file_extent e;

	if (!file_extent_read(item, file_offset, r->subvolume->volume->super.sector_size, &e, err))
		return error_prefix(err, "inode %" PRIu64, r->inode);
	if (!check_readable(r, file_offset, &e, *end, err))
		return name_extent(r, file_offset, err);

	const uint64_t len = e.type == FILE_EXTENT_INLINE ? e.ram_bytes : e.num_bytes;

	*end = file_offset + len;
	if (!hand_out_zeros(r, file_offset, err))
		return false;
	if (e.type == FILE_EXTENT_INLINE)
		return give_inline(r, file_offset, &e, err);
	if (e.type == FILE_EXTENT_PREALLOC || e.disk_bytenr == 0)
		return hand_out_zeros(r, *end, err);
	return e.compression == COMPRESS_NONE ? give_plain(r, file_offset, &e, err) : give_compressed(r, file_offset, &e, err);
}

static bool give_file(struct reading *r, struct error *err)
{
	const struct key first = { r->inode, KEY_EXTENT_DATA, 0 };
	cleanup_tree_iter struct tree_iter iter = { 0 };
	uint64_t end = 0;

	if (!tree_seek(r->subvolume, &first, &iter, err))
		return false;
	while (r->at < r->size && iter.valid && iter.key.objectid == r->inode && iter.key.type == KEY_EXTENT_DATA) {
		if (!give_extent(r, iter.key.offset, &iter.item, &end, err) || !tree_next(&iter, err))
			return false;
	}
	return hand_out_zeros(r, r->size, err);
}

bool file_read(struct extent_source *source, const struct tree *subvolume, uint64_t inode, file_write *write, void *context,
	       struct error *err)
{
	struct reading reading = {
		.source = source,
		.subvolume = subvolume,
		.inode = inode,
		.write = write,
		.context = context,
	};
	struct inode item;
	bool ok;

	if (!inode_get(subvolume, inode, &item, err))
		return false;
	if (item.size > INT64_MAX)
		return error_set(err, ERROR_CORRUPT, "inode %" PRIu64 ": size is %" PRIu64 ", at most %" PRId64 " is possible", inode,
				 item.size, INT64_MAX);
	reading.size = item.size;
	reading.piece = malloc(PIECE);
	ok = reading.piece ? give_file(&reading, err) : error_memory(err);
	wiped_free(reading.piece, PIECE);
	wiped_free(reading.packed, FILE_EXTENT_COMPRESSED_MAX);
	wiped_free(reading.decoded, FILE_EXTENT_COMPRESSED_MAX);
	return ok;
}

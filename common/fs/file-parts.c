/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Reads a file as far as possible: halves a part that fails, down to single sectors, and names what stays unreadable. */
#include "common/fs/file-parts.h"

#include <inttypes.h>
#include <stdlib.h>

#include "common/crypto/secret.h"
#include "common/fs/decompress.h"
#include "common/fs/path.h"
#include "common/tree/tree-gap.h"
#include "common/util/array.h"
#include "format/fscrypt.h"

#define PIECE (1u << 20)

/* --- the map ---------------------------------------------------------------------------------------------------- */

static bool add_range(struct file_map *map, uint64_t offset, uint64_t len, struct error *err)
{
	struct file_range *last = map->n > 0 ? &map->at[map->n - 1] : NULL;

	if (last && (last->offset + last->len == offset || map->n == FILE_MAP_MAX)) {
		map->bytes += offset + len - last->offset - last->len;
		last->len = offset + len - last->offset;
		return true;
	}
	if (!ARRAY_ROOM(map->at, map->n, map->n_allocated, err))
		return false;
	map->at[map->n++] = (struct file_range){ offset, len };
	map->bytes += len;
	return true;
}

static uint64_t file_bytes(const struct file_extent *e)
{
	return e->type == FILE_EXTENT_INLINE ? e->ram_bytes : e->num_bytes;
}

static bool is_item_of(const struct tree_iter *iter, uint64_t inode)
{
	return iter->valid && iter->key.objectid == inode && iter->key.type == KEY_EXTENT_DATA;
}

bool file_map_read(const struct tree *subvolume, uint64_t inode, uint64_t size, struct file_map *map, struct error *err)
{
	const struct key first = { inode, KEY_EXTENT_DATA, 0 };
	cleanup_tree_iter struct tree_iter iter = { 0 };
	uint64_t end = 0;

	*map = (struct file_map){ .at = map->at, .n_allocated = map->n_allocated };
	if (!tree_seek_over(subvolume, &first, &iter, NULL, NULL, err))
		return false;
	while (is_item_of(&iter, inode)) {
		const uint64_t offset = iter.key.offset;
		struct error ignored = { 0 };
		struct file_extent e;

		if (offset >= end && offset < size &&
		    file_extent_read(&iter.item, offset, subvolume->volume->super.sector_size, &e, &ignored)) {
			end = offset + file_bytes(&e);
			map->has_sealed |= e.type == FILE_EXTENT_REG && e.other_encoding == SEAL_MARK;
			map->has_inline |= e.type == FILE_EXTENT_INLINE && e.payload.left > 0;
			if (e.type != FILE_EXTENT_PREALLOC && (e.type == FILE_EXTENT_INLINE || e.disk_bytenr != 0) && end > offset &&
			    !add_range(map, offset, (end < size ? end : size) - offset, err))
				return false;
		}
		if (!tree_next_over(&iter, NULL, NULL, err))
			return false;
	}
	return true;
}

void file_map_free(struct file_map *map)
{
	free(map->at);
	*map = (struct file_map){ 0 };
}

/* --- the bytes -------------------------------------------------------------------------------------------------- */

struct file_reader {
	uint8_t piece[PIECE];
	uint8_t packed[FILE_EXTENT_COMPRESSED_MAX], decoded[FILE_EXTENT_COMPRESSED_MAX];
	struct file_extent last;	/* the extent in decoded: many items may refer to one compressed extent */
	/* About the current file: */
	struct extent_source *source;
	const struct tree *subvolume;
	uint64_t inode;
	uint64_t first, size;		/* the wanted range: nothing before first, nothing from size on */
	bool ciphertext;
	const struct file_sink *sink;
	uint64_t end;			/* the end of what was read so far */
	bool is_gap;			/* items may be missing behind it; error says why */
	struct error gap;
	uint64_t lost_first, lost_end;	/* bytes not reported yet */
	struct error lost_why;
};
static_assert(PIECE >= NODE_SIZE_MAX, "an inline extent is one piece");

static bool tell_lost(struct file_reader *r, struct error *err)
{
	struct report report = report_of(REPORT_LOST, &r->lost_why);

	if (r->lost_first == r->lost_end)
		return true;
	if (!r->sink->report)
		return *err = r->lost_why, false;
	report.inode = r->inode;
	report.first = r->lost_first;
	report.end = r->lost_end;
	r->lost_first = r->lost_end = 0;
	r->sink->report(r->sink->context, &report);
	return true;
}

/* Reports adjacent lost ranges as one. */
static bool lose(struct file_reader *r, uint64_t first, uint64_t end, const struct error *what, struct error *err)
{
	if (end > r->size)
		end = r->size;
	if (first < r->first)
		first = r->first;
	if (first >= end)
		return true;
	if (r->lost_end == first && r->lost_end != 0) {
		r->lost_end = end;
		if (r->lost_why.disk_length > 0 && what->logical == r->lost_why.logical + r->lost_why.disk_length)
			r->lost_why.disk_length += what->disk_length;
		return true;
	}
	if (!tell_lost(r, err))
		return false;
	r->lost_first = first;
	r->lost_end = end;
	r->lost_why = *what;
	return true;
}

static bool give(struct file_reader *r, uint64_t offset, const uint8_t *bytes, uint64_t len, struct error *err)
{
	if (offset >= r->size || offset + len <= r->first)
		return true;
	if (len > r->size - offset)
		len = r->size - offset;
	if (offset < r->first) {
		bytes += r->first - offset;
		len -= r->first - offset;
		offset = r->first;
	}
	if (!tell_lost(r, err))
		return false;
	for (uint64_t done = 0; done < len; ) {
		const size_t n = len - done < PIECE ? len - done : PIECE;

		if (!r->sink->data(r->sink->context, offset + done, bytes + done, n, err))
			return false;
		done += n;
	}
	return true;
}

/* Survives damage of [first, end) and nothing else. */
static bool survive(struct file_reader *r, uint64_t first, uint64_t end, const struct error *what, struct error *err)
{
	if (error_is_damage(what) || what->kind == ERROR_REFUSED)
		return lose(r, first, end, what, err);
	*err = *what;
	return false;
}

/* Hands out len bytes at `at` of the extent, which are those at `offset` of the file. */
static bool give_range(struct file_reader *r, uint64_t item_offset, const struct file_extent *e, uint64_t at, uint64_t offset, size_t len,
		       struct error *err)
{
	const uint32_t sector = r->subvolume->volume->super.sector_size;
	struct error what = { 0 };

	if (r->source->read(r->source, &(struct file_item){ r->subvolume, r->inode, item_offset, e }, at, r->piece, len, &what))
		return give(r, offset, r->piece, len, err);
	if (len <= sector || !error_is_damage(&what))
		return survive(r, offset, offset + len, &what, err);

	const size_t half = len / 2 / sector * sector > 0 ? len / 2 / sector * sector : sector;

	/* The recursion is as deep as a piece can be halved. */
	return give_range(r, item_offset, e, at, offset, half, err) &&
	       give_range(r, item_offset, e, at + half, offset + half, len - half, err);
}

static bool give_plain(struct file_reader *r, uint64_t item_offset, const struct file_extent *e, struct error *err)
{
	const uint64_t sector = r->subvolume->volume->super.sector_size;
	const uint64_t wanted = (r->size - item_offset + sector - 1) / sector * sector;
	const uint64_t len = e->num_bytes < wanted ? e->num_bytes : wanted;
	const uint64_t unwanted = r->first > item_offset ? (r->first - item_offset) / sector * sector : 0;

	for (uint64_t done = unwanted; done < len; ) {
		const size_t n = len - done < PIECE ? len - done : PIECE;

		if (!give_range(r, item_offset, e, e->offset + done, item_offset + done, n, err))
			return false;
		done += n;
	}
	return true;
}

/* Always false. Layouts of encryption that nobody here knows have numbers that mean zstd elsewhere. */
static bool decode_failed(const struct file_reader *r, uint64_t item_offset, struct error *what)
{
	struct error ignored = { 0 };
	struct inode inode;
	bool found;

	if (error_is_damage(what) && inode_find(r->subvolume, r->inode, &inode, &found, &ignored) && found && inode.flags & INODE_ENCRYPT)
		error_set(what, ERROR_REFUSED, "its flags say that it is encrypted, in a layout that is not supported");
	return error_prefix(what, "inode %" PRIu64 " extent item at %" PRIu64, r->inode, item_offset);
}

static bool is_decoded(const struct file_reader *r, const struct file_extent *e)
{
	return r->last.disk_bytenr == e->disk_bytenr && r->last.disk_num_bytes == e->disk_num_bytes &&
	       r->last.ram_bytes == e->ram_bytes && r->last.compression == e->compression &&
	       r->last.other_encoding == e->other_encoding;
}

static bool decode(struct file_reader *r, uint64_t item_offset, const struct file_extent *e, struct error *what)
{
	if (is_decoded(r, e))
		return true;
	r->last.disk_bytenr = 0;
	if (!r->source->read(r->source, &(struct file_item){ r->subvolume, r->inode, item_offset, e }, 0, r->packed, e->disk_num_bytes, what))
		return false;
	if (r->ciphertext && e->other_encoding == SEAL_MARK) {
		memset(r->decoded, 0, sizeof(r->decoded));
		memcpy(r->decoded, r->packed, e->disk_num_bytes < e->ram_bytes ? e->disk_num_bytes : e->ram_bytes);
	} else if (!decompress(e->compression, r->packed, e->disk_num_bytes, r->decoded, e->ram_bytes,
			       r->subvolume->volume->super.sector_size, what)) {
		return decode_failed(r, item_offset, what);
	}
	r->last = *e;
	return true;
}

static bool give_compressed(struct file_reader *r, uint64_t item_offset, const struct file_extent *e, struct error *err)
{
	struct error what = { 0 };

	if (!decode(r, item_offset, e, &what))
		return survive(r, item_offset, item_offset + e->num_bytes, &what, err);
	return give(r, item_offset, r->decoded + e->offset, e->num_bytes, err);
}

static bool give_inline(struct file_reader *r, uint64_t item_offset, const struct file_extent *e, struct error *err)
{
	struct error what = { 0 };

	if (!r->source->read_inline(r->source, &(struct file_item){ r->subvolume, r->inode, item_offset, e }, r->piece, &what))
		return survive(r, item_offset, item_offset + e->ram_bytes, &what, err);
	if (e->compression == COMPRESS_NONE)
		return give(r, item_offset, r->piece, e->payload.left, err);
	r->last.disk_bytenr = 0;
	if (r->ciphertext) {
		memset(r->decoded, 0, sizeof(r->decoded));
		memcpy(r->decoded, r->piece, e->payload.left < e->ram_bytes ? e->payload.left : e->ram_bytes);
	} else if (!decompress(e->compression, r->piece, e->payload.left, r->decoded, e->ram_bytes,
			       r->subvolume->volume->super.sector_size, &what)) {
		decode_failed(r, item_offset, &what);
		return survive(r, item_offset, item_offset + e->ram_bytes, &what, err);
	}
	return give(r, item_offset, r->decoded, e->ram_bytes, err);
}

/* Fills the gap between what was read last and offset. It is a hole, unless items are missing there. */
static bool close_gap(struct file_reader *r, uint64_t offset, struct error *err)
{
	if (!r->is_gap)
		return true;
	r->is_gap = false;
	return offset <= r->end || lose(r, r->end, offset, &r->gap, err);
}

static bool open_gap(void *context, const struct error *what, struct error *err)
{
	struct file_reader *r = context;

	(void)err;
	if (!r->is_gap)
		r->gap = *what;
	r->is_gap = true;
	return true;
}

static bool give_item(struct file_reader *r, uint64_t offset, struct cursor *item, struct error *err)
{
	struct error what = { 0 };
	struct file_extent e;

	if (offset < r->end) {
		error_set(&what, ERROR_CORRUPT, "inode %" PRIu64 " extent item at %" PRIu64 ": begins before the previous item ends, at %" PRIu64,
			  r->inode, offset, r->end);
		return lose(r, offset, r->end, &what, err) && open_gap(r, &what, err);
	}
	if (!close_gap(r, offset, err))
		return false;
	r->end = offset;
	if (!file_extent_read(item, offset, r->subvolume->volume->super.sector_size, &e, &what)) {
		error_prefix(&what, "inode %" PRIu64, r->inode);
		return open_gap(r, &what, err);
	}
	r->end = offset + file_bytes(&e);
	if (r->end <= r->first)
		return true;
	if (r->source->interpret) {
		if (!r->source->interpret(r->source, &(struct file_item){ r->subvolume, r->inode, offset, &e }, &e, r->ciphertext, &what))
			return what.kind == ERROR_KEY ? lose(r, offset, r->end, &what, err) : survive(r, offset, r->end, &what, err);
	} else if (e.encryption != 0) {
		error_set(&what, ERROR_REFUSED, "inode %" PRIu64 " extent item at %" PRIu64 ": encryption is %u, which this version cannot read",
			  r->inode, offset, e.encryption);
		return lose(r, offset, r->end, &what, err);
	}
	if (e.type == FILE_EXTENT_REG && e.other_encoding == SEAL_MARK && r->source == &plain_source && !r->ciphertext) {
		error_set(&what, ERROR_KEY, "inode %" PRIu64 " extent item at %" PRIu64 ": it is sealed and no key was given", r->inode, offset);
		return lose(r, offset, r->end, &what, err);
	}
	if (e.type == FILE_EXTENT_INLINE)
		return give_inline(r, offset, &e, err);
	if (e.type == FILE_EXTENT_PREALLOC || e.disk_bytenr == 0)
		return true;
	return e.compression == COMPRESS_NONE ? give_plain(r, offset, &e, err) : give_compressed(r, offset, &e, err);
}

static bool give_file(struct file_reader *r, struct error *err)
{
	const struct key first = { r->inode, KEY_EXTENT_DATA, 0 };
	cleanup_tree_iter struct tree_iter iter = { 0 };
	struct error salvaged = { 0 };

	error_set(&salvaged, ERROR_CORRUPT, "inode %" PRIu64 ": extent items may be missing from a damaged tree block", r->inode);
	if (!tree_seek_over(r->subvolume, &first, &iter, open_gap, r, err))
		return false;
	while (is_item_of(&iter, r->inode) && iter.key.offset < r->size) {
		if (iter.path[0] && iter.path[0]->is_salvaged && !open_gap(r, &salvaged, err))
			return false;
		if (!give_item(r, iter.key.offset, &iter.item, err) || !tree_next_over(&iter, open_gap, r, err))
			return false;
	}
	if (r->end < r->size && iter.path[0] && iter.path[0]->is_salvaged && !open_gap(r, &salvaged, err))
		return false;
	return close_gap(r, r->size, err) && tell_lost(r, err);
}

bool file_parts_read(struct file_reader *r, struct extent_source *source, const struct tree *subvolume, uint64_t inode,
		     uint64_t size, const struct file_sink *sink, struct error *err)
{
	/* What was decoded for one subvolume is not valid for another, because their sources differ. */
	if (r->source != source || r->ciphertext != sink->wants_ciphertext)
		r->last = (struct file_extent){ 0 };
	r->source = source;
	r->subvolume = subvolume;
	r->inode = inode;
	r->first = sink->first;
	r->size = sink->end != 0 && sink->end < size ? sink->end : size;
	r->ciphertext = sink->wants_ciphertext;
	r->sink = sink;
	r->end = r->lost_first = r->lost_end = 0;
	r->is_gap = false;
	return give_file(r, err);
}

bool file_reader_new(struct file_reader **reader, struct error *err)
{
	*reader = calloc(1, sizeof(**reader));
	return *reader || error_memory(err);
}

/* The buffers may hold plain text of sealed data. */
void file_reader_free(struct file_reader *reader)
{
	wiped_free(reader, sizeof(*reader));
}

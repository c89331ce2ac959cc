/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "common/legacy/key-streams.h"

#include <inttypes.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "common/fs/source.h"
#include "common/util/array.h"
#include "common/util/order.h"
#include "common/util/sorted64.h"

struct use { uint64_t address, inode; };	/* of an extent */

struct uses {
	struct use *at;
	size_t n, room;
};

ORDER_BY_2(compare_uses, struct use, address, inode);
ORDER_BY(compare_inodes, struct key_stream_file, inode);

static int compare_ivs(const void *a, const void *b)
{
	const struct key_stream_file *x = a, *y = b;
	const int order = memcmp(x->iv, y->iv, sizeof(x->iv));

	return order ? order : ORDER(x->inode, y->inode);
}

/* --- the items of a file --------------------------------------------------------------------------------------------- */

typedef bool item_visit(void *context, const struct file_item *item, struct error *err);

/* Visits the encrypted extents of a file that has the flag. */
static bool visit_items(const struct key_streams *streams, uint64_t inode, item_visit *visit, void *context, struct error *err)
{
	const struct key first = { inode, KEY_EXTENT_DATA, 0 };
	cleanup_tree_iter struct tree_iter iter = { 0 };
	bool ok;

	for (ok = tree_seek(streams->tree, &first, &iter, err); ok && tree_iter_is_in(&iter, &first); ok = tree_next(&iter, err)) {
		const uint64_t offset = iter.key.offset;
		struct file_extent e;
		const struct file_item item = { streams->tree, inode, offset, &e };

		if (!file_extent_read(&iter.item, offset, streams->tree->volume->super.sector_size, &e, err))
			return error_prefix(err, "inode %" PRIu64, inode);
		if (legacy_take_encrypted(streams->legacy, INODE_ENCRYPT, &e) && !visit(context, &item, err))
			return false;
	}
	return ok;
}

/* Of the page at `done` in the item, the bytes that belong to the file. 0: none. */
static uint32_t page_used(const struct key_stream_file *file, const struct file_item *item, uint64_t done)
{
	const uint64_t at = item->file_offset + done;

	return at >= file->size ? 0 : file->size - at < LEGACY_PAGE ? (uint32_t)(file->size - at) : LEGACY_PAGE;
}

/* --- first: which files, which IVs, which padding -------------------------------------------------------------------- */

struct looking {
	struct key_streams *streams;
	struct key_stream_file *file;
	struct uses uses;
};

static bool look_at_item(void *context, const struct file_item *item, struct error *err)
{
	struct looking *looking = context;
	struct key_stream_file *const file = looking->file;
	const struct file_extent *const e = item->extent;
	const uint64_t last = file->size / LEGACY_PAGE * LEGACY_PAGE, in_extent = e->offset + last - item->file_offset;

	if (e->type == FILE_EXTENT_INLINE)
		return true;
	if (!ARRAY_ROOM(looking->uses.at, looking->uses.n, looking->uses.room, err))
		return false;
	looking->uses.at[looking->uses.n++] = (struct use){ e->disk_bytenr, file->inode };
	/* Only the last page of an extent was padded. */
	if (last < file->size && last >= item->file_offset && last - item->file_offset < e->num_bytes && in_extent + LEGACY_PAGE == e->disk_num_bytes) {
		file->known_from = (uint32_t)(file->size - last);
		file->padding_at = e->disk_bytenr + in_extent;
		file->padding_inode = file->inode;
	}
	return true;
}

static bool look_at_file(struct looking *looking, uint64_t number, struct error *err)
{
	struct key_streams *const streams = looking->streams;
	struct legacy_inode inode;

	if (!legacy_inode_read(streams->tree, number, NULL, &inode, err))
		return false;
	if (!S_ISREG(inode.mode) || !(inode.flags & INODE_ENCRYPT) || inode.size == 0)
		return true;
	if (!ARRAY_ROOM(streams->file, streams->n_files, streams->file_room, err))
		return false;
	looking->file = &streams->file[streams->n_files++];
	*looking->file = (struct key_stream_file){ .inode = number, .size = inode.size, .known_from = LEGACY_PAGE };
	memcpy(looking->file->iv, inode.has_iv ? inode.disk_iv : (const void *)&inode.number, inode.has_iv ? LEGACY_IV_SIZE : sizeof(inode.number));
	return visit_items(streams, number, look_at_item, looking, err);
}

static bool look_at_all(struct looking *looking, struct error *err)
{
	struct key next = { FIRST_FREE_ID, KEY_INODE_ITEM, 0 };

	for (;;) {
		cleanup_tree_iter struct tree_iter iter = { 0 };

		if (!tree_seek(looking->streams->tree, &next, &iter, err))
			return false;
		if (!iter.valid || iter.key.objectid > LAST_FREE_ID)
			return true;
		if (iter.key.type == KEY_INODE_ITEM && !look_at_file(looking, iter.key.objectid, err))
			return false;
		next.objectid = iter.key.objectid + 1;
	}
}

/* NULL: there is none. */
static struct key_stream_file *file_of(const struct key_streams *streams, uint64_t inode)
{
	const struct key_stream_file wanted = { .inode = inode };

	return bsearch(&wanted, streams->file, streams->n_files, sizeof(wanted), compare_inodes);
}

/* A clone is encrypted with the IV of its source. */
static bool find_shared(struct key_streams *streams, struct uses *uses, struct error *err)
{
	size_t room = 0;

	if (uses->n > 0)
		qsort(uses->at, uses->n, sizeof(*uses->at), compare_uses);
	for (size_t i = 1; i < uses->n; i++) {
		const struct use *const a = &uses->at[i - 1], *const b = &uses->at[i];

		if (a->address != b->address || memcmp(file_of(streams, a->inode)->iv, file_of(streams, b->inode)->iv, LEGACY_IV_SIZE) == 0)
			continue;
		if (!ARRAY_ROOM(streams->shared, streams->n_shared, room, err))
			return false;
		streams->shared[streams->n_shared++] = a->address;
	}
	streams->n_shared = sort64_unique(streams->shared, streams->n_shared);
	return true;
}

static bool is_shared(const struct key_streams *streams, const struct file_extent *e)
{
	return e->type != FILE_EXTENT_INLINE && sorted64_find(streams->shared, streams->n_shared, e->disk_bytenr);
}

/* --- then: what is readable ------------------------------------------------------------------------------------------ */

struct counting {
	const struct key_streams *streams;
	struct key_stream_file *file;
};

static bool count_item(void *context, const struct file_item *item, struct error *err)
{
	struct counting *counting = context;
	struct key_stream_file *const file = counting->file;
	const struct file_extent *const e = item->extent;

	(void)err;
	if (e->type == FILE_EXTENT_INLINE) {
		file->n_in_stream++;
		file->encrypted += e->payload.left;
		return true;
	}
	for (uint64_t done = 0; done < e->num_bytes; done += LEGACY_PAGE) {
		if (page_used(file, item, done) == 0)
			continue;
		file->encrypted += page_used(file, item, done);
		file->n_pages += !is_shared(counting->streams, e);
		file->n_shared += is_shared(counting->streams, e);
	}
	if (is_shared(counting->streams, e) && file->padding_at >= e->disk_bytenr && file->padding_at - e->disk_bytenr < e->disk_num_bytes) {
		file->known_from = LEGACY_PAGE;
		file->padding_at = 0;
	}
	return true;
}

/* Files with one IV have the same key stream: the longest padding of them all. */
static void join(struct key_stream_file *file, size_t n)
{
	const struct key_stream_file *best = file;
	uint64_t n_in_stream = 0;

	for (size_t i = 0; i < n; i++) {
		best = file[i].known_from < best->known_from ? &file[i] : best;
		n_in_stream += file[i].n_pages + file[i].n_in_stream;
	}
	const struct key_stream_file known = *best;

	for (size_t i = 0; i < n; i++) {
		file[i].known_from = known.known_from;
		file[i].padding_at = known.padding_at;
		file[i].padding_inode = known.padding_inode;
		file[i].n_in_stream = n_in_stream;
		file[i].shares_with = n > 1 ? file[i > 0 ? 0 : 1].inode : 0;
	}
}

static void join_all(struct key_streams *streams)
{
	qsort(streams->file, streams->n_files, sizeof(*streams->file), compare_ivs);
	for (size_t i = 0, n; i < streams->n_files; i += n) {
		for (n = 1; i + n < streams->n_files && memcmp(streams->file[i].iv, streams->file[i + n].iv, LEGACY_IV_SIZE) == 0; n++)
			;
		join(&streams->file[i], n);
	}
	qsort(streams->file, streams->n_files, sizeof(*streams->file), compare_inodes);
}

static bool take_sample(void *context, uint64_t offset, const uint8_t *bytes, size_t len, struct error *err)
{
	struct key_stream_file *file = context;

	(void)err;
	file->readable += len;
	if (file->n_sample >= (len < KEY_STREAM_SAMPLE ? len : KEY_STREAM_SAMPLE))
		return true;
	file->sample_at = offset;
	file->n_sample = len < KEY_STREAM_SAMPLE ? len : KEY_STREAM_SAMPLE;
	memcpy(file->sample, bytes, file->n_sample);
	return true;
}

static bool compare_item(void *context, const struct file_item *item, struct error *err)
{
	struct counting *counting = context;
	struct key_stream_file *const file = counting->file;
	const uint64_t len = item->extent->type == FILE_EXTENT_INLINE ? item->extent->payload.left : item->extent->num_bytes;

	(void)err;
	for (uint64_t done = 0; done < len && !is_shared(counting->streams, item->extent); done += LEGACY_PAGE) {
		const uint32_t used = page_used(file, item, done);

		file->compared += used < file->known_from ? used : file->known_from;
	}
	return true;
}

struct pairing {
	struct counting counting;
	unsigned n;		/* pages so far */
};

static bool pair_item(void *context, const struct file_item *item, struct error *err)
{
	struct pairing *pairing = context;
	struct key_stream_file *const file = pairing->counting.file;
	uint8_t page[LEGACY_PAGE];

	if (item->extent->type == FILE_EXTENT_INLINE || is_shared(pairing->counting.streams, item->extent))
		return true;
	for (uint64_t done = 0; done < item->extent->num_bytes && pairing->n < 2; done += LEGACY_PAGE) {
		if (page_used(file, item, done) < sizeof(file->pair))
			continue;
		if (!plain_source.read(&plain_source, item, item->extent->offset + done, page, sizeof(page), err))
			return false;
		for (unsigned i = 0; i < sizeof(file->pair); i++)
			file->pair[i] ^= page[i];
		file->pair_at[pairing->n++] = item->file_offset + done;
		file->n_pair = pairing->n == 2 ? sizeof(file->pair) : 0;
	}
	return true;
}

bool key_streams_find(const struct tree *tree, const struct legacy *legacy, struct key_streams *streams, struct error *err)
{
	struct looking looking = { .streams = streams };
	bool ok;

	*streams = (struct key_streams){ .tree = tree, .legacy = legacy };
	ok = look_at_all(&looking, err) && find_shared(streams, &looking.uses, err);
	free(looking.uses.at);
	for (size_t i = 0; ok && i < streams->n_files; i++) {
		struct counting counting = { streams, &streams->file[i] };

		ok = visit_items(streams, streams->file[i].inode, count_item, &counting, err);
	}
	if (!ok || streams->n_files == 0)
		return ok;
	join_all(streams);
	for (size_t i = 0; ok && i < streams->n_files; i++) {
		struct counting counting = { streams, &streams->file[i] };
		struct pairing pairing = { .counting = counting };

		ok = (streams->file[i].n_in_stream < 2 ||
		      (visit_items(streams, streams->file[i].inode, compare_item, &counting, err) &&
		       visit_items(streams, streams->file[i].inode, pair_item, &pairing, err))) &&
		     key_stream_read(streams, &streams->file[i], take_sample, &streams->file[i], err);
	}
	return ok;
}

void key_streams_free(struct key_streams *streams)
{
	free(streams->file);
	free(streams->shared);
	*streams = (struct key_streams){ 0 };
}

/* --- the bytes ------------------------------------------------------------------------------------------------------- */

struct reading {
	const struct key_streams *streams;
	const struct key_stream_file *file;
	key_stream_sink *sink;
	void *context;
	uint8_t stream[LEGACY_PAGE];
};

/* used: bytes of it that are the file's. */
static bool give_page(const struct reading *r, uint64_t offset, const uint8_t *page, uint32_t used, struct error *err)
{
	const uint32_t from = r->file->known_from;
	uint8_t plain[LEGACY_PAGE];

	if (used <= from)
		return true;
	for (uint32_t i = from; i < used; i++)
		plain[i] = page[i] ^ r->stream[i];
	return r->sink(r->context, offset + from, plain + from, used - from, err);
}

static bool read_item(void *context, const struct file_item *item, struct error *err)
{
	const struct reading *r = context;
	const struct file_extent *const e = item->extent;
	uint8_t page[LEGACY_PAGE];

	if (is_shared(r->streams, e))
		return true;
	if (e->type == FILE_EXTENT_INLINE)
		return e->payload.left > LEGACY_PAGE || give_page(r, 0, e->payload.at, (uint32_t)e->payload.left, err);
	for (uint64_t done = 0; done < e->num_bytes; done += LEGACY_PAGE) {
		const uint32_t used = page_used(r->file, item, done);

		if (used <= r->file->known_from)
			continue;
		if (!plain_source.read(&plain_source, item, e->offset + done, page, sizeof(page), err) ||
		    !give_page(r, item->file_offset + done, page, used, err))
			return false;
	}
	return true;
}

/* The padding is the last page of the file that it is in. */
static bool read_stream(struct reading *r, const struct file_item *item, struct error *err)
{
	return plain_source.read(&plain_source, item, r->file->padding_at - item->extent->disk_bytenr, r->stream, sizeof(r->stream), err);
}

static bool find_stream(void *context, const struct file_item *item, struct error *err)
{
	struct reading *r = context;
	const struct file_extent *const e = item->extent;

	if (e->type == FILE_EXTENT_INLINE || r->file->padding_at < e->disk_bytenr || r->file->padding_at - e->disk_bytenr >= e->disk_num_bytes)
		return true;
	return read_stream(r, item, err);
}

bool key_stream_read(const struct key_streams *streams, const struct key_stream_file *file, key_stream_sink *sink, void *context, struct error *err)
{
	struct reading r = { .streams = streams, .file = file, .sink = sink, .context = context };

	return file->known_from == LEGACY_PAGE || (visit_items(streams, file->padding_inode, find_stream, &r, err) &&
						   visit_items(streams, file->inode, read_item, &r, err));
}

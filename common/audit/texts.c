/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "common/audit/texts.h"

#include <inttypes.h>

#include "common/crypto/secret.h"
#include "common/fs/decompress.h"
#include "common/fs/path.h"

struct walk {
	const struct texts *texts;
	struct text_cursor *at;
	uint64_t n;		/* pieces of this item that were visited before */
	uint64_t inode, size;	/* of that file: what its last block has behind that is no text */
	text_visit *visit;
	void *context;
	bool go;
};

static bool visit_text(struct walk *walk, struct text *text, struct error *err)
{
	if (!walk->go || walk->n++ < walk->at->nth)
		return true;
	if (!text->is_packed && text->file_offset >= walk->size)
		return true;
	if (!text->is_packed && text->len > walk->size - text->file_offset)
		text->len = (uint32_t)(walk->size - text->file_offset);
	if (!walk->visit(walk->context, text, &walk->go, err))
		return false;
	walk->at->nth += walk->go;
	return true;
}

static bool visit_plain(struct walk *walk, struct text *text, const struct file_extent *e, struct error *err)
{
	for (uint64_t done = 0; done < e->num_bytes && walk->go; done += TEXT_MAX) {
		text->at = e->offset + done;
		text->file_offset = text->item_offset + done;
		text->len = (uint32_t)(e->num_bytes - done < TEXT_MAX ? e->num_bytes - done : TEXT_MAX);
		if (!visit_text(walk, text, err))
			return false;
	}
	return true;
}

static bool visit_compressed(struct walk *walk, struct text *text, const struct file_extent *e, struct error *err)
{
	text->is_packed = true;
	text->len = (uint32_t)(text->is_inline ? e->payload.left : e->disk_num_bytes);
	if (!visit_text(walk, text, err))
		return false;
	text->is_packed = false;
	text->is_decoded = true;
	text->at = e->offset;
	text->len = (uint32_t)(text->is_inline ? e->ram_bytes : e->num_bytes);
	return visit_text(walk, text, err);
}

static bool find_size(struct walk *walk, uint64_t number, struct error *err)
{
	struct inode inode;

	if (walk->inode == number)
		return true;
	if (!inode_get(walk->texts->subvolume, number, &inode, err))
		return false;
	walk->inode = number;
	walk->size = inode.size;
	return true;
}

static bool visit_item(struct walk *walk, const struct key *key, const struct file_extent *e, struct error *err)
{
	struct text text = { .inode = key->objectid, .item_offset = key->offset, .file_offset = key->offset };

	if (e->type == FILE_EXTENT_INLINE) {
		if (e->payload.left == 0)
			return true;
		text.is_inline = true;
		text.len = (uint32_t)e->payload.left;
	} else if (e->type != FILE_EXTENT_REG || e->disk_bytenr == 0 || e->other_encoding != SEAL_MARK) {
		return true;
	}
	if (e->compression != COMPRESS_NONE)
		return visit_compressed(walk, &text, e, err);
	return text.is_inline ? visit_text(walk, &text, err) : visit_plain(walk, &text, e, err);
}

bool texts_walk(const struct texts *texts, struct text_cursor *from, text_visit *visit, void *context, struct error *err)
{
	const uint32_t sector = texts->subvolume->volume->super.sector_size;
	struct walk walk = { .texts = texts, .at = from, .visit = visit, .context = context, .go = true };
	cleanup_tree_iter struct tree_iter iter = { 0 };
	const struct key first = from->key;
	bool ok;

	for (ok = tree_seek(texts->subvolume, &first, &iter, err); ok && iter.valid; ok = tree_next(&iter, err)) {
		struct file_extent e;

		if (iter.key.type != KEY_EXTENT_DATA)
			continue;
		if (key_compare(&iter.key, &from->key) != 0)
			*from = (struct text_cursor){ .key = iter.key };
		if (!file_extent_read(&iter.item, iter.key.offset, sector, &e, err))
			return error_prefix(err, "inode %" PRIu64, iter.key.objectid);
		walk.n = 0;
		if (!find_size(&walk, iter.key.objectid, err) || !visit_item(&walk, &iter.key, &e, err))
			return false;
		if (!walk.go)
			return true;
	}
	if (ok)
		*from = (struct text_cursor){ .key = { UINT64_MAX, UINT8_MAX, UINT64_MAX } };
	return ok;
}

static bool decode(struct texts *texts, const struct file_extent *e, const struct text *text, uint8_t *bytes, size_t packed_len,
		   struct error *err)
{
	const uint32_t sector = texts->subvolume->volume->super.sector_size;
	uint8_t decoded[TEXT_MAX];
	const bool ok = decompress(e->compression, texts->packed, packed_len, decoded, e->ram_bytes, sector, err);

	if (ok)
		memcpy(bytes, decoded + text->at, text->len);
	secret_wipe(decoded, sizeof(decoded));
	return ok;
}

static bool read_item(struct texts *texts, const struct text *text, const struct file_extent *e, uint8_t *bytes, bool *is_sealed,
		      struct error *err)
{
	const struct file_item item = { texts->subvolume, text->inode, text->item_offset, e };
	uint8_t *const raw = text->is_decoded ? texts->packed : bytes;
	const size_t sector = texts->subvolume->volume->super.sector_size, whole = (text->len + sector - 1) / sector * sector;
	const size_t len = text->is_inline ? e->payload.left : text->is_decoded ? e->disk_num_bytes : whole;

	*is_sealed = true;
	if (text->is_inline ? !domain_reader_inline(texts->source, &item, raw, is_sealed, err) :
			      !texts->source->read(texts->source, &item, text->is_decoded ? 0 : text->at, raw, len, err))
		return false;
	return !*is_sealed || !text->is_decoded || decode(texts, e, text, bytes, len, err);
}

bool text_read(struct texts *texts, const struct text *text, uint8_t *bytes, bool *is_sealed, struct error *err)
{
	const struct key key = { text->inode, KEY_EXTENT_DATA, text->item_offset };
	cleanup_tree_iter struct tree_iter iter = { 0 };
	struct file_extent e;
	bool found;

	if (!tree_find(texts->subvolume, &key, &iter, &found, err))
		return false;
	if (!found || !file_extent_read(&iter.item, key.offset, texts->subvolume->volume->super.sector_size, &e, err))
		return error_set(err, ERROR_CORRUPT, "inode %" PRIu64 ": its extent item at %" PRIu64 " is gone", text->inode, key.offset);
	return read_item(texts, text, &e, bytes, is_sealed, err);
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "common/legacy/legacy-reader.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/crypto/aes128.h"
#include "common/fs/inode-names.h"
#include "common/legacy/clones.h"
#include "common/legacy/legacy-inode.h"
#include "common/tree/tree-gap.h"
#include "common/util/take.h"

struct legacy_reader {
	struct extent_source source;	/* must be first: the reader is found through it */
	struct legacy legacy;
	struct legacy_ciphers *ciphers;	/* NULL: no key */
	struct legacy_inode inode;	/* the last one */
	struct clone clone;		/* of its last extent, at */
	uint64_t clone_of;		/* 0: none yet */
};

static struct legacy_reader *reader_of(struct extent_source *source)
{
	return (struct legacy_reader *)(void *)source;
}

static bool load(struct legacy_reader *reader, const struct tree *tree, uint64_t number, struct error *err)
{
	if (reader->inode.tree == tree->id && reader->inode.number == number)
		return true;
	reader->clone_of = 0;
	return legacy_inode_read(tree, number, reader->ciphers, &reader->inode, err);
}

/* --- what an extent item means ------------------------------------------------------------------------------------------ */

/* The reader of items has checked the fields as those of something compressed. */
static bool check_encrypted(const struct file_item *item, const struct file_extent *e, struct error *err)
{
	if (e->type == FILE_EXTENT_INLINE && e->ram_bytes != e->payload.left)
		return error_set(err, ERROR_CORRUPT, "inode %" PRIu64 " extent item at %" PRIu64 ": ram_bytes is %" PRIu64 ", the encrypted payload has %zu",
				 item->inode, item->file_offset, e->ram_bytes, e->payload.left);
	if (e->type == FILE_EXTENT_REG && (e->offset > e->disk_num_bytes || e->num_bytes > e->disk_num_bytes - e->offset))
		return error_set(err, ERROR_CORRUPT, "inode %" PRIu64 " extent item at %" PRIu64 ": offset is %" PRIu64 " and num_bytes is %" PRIu64
				 ", past the encrypted extent's %" PRIu64, item->inode, item->file_offset, e->offset, e->num_bytes, e->disk_num_bytes);
	return true;
}

static bool reader_interpret(struct extent_source *source, const struct file_item *item, struct file_extent *e, bool ciphertext, struct error *err)
{
	struct legacy_reader *const reader = reader_of(source);

	if (e->compression != COMPRESS_ENCRYPTED && e->encryption == 0)
		return true;
	if (!load(reader, item->subvolume, item->inode, err))
		return false;
	if (!legacy_is_encrypted(&reader->legacy, reader->inode.flags, e))
		return e->encryption == 0 || error_set(err, ERROR_REFUSED, "inode %" PRIu64 " extent item at %" PRIu64 ": encryption is %u, but "
						       "neither its flags nor its compression number say so", item->inode, item->file_offset,
						       e->encryption);
	if (!check_encrypted(item, e, err))
		return false;
	e->compression = COMPRESS_NONE;
	e->encryption = !ciphertext;
	if (ciphertext)
		return true;
	if (!reader->ciphers)
		return error_set(err, ERROR_KEY, "inode %" PRIu64 " extent item at %" PRIu64 ": it is encrypted and no key was given", item->inode,
				 item->file_offset);
	if (!reader->inode.has_iv)
		*err = reader->inode.no_iv;
	return reader->inode.has_iv;
}

static bool reader_opens(struct extent_source *source, const struct tree *tree, uint64_t number, bool *opens, struct error *err)
{
	struct legacy_reader *const reader = reader_of(source);
	const struct key first = { number, KEY_EXTENT_DATA, 0 };
	cleanup_tree_iter struct tree_iter iter = { 0 };
	bool ok;

	struct error what = { 0 };

	*opens = true;
	if (reader->ciphers)
		return true;
	/* What is damaged there, the reading says. */
	if (!load(reader, tree, number, &what))
		return !error_is_machine(&what) || (*err = what, false);
	for (ok = tree_seek_over(tree, &first, &iter, NULL, NULL, err); ok && *opens && tree_iter_is_in(&iter, &first);
	     ok = tree_next_over(&iter, NULL, NULL, err)) {
		struct cursor item = iter.item;
		struct error ignored = { 0 };
		struct file_extent e;

		*opens = !file_extent_read(&item, iter.key.offset, tree->volume->super.sector_size, &e, &ignored) ||
			 !legacy_is_encrypted(&reader->legacy, reader->inode.flags, &e);
	}
	return ok;
}

/* --- doubts --------------------------------------------------------------------------------------------------------------- */

static void tell(const struct file_item *item, const char *text)
{
	const struct file_extent *const e = item->extent;
	const struct report doubt = {
		.kind = REPORT_DOUBTFUL, .inode = item->inode, .first = item->file_offset, .end = item->file_offset + e->num_bytes,
		.logical = e->disk_bytenr + e->offset, .disk_length = e->num_bytes, .text = text,
	};

	report_to(&item->subvolume->volume->reporter, &doubt);
}

static bool tell_clone(const struct file_item *item, const struct clone *clone, struct error *err)
{
	struct tree tree;
	char *path = NULL, text[480], in[64] = "";

	if (!tree_open(item->subvolume->volume, clone->tree, &tree, err) || !inode_path(&tree, clone->inode, &path, err))
		return false;
	if (clone->tree != item->subvolume->id)
		snprintf(in, sizeof(in), " of subvolume %" PRIu64, clone->tree);
	if (clone->kind == CLONE_WRONG)
		snprintf(text, sizeof(text), "these are not its data: they were cloned from %.300s%s, and are encrypted with the IV of that file", path, in);
	else
		snprintf(text, sizeof(text), "it shares these data with %.300s%s, which has another IV, and nothing tells which of the two reads right",
			 path, in);
	free(path);
	tell(item, text);
	return true;
}

/* Is the last page of the file among these, and does it not end in zeros? */
static bool has_wrong_padding(const struct legacy_reader *reader, const struct file_item *item, uint64_t offset, const uint8_t *bytes, size_t len)
{
	const size_t used = reader->inode.size % LEGACY_PAGE;
	const uint64_t page = reader->inode.size - used, at = item->file_offset + (offset - item->extent->offset);

	return offset >= item->extent->offset && page >= at && page - at < len &&
	       legacy_padding_of(item->extent, offset + (page - at), bytes + (page - at), used) == LEGACY_PADDING_WRONG;
}

static bool check_doubts(struct legacy_reader *reader, const struct file_item *item, uint64_t offset, const uint8_t *bytes, size_t len,
			 struct error *err)
{
	const uint64_t extent = item->extent->disk_bytenr;
	struct error what = { 0 };

	/* Many items of a file may refer to one extent. */
	if (reader->clone_of != extent &&
	    !clone_find(item->subvolume, &reader->legacy, reader->ciphers, &reader->inode, extent, &reader->clone, err))
		return false;
	reader->clone_of = extent;
	if (reader->clone.kind == CLONE_NONE) {
		if (has_wrong_padding(reader, item, offset, bytes, len))
			tell(item, "its last page does not end in zeros: these data were perhaps cloned from a file that is gone, whose IV nobody has any more");
		return true;
	}
	return tell_clone(item, &reader->clone, &what) || !error_is_machine(&what) || (*err = what, false);
}

/* --- the source ----------------------------------------------------------------------------------------------------------- */

static bool reader_read(struct extent_source *source, const struct file_item *item, uint64_t offset, void *bytes, size_t len, struct error *err)
{
	struct legacy_reader *const reader = reader_of(source);

	if (!plain_source.read(&plain_source, item, offset, bytes, len, err))
		return false;
	if (item->extent->encryption == 0)
		return true;
	return load(reader, item->subvolume, item->inode, err) && legacy_decrypt(reader->ciphers, reader->inode.iv, bytes, len, false, err) &&
	       check_doubts(reader, item, offset, bytes, len, err);
}

static bool reader_read_inline(struct extent_source *source, const struct file_item *item, uint8_t *out, struct error *err)
{
	struct legacy_reader *const reader = reader_of(source);

	if (!plain_source.read_inline(&plain_source, item, out, err))
		return false;
	return item->extent->encryption == 0 ||
	       (load(reader, item->subvolume, item->inode, err) &&
		(legacy_decrypt(reader->ciphers, reader->inode.iv, out, item->extent->payload.left, true, err) ||
		 error_prefix(err, "inode %" PRIu64 " extent item at %" PRIu64, item->inode, item->file_offset)));
}

bool legacy_reader_has_key(const struct legacy_reader *reader)
{
	return reader && reader->ciphers;
}

void legacy_reader_close(struct legacy_reader *reader)
{
	if (!reader)
		return;
	legacy_ciphers_free(reader->ciphers);
	wiped_free(reader, sizeof(*reader));
}

bool legacy_reader_open(const struct legacy *legacy, const struct secret *key, struct legacy_reader **reader,
			struct extent_source **source, struct error *err)
{
	struct legacy_reader *const new = calloc(1, sizeof(*new));

	if (!new)
		return error_memory(err);
	new->source = (struct extent_source){
		.read = reader_read, .read_inline = reader_read_inline, .interpret = reader_interpret, .opens = reader_opens,
	};
	new->legacy = *legacy;
	if (key && !legacy_ciphers_new(legacy, key, &new->ciphers, err)) {
		legacy_reader_close(new);
		return false;
	}
	*reader = new;
	*source = &new->source;
	return true;
}

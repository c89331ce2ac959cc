/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Extended attributes and file extents of an inode, printed as they are read: there may be very many. */
#include "cmd/stat-items.h"

#include <inttypes.h>
#include <string.h>

#include "cmd/row.h"
#include "cmd/value-text.h"
#include "format/dir-entry.h"
#include "format/file-extent.h"

/* Each line names its file, because several may be asked for. */
static struct row begin_record(const char *record, const struct stat_file *file)
{
	const struct row row = row_begin(record);

	row_path(&row, NULL, file->path, strlen(file->path));
	row_u64(&row, "subvolume", NULL, file->tree->id);
	row_u64(&row, "inode", NULL, file->inode);
	return row;
}

static void print_xattr(const struct stat_file *file, const struct dir_entry *xattr)
{
	const struct row row = begin_record("xattr", file);

	row_name(&row, "name", "  xattr:       ", xattr->name.at, xattr->name.left);
	row_number(&row, "size", " (", (int64_t)xattr->data.left);
	row_words(&row, " bytes)");
	row_end(&row);
}

bool stat_xattrs(const struct stat_file *file, struct error *err)
{
	const struct key first = { file->inode, KEY_XATTR_ITEM, 0 };
	cleanup_tree_iter struct tree_iter iter = { 0 };
	bool ok;

	for (ok = tree_seek(file->tree, &first, &iter, err); ok && tree_iter_is_in(&iter, &first); ok = tree_next(&iter, err)) {
		while (iter.item.left > 0) {
			struct dir_entry xattr;

			if (!xattr_next(&iter.item, &xattr, err))
				return error_prefix(err, "inode %" PRIu64, file->inode);
			print_xattr(file, &xattr);
		}
	}
	return ok;
}

static const char *extent_kind(const struct file_extent *e)
{
	switch (e->type) {
	case FILE_EXTENT_INLINE: return "inline";
	case FILE_EXTENT_PREALLOC: return e->disk_bytenr ? "prealloc" : "hole";
	default: return e->disk_bytenr ? "regular" : "hole";
	}
}

/* With the mark, or listed if there is no room for a mark. */
static bool is_sealed(struct stat_seal *seal, const struct tree_iter *iter, uint32_t mode, const struct file_extent *e, bool *sealed,
		      struct error *err)
{
	*sealed = e->type == FILE_EXTENT_REG && e->disk_bytenr && e->other_encoding == SEAL_MARK;
	return e->type != FILE_EXTENT_INLINE || stat_seal_has_inline(seal, &iter->key, &iter->item, mode, sealed, err);
}

static uint64_t extent_len(const struct file_extent *e)
{
	return e->type == FILE_EXTENT_INLINE ? e->ram_bytes : e->num_bytes;
}

static void print_extent(const struct stat_file *file, uint64_t file_offset, const struct file_extent *e, bool sealed, bool is_legacy,
			 const struct stat_seal *seal)
{
	const struct row row = begin_record("extent", file);

	row_text(&row, "type", NULL, extent_kind(e));
	row_u64(&row, "offset", "  extent:      offset ", file_offset);
	row_u64(&row, "length", " length ", extent_len(e));
	row_text(&row, NULL, " ", extent_kind(e));
	if (file_extent_has_disk(e)) {
		row_u64(&row, "logical", " disk ", e->disk_bytenr);
		row_u64(&row, "disk_length", " length ", e->disk_num_bytes);
		row_u64(&row, "extent_offset", " from ", e->offset);
	}
	row_u64(&row, "ram_bytes", NULL, e->ram_bytes);
	row_u64(&row, "generation", NULL, e->generation);
	row_text(&row, "compression", e->compression != COMPRESS_NONE ? " compression " : NULL, compression_name(e->compression));
	row_number(&row, "encryption", e->encryption ? " encryption " : NULL, e->encryption);
	if (is_legacy)
		row_flag(&row, "encrypted", " encrypted", true);
	row_flag(&row, "sealed", " sealed", sealed);
	if (sealed && seal->member)
		row_u64(&row, NULL, " in ", seal->member);
	if (sealed && seal->domain) {
		row_number(&row, "sealing", " (sealing ", seal->domain);
		row_words(&row, ")");
	}
	if (sealed && seal->member)
		row_u64(&row, "sealed_in", NULL, seal->member);
	row_end(&row);
}

static void count_extent(const struct file_extent *e, bool sealed, bool is_legacy, struct extent_totals *totals)
{
	const bool is_hole = e->type != FILE_EXTENT_INLINE && !e->disk_bytenr;

	totals->n++;
	totals->n_inline += e->type == FILE_EXTENT_INLINE;
	totals->n_prealloc += e->type == FILE_EXTENT_PREALLOC && !is_hole;
	totals->n_holes += is_hole;
	totals->n_sealed += sealed;
	totals->n_legacy += is_legacy;
	totals->n_encrypted += e->encryption != 0;
	totals->n_compressed[e->compression] += !is_hole;
}

bool stat_extents(const struct stat_file *file, const struct inode *inode, struct stat_seal *seal, enum extents_how how, struct extent_totals *totals,
		  struct error *err)
{
	const struct key first = { file->inode, KEY_EXTENT_DATA, 0 };
	cleanup_tree_iter struct tree_iter iter = { 0 };
	bool ok;

	*totals = (struct extent_totals){ 0 };
	for (ok = tree_seek(file->tree, &first, &iter, err); ok && tree_iter_is_in(&iter, &first); ok = tree_next(&iter, err)) {
		struct cursor item = iter.item;
		struct file_extent extent;
		bool sealed;

		if (!file_extent_read(&item, iter.key.offset, file->tree->volume->super.sector_size, &extent, err))
			return error_prefix(err, "inode %" PRIu64, file->inode);
		if (!is_sealed(seal, &iter, inode->mode, &extent, &sealed, err))
			return false;
		const bool is_legacy = legacy_take_encrypted(&seal->legacy.legacy, inode->flags, &extent);

		count_extent(&extent, sealed, is_legacy, totals);
		if (how == EXTENTS_PRINTED)
			print_extent(file, iter.key.offset, &extent, sealed, is_legacy, seal);
	}
	return ok;
}

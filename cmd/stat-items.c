/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Extended attributes and file extents of an inode, printed as they are read: there may be very many. */
#include "cmd/stat-items.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "cmd/inode-text.h"
#include "cmd/print.h"
#include "common/util/escape.h"
#include "format/dir-entry.h"
#include "format/file-extent.h"

/* Each line names its file, because several may be asked for. */
static void begin_record(struct json_object *line, const char *record, const struct stat_file *file)
{
	json_text(line, "record", record);
	json_path(line, file->path, strlen(file->path));
	json_u64(line, "subvolume", file->tree->id);
	json_u64(line, "inode", file->inode);
}

static void print_xattr(const struct stat_file *file, const struct dir_entry *xattr)
{
	char name[ESCAPED_SIZE(NAME_MAX_BYTES)];

	if (format_is_json()) {
		struct json_object *line = json_line();

		begin_record(line, "xattr", file);
		json_name(line, "name", xattr->name.at, xattr->name.left);
		json_number(line, "size", (int64_t)xattr->data.left);
		json_print(line, stdout);
		return;
	}
	escape_text(xattr->name.at, xattr->name.left, name, sizeof(name));
	printf("  xattr:       %s (%zu bytes)\n", name, xattr->data.left);
}

bool stat_xattrs(const struct stat_file *file, struct error *err)
{
	const struct key first = { file->inode, KEY_XATTR_ITEM, 0 };
	cleanup_tree_iter struct tree_iter iter = { 0 };

	if (!tree_seek(file->tree, &first, &iter, err))
		return false;
	while (iter.valid && iter.key.objectid == file->inode && iter.key.type == KEY_XATTR_ITEM) {
		while (iter.item.left > 0) {
			struct dir_entry xattr;

			if (!xattr_next(&iter.item, &xattr, err))
				return error_prefix(err, "inode %" PRIu64, file->inode);
			print_xattr(file, &xattr);
		}
		if (!tree_next(&iter, err))
			return false;
	}
	return true;
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

static void print_extent_json(const struct stat_file *file, uint64_t file_offset, const struct file_extent *e, bool sealed, const struct stat_seal *seal)
{
	struct json_object *line = json_line();

	begin_record(line, "extent", file);
	json_text(line, "type", extent_kind(e));
	json_u64(line, "offset", file_offset);
	json_u64(line, "length", extent_len(e));
	if (file_extent_has_disk(e)) {
		json_u64(line, "logical", e->disk_bytenr);
		json_u64(line, "disk_length", e->disk_num_bytes);
		json_u64(line, "extent_offset", e->offset);
	}
	json_u64(line, "ram_bytes", e->ram_bytes);
	json_u64(line, "generation", e->generation);
	json_text(line, "compression", compression_name(e->compression));
	json_number(line, "encryption", e->encryption);
	json_flag(line, "sealed", sealed);
	if (sealed && seal->domain)
		json_number(line, "sealing", seal->domain);
	if (sealed && seal->member)
		json_u64(line, "sealed_in", seal->member);
	json_print(line, stdout);
}

static void print_extent(const struct stat_file *file, uint64_t file_offset, const struct file_extent *e, bool sealed, const struct stat_seal *seal)
{
	if (format_is_json()) {
		print_extent_json(file, file_offset, e, sealed, seal);
		return;
	}
	printf("  extent:      offset %" PRIu64 " length %" PRIu64 " %s", file_offset, extent_len(e), extent_kind(e));
	if (file_extent_has_disk(e))
		printf(" disk %" PRIu64 " length %" PRIu64 " from %" PRIu64, e->disk_bytenr, e->disk_num_bytes, e->offset);
	if (e->compression != COMPRESS_NONE)
		printf(" compression %s", compression_name(e->compression));
	if (e->encryption)
		printf(" encryption %u", e->encryption);
	if (sealed)
		printf(" sealed");
	if (sealed && seal->member)
		printf(" in %" PRIu64, seal->member);
	if (sealed && seal->domain)
		printf(" (sealing %u)", seal->domain);
	putchar('\n');
}

static void count_extent(const struct file_extent *e, bool sealed, struct extent_totals *totals)
{
	const bool is_hole = e->type != FILE_EXTENT_INLINE && !e->disk_bytenr;

	totals->n++;
	totals->n_inline += e->type == FILE_EXTENT_INLINE;
	totals->n_prealloc += e->type == FILE_EXTENT_PREALLOC && !is_hole;
	totals->n_holes += is_hole;
	totals->n_sealed += sealed;
	totals->n_encrypted += e->encryption != 0;
	totals->n_compressed[e->compression] += !is_hole;
}

bool stat_extents(const struct stat_file *file, uint32_t mode, struct stat_seal *seal, bool print, struct extent_totals *totals,
		  struct error *err)
{
	const struct key first = { file->inode, KEY_EXTENT_DATA, 0 };
	cleanup_tree_iter struct tree_iter iter = { 0 };

	*totals = (struct extent_totals){ 0 };
	if (!tree_seek(file->tree, &first, &iter, err))
		return false;
	while (iter.valid && iter.key.objectid == file->inode && iter.key.type == KEY_EXTENT_DATA) {
		struct cursor item = iter.item;
		struct file_extent extent;
		bool sealed;

		if (!file_extent_read(&item, iter.key.offset, file->tree->volume->super.sector_size, &extent, err))
			return error_prefix(err, "inode %" PRIu64, file->inode);
		if (!is_sealed(seal, &iter, mode, &extent, &sealed, err))
			return false;
		count_extent(&extent, sealed, totals);
		if (print)
			print_extent(file, iter.key.offset, &extent, sealed, seal);
		if (!tree_next(&iter, err))
			return false;
	}
	return true;
}

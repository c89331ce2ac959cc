/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Prints the logical address and every place on the devices of each extent of a file, or of one byte. */
#include "cmd/resolve-path.h"

#include <inttypes.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "cmd/row.h"
#include "cmd/source-path.h"
#include "cmd/source.h"
#include "cmd/value-text.h"
#include "common/legacy/legacy.h"
#include "common/util/escape.h"
#include "common/util/number.h"
#include "common/volume/device-range.h"
#include "format/file-extent.h"

/* A part of the file, as printed. */
struct part {
	uint64_t offset, len;	/* in the file */
	const char *kind;	/* "regular", "inline", "prealloc", "hole" */
	uint64_t logical, disk_len;	/* 0: nowhere */
	uint8_t compression;
	bool is_encrypted;	/* in the format of 2016 */
};

static struct row begin_part(const struct part *part, uint64_t offset, uint64_t len)
{
	const struct row row = row_begin("part");

	row_u64(&row, "offset", "offset ", offset);
	row_u64(&row, "length", " length ", len);
	row_text(&row, "type", " ", part->kind);
	if (part->is_encrypted)
		row_flag(&row, "encrypted", " encrypted", true);
	return row;
}

static bool print_place(void *context, const struct device_range *range, struct error *err)
{
	const struct part *part = context;
	const bool compressed = part->compression != COMPRESS_NONE;
	/* In the file. Every piece of a compressed extent stands for all of it. */
	const uint64_t offset = compressed ? part->offset : part->offset + (range->logical - part->logical);
	const uint64_t len = compressed ? part->len : range->len;
	struct row row;

	(void)err;
	if (range->parity)
		return true;
	row = begin_part(part, offset, len);
	row_text(&row, "compression", NULL, compression_name(part->compression));
	row_u64(&row, "logical", " logical ", range->logical);
	row_u64(&row, "disk_length", compressed ? " disk length " : NULL, range->len);
	if (compressed)
		row_text(&row, NULL, " compression ", compression_name(part->compression));
	row_number(&row, "copy", " copy ", range->mirror);
	row_u64(&row, "devid", " devid ", range->devid);
	row_u64(&row, "physical", " physical ", range->physical);
	row_end(&row);
	return true;
}

static bool print_part(const struct volume *volume, struct part *part, struct error *err)
{
	if (part->disk_len > 0)
		return device_ranges(volume, part->logical, part->disk_len, print_place, part, err);

	const struct row row = begin_part(part, part->offset, part->len);

	row_end(&row);
	return true;
}

static struct part part_of(uint64_t file_offset, const struct file_extent *e)
{
	struct part part = { .offset = file_offset, .len = e->num_bytes, .kind = "hole", .compression = e->compression };

	if (e->type == FILE_EXTENT_INLINE) {
		part.len = e->ram_bytes;
		part.kind = "inline";
		part.logical = e->payload.offset;
		part.disk_len = e->payload.left;
	} else if (e->disk_bytenr && e->compression != COMPRESS_NONE) {
		part.kind = "regular";
		part.logical = e->disk_bytenr;
		part.disk_len = e->disk_num_bytes;
	} else if (e->disk_bytenr) {
		part.kind = e->type == FILE_EXTENT_PREALLOC ? "prealloc" : "regular";
		part.logical = e->disk_bytenr + e->offset;
		part.disk_len = e->num_bytes;
	}
	return part;
}

/* From this byte of the file on. */
static void cut_part(struct part *part, uint64_t offset)
{
	const uint64_t skip = offset - part->offset;

	if (part->disk_len > 0 && part->compression != COMPRESS_NONE)
		return;
	part->offset += skip;
	part->len -= skip;
	if (part->disk_len > 0) {
		part->logical += skip;
		part->disk_len -= skip;
	}
}

/* What extents are looked up of. */
struct file {
	struct tree tree;
	uint64_t number;
	struct inode inode;
	struct legacy legacy;
};

static bool read_item(const struct file *file, struct tree_iter *iter, struct file_extent *e, struct part *part, struct error *err)
{
	if (!file_extent_read(&iter->item, iter->key.offset, file->tree.volume->super.sector_size, e, err))
		return error_prefix(err, "inode %" PRIu64, file->number);

	const bool is_encrypted = legacy_take_encrypted(&file->legacy, file->inode.flags, e);

	*part = part_of(iter->key.offset, e);
	part->is_encrypted = is_encrypted;
	return true;
}

static bool print_all(const struct file *file, struct error *err)
{
	const struct key first = { file->number, KEY_EXTENT_DATA, 0 };
	cleanup_tree_iter struct tree_iter iter = { 0 };
	bool ok;

	for (ok = tree_seek(&file->tree, &first, &iter, err); ok && tree_iter_is_in(&iter, &first); ok = tree_next(&iter, err)) {
		struct file_extent e;
		struct part part;

		if (!read_item(file, &iter, &e, &part, err) || !print_part(file->tree.volume, &part, err))
			return false;
	}
	return ok;
}

static bool print_at(const struct file *file, uint64_t offset, struct error *err)
{
	const struct key last = { file->number, KEY_EXTENT_DATA, offset };
	const struct tree *const tree = &file->tree;
	cleanup_tree_iter struct tree_iter iter = { 0 };
	struct part part = { .offset = offset, .kind = "hole" };
	struct file_extent e;
	uint64_t end = file->inode.size;

	if (offset >= end)
		return error_set(err, ERROR_NOT_FOUND, "offset %" PRIu64 " is at or past the end, %" PRIu64, offset, end);
	if (!tree_seek_last(tree, &last, &iter, err))
		return false;
	if (tree_iter_is_in(&iter, &last)) {
		if (!read_item(file, &iter, &e, &part, err))
			return false;
		if (offset - part.offset < part.len) {
			cut_part(&part, offset);
			return print_part(tree->volume, &part, err);
		}
	}
	/* A hole without an item ends where the next item begins. */
	if (!tree_seek(tree, &last, &iter, err))
		return false;
	if (tree_iter_is_in(&iter, &last) && iter.key.offset < end)
		end = iter.key.offset;
	part = (struct part){ .offset = offset, .len = end - offset, .kind = "hole" };
	return print_part(tree->volume, &part, err);
}

/* "PATH@OFFSET", if that is not itself a path. */
static bool find(const struct subvolume_list *list, uint64_t subvolume, const char *operand, struct file_id *file, bool *has_offset,
		 uint64_t *offset, struct error *err)
{
	const char *sign = strrchr(operand, '@');
	struct error again = { 0 };
	char *path, *front;

	*has_offset = false;
	if (path_operand(list, subvolume, operand, &path, file, err)) {
		free(path);
		return true;
	}
	if (err->kind != ERROR_NOT_FOUND || !sign || !bytes_parse(sign + 1, offset))
		return false;
	front = strndup(operand, (size_t)(sign - operand));
	if (!front)
		return error_memory(err);
	*has_offset = path_operand(list, subvolume, front, &path, file, &again);
	*err = again;
	free(front);
	if (*has_offset)
		free(path);
	return *has_offset;
}

bool resolve_path(const struct subvolume_list *list, uint64_t subvolume, const char *operand, struct error *err)
{
	struct volume *volume = list->volume;
	const struct subvolume *in;
	struct file looked = { .legacy = { .layout = LEGACY_NONE } };
	struct file_id file;
	bool has_offset;
	uint64_t offset = 0;
	char name[256];

	if (!find(list, subvolume, operand, &file, &has_offset, &offset, err))
		return false;
	escape_text(operand, strlen(operand), name, sizeof(name));
	if (file.inode == EMPTY_SUBVOLUME_INODE)
		return error_set(err, ERROR_NOT_FOUND, "%s: the empty place of a nested subvolume has no inode", name);
	looked.number = file.inode;
	in = subvolume_by_id(list, file.subvolume);
	if (!tree_open(volume, file.subvolume, &looked.tree, err) || !inode_get(&looked.tree, file.inode, &looked.inode, err) ||
	    (in && !legacy_find(volume, in, &looked.legacy, err)))
		return error_prefix(err, "%s", name);
	if (!S_ISREG(looked.inode.mode) && !S_ISLNK(looked.inode.mode))
		return error_set(err, ERROR_USAGE, "%s is a %s, which has no extents", name, inode_type_name(looked.inode.mode));
	if (!(has_offset ? print_at(&looked, offset, err) : print_all(&looked, err)))
		return error_prefix(err, "%s", name);
	return true;
}

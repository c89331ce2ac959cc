/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Summing up subvolumes item by item and extent by extent. */
#include "tests/crash/content.h"

#include <inttypes.h>
#include <stdlib.h>
#include <xxhash.h>

#include "common/fs/csum-lookup.h"
#include "common/sealed/scan.h"
#include "common/tree/tree.h"
#include "common/volume/csum.h"
#include "common/volume/mirror.h"
#include "format/crypt.h"
#include "tests/support/tree-check.h"

#define wrong(...) error_set(err, ERROR_CORRUPT, __VA_ARGS__)

struct reading {
	struct volume *volume;
	const struct members *members;
	bool sealed, torn, moved;
	struct subvolume_list list;
	struct scan *all;	/* of all subvolumes */
	struct scan *set;	/* sealed: of the members */
	struct content *content;
	uint64_t extent;	/* being read */
};

static bool is_member(const struct reading *reading, uint64_t id)
{
	for (size_t i = 0; i < reading->members->n; i++) {
		if (reading->members->id[i] == id)
			return true;
	}
	return false;
}

/* --- superblocks ---------------------------------------------------------------------------------- */

static bool read_super(struct reading *reading, struct error *err)
{
	static const uint8_t zeros[SUPER_TAIL_SIZE];
	const struct volume *volume = reading->volume;
	struct disk_superblock first = volume->super.disk;

	memset(first.csum, 0, sizeof(first.csum));
	first.bytenr = to_le64(0);
	memset(&first.dev_item, 0, sizeof(first.dev_item));
	for (unsigned i = 0; i < volume->n_copies; i++) {
		const struct super_copy *copy = &volume->copy[i];
		const struct disk_dev_item *item = &volume->devices[copy->device].item;
		struct disk_superblock disk = copy->super.disk;
		char text[COPY_TEXT_SIZE];

		super_copy_text(volume, copy, text);
		if (!copy->exists || (!copy->valid && copy->number > 0 && reading->torn))
			continue;
		if (!copy->valid)
			return wrong("%s is not valid: %s", text, copy->error.text);
		if (copy->super.incompat & INCOMPAT_CRYPT_UNFINISHED || memcmp(copy->super.disk.tail, zeros, sizeof(zeros)) != 0)
			return wrong("%s still tells of a conversion", text);
		/* tree_check_used() compares it with the chunk tree. */
		if (memcmp(&disk.dev_item, item, sizeof(*item)) != 0)
			return wrong("%s has another device item", text);
		memset(disk.csum, 0, sizeof(disk.csum));
		disk.bytenr = to_le64(0);
		memset(&disk.dev_item, 0, sizeof(disk.dev_item));
		if (memcmp(&disk, &first, sizeof(disk)) != 0)
			return wrong("%s is not like that in use", text);
	}
	memset(first.backup, 0, sizeof(first.backup));
	/* Trees of other shapes hold the same; tree_check_used() compares both numbers with the trees. */
	first.root_level = 0;
	first.cache_generation = to_le64(0);
	first.bytes_used = to_le64(0);
	/* A metadata chunk that was added stays: tree_check_used() compares these too. */
	first.chunk_root = to_le64(0);
	first.chunk_root_level = 0;
	reading->content->super = XXH64(&first, sizeof(first), 0);
	return true;
}

/* --- subvolumes ----------------------------------------------------------------------------------- */

static bool read_root(struct reading *reading, const struct subvolume *subvolume, struct error *err)
{
	cleanup_tree_iter struct tree_iter iter = { 0 };
	struct disk_root_item item = { 0 };
	struct tree tree;
	bool found;

	if (!tree_open(reading->volume, ROOT_TREE_ID, &tree, err) || !tree_find(&tree, &subvolume->root_key, &iter, &found, err))
		return false;
	if (!found || iter.item.left < sizeof(item))
		return wrong("subvolume %" PRIu64 " has no root item of full length", subvolume->id);
	memcpy(&item, iter.item.at, sizeof(item));
	if (reading->sealed && is_member(reading, subvolume->id)) {
		struct disk_crypt_tag tag;

		memcpy(&tag, item.reserved, sizeof(tag));
		memset(&tag.key_hash, 0, sizeof(tag.key_hash));
		memcpy(item.reserved, &tag, sizeof(tag));
	}
	reading->content->roots = XXH64(&item, sizeof(item), reading->content->roots + subvolume->id);
	return true;
}

/* The bytes of an item that count: of an inline extent that is sealed only the head. */
static size_t bytes_that_count(const struct reading *reading, uint64_t id, const struct tree_iter *iter)
{
	const size_t head = offsetof(struct disk_file_extent, disk_bytenr);

	if (reading->sealed && is_member(reading, id) && iter->key.type == KEY_EXTENT_DATA && iter->item.left > head &&
	    iter->item.at[offsetof(struct disk_file_extent, type)] == FILE_EXTENT_INLINE)
		return head;
	return iter->item.left;
}

static bool read_extent(struct reading *reading, const struct scan_extent *extent, struct error *err);

/* All that counts but the address, and instead of it what is there. */
static bool read_moved_item(struct reading *reading, uint64_t id, const struct tree_iter *iter, struct error *err)
{
	const size_t len = bytes_that_count(reading, id, iter), at = offsetof(struct disk_file_extent, disk_bytenr);
	struct disk_file_extent item;
	struct scan_extent extent;

	if (iter->key.type != KEY_EXTENT_DATA || iter->item.at[offsetof(struct disk_file_extent, type)] == FILE_EXTENT_INLINE) {
		reading->content->items = XXH64(iter->item.at, len, reading->content->items);
		return true;
	}
	memcpy(&item, iter->item.at, sizeof(item));
	extent = (struct scan_extent){ .logical = le64(item.disk_bytenr), .length = le64(item.disk_num_bytes) };
	memset((uint8_t *)&item + at, 0, sizeof(item.disk_bytenr));
	reading->content->items = XXH64(&item, sizeof(item), reading->content->items);
	return extent.logical == 0 || (reading->sealed && is_member(reading, id)) || read_extent(reading, &extent, err);
}

static bool read_items(struct reading *reading, const struct subvolume *subvolume, struct error *err)
{
	cleanup_tree_iter struct tree_iter iter = { 0 };
	const struct key first = { 0 };
	uint64_t *sum = &reading->content->items;
	struct tree tree;

	if (!tree_open(reading->volume, subvolume->id, &tree, err))
		return false;
	for (bool ok = tree_seek(&tree, &first, &iter, err);; ok = tree_next(&iter, err)) {
		if (!ok)
			return false;
		if (!iter.valid)
			return true;

		const uint64_t key[] = { iter.key.objectid, iter.key.type, iter.key.offset, iter.item.left };

		*sum = XXH64(key, sizeof(key), *sum + subvolume->id);
		if (!reading->moved) {
			*sum = XXH64(iter.item.at, bytes_that_count(reading, subvolume->id, &iter), *sum);
		} else if (!read_moved_item(reading, subvolume->id, &iter, err)) {
			return false;
		}
	}
}

/* --- data ----------------------------------------------------------------------------------------- */

/* Sectors went bad before the conversion began (CRASH_BAD_SECTORS): the copies of data then differ, but one matches the checksum. */
static bool has_bad_sectors(void)
{
	return getenv("CRASH_BAD_SECTORS") != NULL;
}

static bool add_right(struct reading *reading, uint64_t logical, const uint8_t *csum, struct error *err)
{
	struct volume *volume = reading->volume;
	uint8_t bytes[4096];
	unsigned n;

	if (!volume_n_mirrors(volume, logical, &n, err))
		return false;
	for (unsigned mirror = 0; mirror < n; mirror++) {
		if (!volume_read(volume, logical, bytes, sizeof(bytes), mirror, err))
			return false;
		if (csum_matches(volume->super.csum_type, bytes, sizeof(bytes), csum))
			return true;
	}
	return error_set(err, ERROR_CORRUPT, "no copy of the data at %" PRIu64 " matches its checksum", logical);
}

static bool add_csums(void *context, uint64_t logical, size_t n_sectors, const uint8_t *csums, struct error *err)
{
	struct reading *reading = context;
	uint64_t *sum = &reading->content->data;

	*sum = XXH64(csums, n_sectors * csum_type_size(reading->volume->super.csum_type), *sum + (logical - reading->extent) + (reading->moved ? 0 : reading->extent));
	for (; has_bad_sectors() && n_sectors > 0; n_sectors--, logical += 4096, csums += csum_type_size(reading->volume->super.csum_type))
		if (!add_right(reading, logical, csums, err))
			return false;
	return true;
}

static bool read_extent(struct reading *reading, const struct scan_extent *extent, struct error *err)
{
	struct volume *volume = reading->volume;
	uint64_t *sum = &reading->content->data;
	uint8_t *bytes = malloc(2 * extent->length), *other = bytes ? bytes + extent->length : NULL;
	const struct chunk *chunk;
	bool ok, any = false;

	reading->extent = extent->logical;
	ok = bytes ? volume_chunk(volume, extent->logical, &chunk, err) : error_memory(err);

	for (unsigned mirror = 0; ok && !has_bad_sectors() && mirror < chunk_n_mirrors(chunk); mirror++) {
		if (!volume_has_mirror(volume, extent->logical, extent->length, mirror))
			continue;
		ok = volume_read(volume, extent->logical, any ? other : bytes, extent->length, mirror, err);
		if (ok && any && memcmp(bytes, other, extent->length) != 0)
			ok = wrong("extent %" PRIu64 ": its mirrors differ", extent->logical);
		any = true;
	}
	if (ok && !has_bad_sectors())
		*sum = XXH64(bytes, extent->length, *sum + (reading->moved ? 0 : extent->logical));
	free(bytes);
	return ok && csum_lookup(volume, extent->logical, extent->length, add_csums, reading, err);
}

static bool read_data(struct reading *reading, struct error *err)
{
	uint64_t *ids = calloc(reading->list.n, sizeof(*ids));
	bool ok;

	if (!ids)
		return error_memory(err);
	for (size_t i = 0; i < reading->list.n; i++)
		ids[i] = reading->list.at[i].id;
	ok = scan_run(reading->volume, ids, reading->list.n, &reading->all, err);
	free(ids);
	if (!ok || (reading->sealed && !scan_run(reading->volume, reading->members->id, reading->members->n, &reading->set, err)))
		return false;
	for (size_t i = 0; i < reading->all->n_extents; i++) {
		const struct scan_extent *extent = &reading->all->extent[i];

		if (reading->moved || (reading->set && scan_extent_at(reading->set, extent->logical)))
			continue;
		if (!read_extent(reading, extent, err))
			return false;
	}
	return true;
}

/* What is read from one mirror is on every other. */
static bool check_mirrors(const struct reading *reading, struct error *err)
{
	for (size_t i = 0; i < reading->all->n_blocks; i++) {
		if (!block_verify_mirrors(reading->volume, reading->all->block[i].logical, err))
			return false;
	}
	return true;
}

/* --- all of it -------------------------------------------------------------------------------------- */

static bool read_all(struct reading *reading, struct error *err)
{
	if (!tree_check_used(reading->volume, err) || !read_super(reading, err) ||
	    !subvolume_list_read(reading->volume, &reading->list, err) || !read_data(reading, err) ||
	    !check_mirrors(reading, err))
		return false;
	for (size_t i = 0; i < reading->list.n; i++) {
		if (!read_root(reading, &reading->list.at[i], err) || !read_items(reading, &reading->list.at[i], err))
			return false;
	}
	return true;
}

bool content_read(struct disk *disk, const struct members *members, unsigned form, struct content *content, struct error *err)
{
	cleanup_volume struct volume *volume = NULL;
	struct reading reading = {
		.members = members,
		.sealed = form & CONTENT_SEALED,
		.torn = form & CONTENT_TORN,
		.moved = form & CONTENT_MOVED,
		.content = content,
	};
	bool ok;

	*content = (struct content){ 0 };
	if (!disk_open(disk, false, NULL, &volume, err))
		return false;
	reading.volume = volume;
	ok = read_all(&reading, err);
	scan_free(reading.all);
	scan_free(reading.set);
	subvolume_list_free(&reading.list);
	return ok;
}

const char *content_compare(const struct content *a, const struct content *b)
{
	if (a->super != b->super)
		return "the superblock";
	if (a->roots != b->roots)
		return "a root item";
	if (a->items != b->items)
		return "an item of a subvolume";
	if (a->data != b->data)
		return "data or checksums";
	return NULL;
}

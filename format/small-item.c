/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Reads items of one or two numbers. */
#include "format/small-item.h"

#include <inttypes.h>

#define corrupt_at(kind, format, ...) \
	error_set(err, ERROR_CORRUPT, kind " at %#" PRIx64 ": " format, item->offset, __VA_ARGS__)

bool uuid_item_next(struct cursor *item, uint64_t *subvolume, struct error *err)
{
	struct le64 id;

	if (!cursor_read(item, &id, sizeof(id)))
		return corrupt_at("uuid item", "%zu bytes left, an id takes %zu", item->left, sizeof(id));
	*subvolume = le64(id);
	return true;
}

bool dir_log_read(struct cursor *item, uint64_t *end, struct error *err)
{
	struct le64 disk;

	if (item->left != sizeof(disk) || !cursor_read(item, &disk, sizeof(disk)))
		return corrupt_at("directory log", "%zu bytes, not %zu", item->left, sizeof(disk));
	*end = le64(disk);
	return true;
}

bool space_cache_read(struct cursor *item, struct space_cache *out, struct error *err)
{
	struct disk_space_cache disk;

	if (item->left != sizeof(disk) || !cursor_read(item, &disk, sizeof(disk)))
		return corrupt_at("free space header", "%zu bytes, not %zu", item->left, sizeof(disk));
	*out = (struct space_cache){
		.location = key_from_disk(&disk.location),
		.generation = le64(disk.generation),
		.n_entries = le64(disk.n_entries),
		.n_bitmaps = le64(disk.n_bitmaps),
	};
	return true;
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Items of one or two numbers: ids for a uuid, ranges of a log, the header of a v1 space cache. */
#ifndef FORMAT_SMALL_ITEM_H
#define FORMAT_SMALL_ITEM_H

#include "format/cursor.h"
#include "format/key.h"

/* Reads the next subvolume id of a UUID_KEY_* item. Loop while item->left > 0. */
bool uuid_item_next(struct cursor *item, uint64_t *subvolume, struct error *err) must_use;

/* DIR_LOG_ITEM and DIR_LOG_INDEX of a log tree: the logged part of a directory begins at the key's offset and ends here. */
bool dir_log_read(struct cursor *item, uint64_t *end, struct error *err) must_use;

struct disk_space_cache {
	struct disk_key location;
	struct le64 generation;
	struct le64 n_entries;
	struct le64 n_bitmaps;
};
static_assert(sizeof(struct disk_space_cache) == 41, "btrfs_free_space_header");

/* (FREE_SPACE, untyped, address of a block group) in the root tree: which file of that tree holds the cache. */
struct space_cache {
	struct key location;
	uint64_t generation, n_entries, n_bitmaps;
};
bool space_cache_read(struct cursor *item, struct space_cache *cache, struct error *err) must_use;

#endif /* FORMAT_SMALL_ITEM_H */

/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Items about devices: device items, allocated extents of a device, error counters, a replacement, stripes of data. */
#ifndef FORMAT_DEVICE_ITEM_H
#define FORMAT_DEVICE_ITEM_H

#include "format/cursor.h"
#include "format/ondisk.h"

struct device_item {
	uint64_t devid, total_bytes, bytes_used, type, generation, start_offset;
	uint32_t io_align, io_width, sector_size, dev_group;
	uint8_t seek_speed, bandwidth;
	uint8_t uuid[UUID_SIZE], fsid[FSID_SIZE];
};
/* Exactly one struct disk_dev_item with any content; users of a device check it. */
bool device_item_read(struct cursor *item, struct device_item *device, struct error *err) must_use;

struct device_extent {
	uint64_t chunk_tree, chunk_objectid, chunk_offset, length;
	uint8_t chunk_tree_uuid[UUID_SIZE];
};
bool device_extent_read(struct cursor *item, struct device_extent *extent, struct error *err) must_use;

#define DEVICE_STATS_KNOWN 5u	/* write, read, flush, corruption, generation */
struct device_stats {
	unsigned n;			/* how many of value[] the item has; older kernels wrote fewer */
	uint64_t value[DEVICE_STATS_KNOWN];
	struct cursor more;		/* counters of later kernels */
};
/* A multiple of 8 bytes, at least one counter. */
bool device_stats_read(struct cursor *item, struct device_stats *stats, struct error *err) must_use;

struct disk_device_replace {
	struct le64 src_devid;
	struct le64 cursor_left, cursor_right;
	struct le64 cont_reading_mode;
	struct le64 state;
	struct le64 time_started, time_stopped;
	struct le64 n_write_errors, n_uncorrectable_read_errors;
};
static_assert(sizeof(struct disk_device_replace) == 72, "btrfs_dev_replace_item");

struct device_replace {
	uint64_t src_devid, cursor_left, cursor_right, cont_reading_mode, state, time_started, time_stopped;
	uint64_t n_write_errors, n_uncorrectable_read_errors;
};
bool device_replace_read(struct cursor *item, struct device_replace *replace, struct error *err) must_use;

/* A RAID_STRIPE item: where each copy or stripe of a range of data is. Kernels before 6.13 put 8 bytes before the list. */
struct disk_stripe_head {
	uint8_t encoding;
	uint8_t reserved[7];
};
struct disk_stripe_place {
	struct le64 devid;
	struct le64 physical;
};
static_assert(sizeof(struct disk_stripe_place) == 16, "btrfs_raid_stride");

struct stripe_copy {
	uint64_t devid, physical;
};
/* Removes the older head if the size says that there is one (*has_head, *encoding). What is left is a list with at least one entry. */
bool stripe_extent_begin(struct cursor *item, bool *has_head, uint8_t *encoding, struct error *err) must_use;
/* Loop while item->left > 0. */
bool stripe_extent_next(struct cursor *item, struct stripe_copy *copy, struct error *err) must_use;

#endif /* FORMAT_DEVICE_ITEM_H */

/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Reads items about devices. */
#include "format/device-item.h"

#include <inttypes.h>

#define corrupt_at(kind, format, ...) \
	error_set(err, ERROR_CORRUPT, kind " at %#" PRIx64 ": " format, item->offset, __VA_ARGS__)

bool device_item_read(struct cursor *item, struct device_item *out, struct error *err)
{
	struct disk_dev_item disk;

	if (item->left != sizeof(disk) || !cursor_read(item, &disk, sizeof(disk)))
		return corrupt_at("device item", "%zu bytes, not %zu", item->left, sizeof(disk));
	*out = (struct device_item){
		.devid = le64(disk.devid),
		.total_bytes = le64(disk.total_bytes),
		.bytes_used = le64(disk.bytes_used),
		.type = le64(disk.type),
		.generation = le64(disk.generation),
		.start_offset = le64(disk.start_offset),
		.io_align = le32(disk.io_align),
		.io_width = le32(disk.io_width),
		.sector_size = le32(disk.sector_size),
		.dev_group = le32(disk.dev_group),
		.seek_speed = disk.seek_speed,
		.bandwidth = disk.bandwidth,
	};
	memcpy(out->uuid, disk.uuid, UUID_SIZE);
	memcpy(out->fsid, disk.fsid, FSID_SIZE);
	return true;
}

bool device_extent_read(struct cursor *item, struct device_extent *out, struct error *err)
{
	struct disk_dev_extent disk;

	if (item->left != sizeof(disk) || !cursor_read(item, &disk, sizeof(disk)))
		return corrupt_at("device extent", "%zu bytes, not %zu", item->left, sizeof(disk));
	*out = (struct device_extent){
		.chunk_tree = le64(disk.chunk_tree),
		.chunk_objectid = le64(disk.chunk_objectid),
		.chunk_offset = le64(disk.chunk_offset),
		.length = le64(disk.length),
	};
	memcpy(out->chunk_tree_uuid, disk.chunk_tree_uuid, UUID_SIZE);
	return true;
}

bool device_stats_read(struct cursor *item, struct device_stats *out, struct error *err)
{
	struct device_stats stats = { 0 };
	struct le64 value;

	if (item->left == 0 || item->left % sizeof(value) != 0)
		return corrupt_at("device statistics", "%zu bytes, not a nonzero multiple of %zu", item->left, sizeof(value));
	while (stats.n < DEVICE_STATS_KNOWN && cursor_read(item, &value, sizeof(value)))
		stats.value[stats.n++] = le64(value);
	if (!cursor_take(item, item->left, &stats.more))
		return false;	/* cannot happen: what is left can be taken */
	*out = stats;
	return true;
}

bool device_replace_read(struct cursor *item, struct device_replace *out, struct error *err)
{
	struct disk_device_replace disk;

	if (item->left != sizeof(disk) || !cursor_read(item, &disk, sizeof(disk)))
		return corrupt_at("device replacement", "%zu bytes, not %zu", item->left, sizeof(disk));
	*out = (struct device_replace){
		.src_devid = le64(disk.src_devid),
		.cursor_left = le64(disk.cursor_left),
		.cursor_right = le64(disk.cursor_right),
		.cont_reading_mode = le64(disk.cont_reading_mode),
		.state = le64(disk.state),
		.time_started = le64(disk.time_started),
		.time_stopped = le64(disk.time_stopped),
		.n_write_errors = le64(disk.n_write_errors),
		.n_uncorrectable_read_errors = le64(disk.n_uncorrectable_read_errors),
	};
	return true;
}

bool stripe_extent_begin(struct cursor *item, bool *has_head, uint8_t *encoding, struct error *err)
{
	const size_t rest = item->left % sizeof(struct disk_stripe_place);
	struct disk_stripe_head head = { 0 };

	if (item->left < sizeof(struct disk_stripe_place) || (rest != 0 && rest != sizeof(head)))
		return corrupt_at("stripe extent", "%zu bytes, not a list of %zu each, with or without %zu before it", item->left,
				  sizeof(struct disk_stripe_place), sizeof(head));
	*has_head = rest == sizeof(head) && cursor_read(item, &head, sizeof(head));
	*encoding = head.encoding;
	return true;
}

bool stripe_extent_next(struct cursor *item, struct stripe_copy *copy, struct error *err)
{
	struct disk_stripe_place disk;

	if (!cursor_read(item, &disk, sizeof(disk)))
		return corrupt_at("stripe extent", "%zu bytes left, a place takes %zu", item->left, sizeof(disk));
	*copy = (struct stripe_copy){ le64(disk.devid), le64(disk.physical) };
	return true;
}

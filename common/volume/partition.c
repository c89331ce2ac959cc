/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Finding partitions is libblkid's work; what is in them is looked at here. */
#include "common/volume/partition.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <blkid/blkid.h>

#include "format/superblock.h"

#define BLKID_SECTOR 512u

static bool has_magic(struct device *device, uint64_t at)
{
	struct error unread;
	uint8_t magic[8];

	return device_read(device, magic, sizeof(magic), at + offsetof(struct disk_superblock, magic), &unread) &&
	       memcmp(magic, SUPER_MAGIC, sizeof(magic)) == 0;
}

/* The log of a zoned device is at its beginning. */
bool partition_is_btrfs(struct device *device, uint64_t offset, uint64_t length)
{
	for (unsigned n = 0; n < superblock_n_copies(length); n++)
		if (has_magic(device, offset + superblock_offset(n)))
			return true;
	return length >= SUPER_SIZE && has_magic(device, offset);
}

static void look_at(blkid_partition from, struct device *device, struct partition *partition, size_t n_max, size_t *n)
{
	const uint64_t start = (uint64_t)blkid_partition_get_start(from), size = (uint64_t)blkid_partition_get_size(from);
	const uint64_t sectors = device->size / BLKID_SECTOR;

	if (start >= sectors)
		return;

	const struct partition found = {
		.number = blkid_partition_get_partno(from),
		.offset = start * BLKID_SECTOR,
		.length = (size < sectors - start ? size : sectors - start) * BLKID_SECTOR,	/* of an image that was cut */
	};

	if (!partition_is_btrfs(device, found.offset, found.length))
		return;
	if (*n < n_max)
		partition[*n] = found;
	(*n)++;
}

bool partitions_find(const char *path, struct device *device, struct partition *partition, size_t n_max, size_t *n, struct error *err)
{
	blkid_probe probe = blkid_new_probe_from_filename(path);
	blkid_partlist list;

	*n = 0;
	if (!probe)
		return error_set(err, ERROR_IO, "%s: cannot be looked at for partitions", path);
	list = blkid_probe_get_partitions(probe);
	for (int i = 0; list && i < blkid_partlist_numof_partitions(list); i++)
		look_at(blkid_partlist_get_partition(list, i), device, partition, n_max, n);
	blkid_free_probe(probe);
	return true;
}

/* --- windows ------------------------------------------------------------------------------------------- */

struct window {
	struct device *device;
	uint64_t offset, length;
};

static bool window_read(void *self, void *bytes, size_t len, uint64_t at, struct error *err)
{
	const struct window *window = self;

	return device_read(window->device, bytes, len, window->offset + at, err);
}

static bool window_write(void *self, const void *bytes, size_t len, uint64_t at, struct error *err)
{
	(void)self, (void)bytes, (void)len, (void)at;
	return error_set(err, ERROR_REFUSED, "a filesystem inside a disk image is only read");
}

static bool window_flush(void *self, struct error *err)
{
	(void)self, (void)err;
	return true;
}

static uint64_t window_next_data(void *self, uint64_t at)
{
	const struct window *window = self;
	struct device *device = window->device;
	const uint64_t start = window->offset + at, next = device->ops->next_data ? device->ops->next_data(device->self, start) : start;

	return next - window->offset < window->length ? next - window->offset : window->length;
}

static void window_close(void *self)
{
	struct window *window = self;

	device_close(window->device);
	free(window);
}

bool device_window(struct device *device, uint64_t offset, uint64_t length, struct device **made, struct error *err)
{
	static const struct device_ops ops = {
		.read = window_read, .write = window_write, .flush = window_flush, .next_data = window_next_data, .close = window_close,
	};
	struct window *window = malloc(sizeof(*window));
	char *name = NULL;
	bool ok;

	if (offset > device->size || length > device->size - offset) {
		error_set(err, ERROR_NOT_FOUND, "%s: offset %" PRIu64 " is behind the end at %" PRIu64, device->name, offset, device->size);
		device_close(device);
		free(window);
		return false;
	}
	if (!window || asprintf(&name, "%s@%" PRIu64, device->name, offset) < 0) {
		device_close(device);
		free(window);
		return error_memory(err);
	}
	*window = (struct window){ device, offset, length };
	ok = device_new(&ops, window, name, length, false, made, err);
	free(name);
	return ok;
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
/* libblkid finds the partitions. This file looks at what is in them. */
#include "common/device/partition.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <blkid/blkid.h>

#include "common/device/probe-fd.h"
#include "format/superblock.h"

#define BLKID_SECTOR 512u
#define BEGINNING (1u << 20)	/* bytes of a disk that hold its partition table */

static bool has_magic(struct device *device, uint64_t at)
{
	struct error unread;
	uint8_t magic[8];

	return device_read(device, magic, sizeof(magic), at + offsetof(struct disk_superblock, magic), &unread) &&
	       memcmp(magic, SUPER_MAGIC, sizeof(magic)) == 0;
}

/* The magic may also be at the beginning, where a zoned device has its log. */
bool partition_is_btrfs(struct device *device, uint64_t offset, uint64_t length)
{
	for (unsigned n = 0; n < superblock_n_copies(length); n++)
		if (has_magic(device, offset + superblock_offset(n)))
			return true;
	return length >= SUPER_SIZE && has_magic(device, offset);
}

/* What is searched for, and where. */
struct search {
	const char *path;
	struct device *device;
	partition_wanted *wanted;
	struct partitions *found;
};

static void take_type(blkid_partition from, struct partition *partition)
{
	blkid_parttable table = blkid_partition_get_table(from);
	const char *const kind = table ? blkid_parttable_get_type(table) : NULL, *const type = blkid_partition_get_type_string(from);

	snprintf(partition->table, sizeof(partition->table), "%s", kind ? kind : "");
	if (type)
		snprintf(partition->type, sizeof(partition->type), "%s", type);
	else
		snprintf(partition->type, sizeof(partition->type), "0x%02x", (unsigned)blkid_partition_get_type(from));
}

static void look_at(const struct search *search, blkid_partition from)
{
	const uint64_t start = (uint64_t)blkid_partition_get_start(from), size = (uint64_t)blkid_partition_get_size(from);
	const uint64_t sectors = search->device->size / BLKID_SECTOR;

	if (start >= sectors)
		return;

	struct partition found = {
		.number = blkid_partition_get_partno(from),
		.offset = start * BLKID_SECTOR,
		.length = (size < sectors - start ? size : sectors - start) * BLKID_SECTOR,	/* the image may be cut off */
	};

	take_type(from, &found);
	if (!search->wanted(search->path, search->device, found.offset, found.length))
		return;
	if (search->found->n < sizeof(search->found->at) / sizeof(found))
		search->found->at[search->found->n++] = found;
}

/* Goes through the partitions of the table in fd. sector_size: the unit of its addresses. */
static bool look_through(const struct search *search, int fd, unsigned sector_size)
{
	blkid_probe probe = blkid_new_probe();
	const bool ok = probe && blkid_probe_set_device(probe, fd, 0, 0) == 0 && blkid_probe_set_sectorsize(probe, sector_size) == 0;
	blkid_partlist list = ok ? blkid_probe_get_partitions(probe) : NULL;

	for (int i = 0; list && i < blkid_partlist_numof_partitions(list); i++)
		look_at(search, blkid_partlist_get_partition(list, i));
	blkid_free_probe(probe);
	return ok;
}

/* The fields of a GPT header that are used. The disk ends with the second header. */
struct gpt_header {
	uint8_t signature[8];
	struct le32 revision, size, crc32, reserved;
	struct le64 place, place_of_second;
};
static_assert(offsetof(struct gpt_header, place_of_second) == 32, "AlternateLBA");

/* Returns the size that the disk had according to its first GPT header, or 0 if there is none or the image is not smaller. */
static uint64_t size_before_cut(struct device *device, unsigned sector_size)
{
	struct gpt_header header;
	struct error unread;

	if (!device_read(device, &header, sizeof(header), sector_size, &unread) || memcmp(header.signature, "EFI PART", 8) != 0)
		return 0;

	const uint64_t last = le64(header.place_of_second);

	return last >= INT64_MAX / sector_size || (last + 1) * sector_size <= device->size ? 0 : (last + 1) * sector_size;
}

/* libblkid rejects a GPT that extends behind the end of the file. It gets the beginning in a file as large as the disk was. */
static bool look_at_beginning(const struct search *search, unsigned sector_size, uint64_t size)
{
	struct device *const device = search->device;
	const size_t len = device->size < BEGINNING ? device->size : BEGINNING;
	const int fd = memfd_create("beginning", MFD_CLOEXEC);
	uint8_t *bytes = malloc(BEGINNING);
	struct error unread;
	bool ok = fd >= 0 && bytes && ftruncate(fd, (off_t)size) == 0 && device_read(device, bytes, len, 0, &unread) &&
		  pwrite(fd, bytes, len, 0) == (ssize_t)len;

	ok = ok && look_through(search, fd, sector_size);
	free(bytes);
	if (fd >= 0)
		close(fd);
	return ok;
}

bool partition_has_btrfs(const char *path, struct device *device, uint64_t offset, uint64_t length)
{
	(void)path;
	return partition_is_btrfs(device, offset, length);
}

bool partitions_find(const char *path, struct device *device, partition_wanted *wanted, struct partitions *found, struct error *err)
{
	static const unsigned sector_sizes[] = { 512, 4096 };
	const struct search search = { path, device, wanted, found };
	const int fd = probe_fd(path, device, 0, device->size, err);
	bool ok = true;

	found->n = 0;
	if (fd < 0)
		return false;
	for (size_t i = 0; ok && found->n == 0 && i < sizeof(sector_sizes) / sizeof(sector_sizes[0]); i++) {
		found->sector_size = sector_sizes[i];
		found->size_before_cut = 0;
		ok = look_through(&search, fd, found->sector_size);
		if (found->n > 0)
			break;
		found->size_before_cut = size_before_cut(device, found->sector_size);
		if (found->size_before_cut > 0)
			(void)!look_at_beginning(&search, found->sector_size, found->size_before_cut);
	}
	probe_fd_close(fd);
	return ok || error_set(err, ERROR_IO, "%s: cannot be searched for partitions", path);
}

/* --- windows ------------------------------------------------------------------------------------------- */

struct window {
	struct device *device;
	struct device_ops ops;	/* what may be missing is missing as below */
	uint64_t offset, length;
};

static bool window_read(void *self, void *bytes, size_t len, uint64_t at, struct error *err)
{
	const struct window *window = self;

	return device_read(window->device, bytes, len, window->offset + at, err);
}

static bool window_write(void *self, const void *bytes, size_t len, uint64_t at, struct error *err)
{
	const struct window *window = self;

	return device_write(window->device, bytes, len, window->offset + at, err);
}

static bool window_flush(void *self, struct error *err)
{
	const struct window *window = self;

	return device_flush(window->device, err);
}

static bool window_read_medium(void *self, void *bytes, size_t len, uint64_t at, struct error *err)
{
	const struct window *window = self;

	return device_read_medium(window->device, bytes, len, window->offset + at, err);
}

static bool window_forget(void *self, struct error *err)
{
	const struct window *window = self;

	return device_forget(window->device, err);
}

/* Cuts off what is behind the window. */
static uint64_t inside(const struct window *window, uint64_t next)
{
	return next - window->offset < window->length ? next - window->offset : window->length;
}

static uint64_t window_next_data(void *self, uint64_t at)
{
	const struct window *window = self;

	return inside(window, device_next_data(window->device, window->offset + at));
}

static uint64_t window_next_hole(void *self, uint64_t at)
{
	const struct window *window = self;

	return inside(window, device_next_hole(window->device, window->offset + at));
}

static void window_punch(void *self, uint64_t at, uint64_t len)
{
	const struct window *window = self;

	device_punch(window->device, window->offset + at, len);
}

static bool window_reserve(void *self, uint64_t at, uint64_t len, struct error *err)
{
	const struct window *window = self;

	return device_reserve(window->device, window->offset + at, len, err);
}

static uint64_t window_room(void *self)
{
	const struct window *window = self;

	return device_room(window->device);
}

static bool window_still_ours(void *self, struct error *err)
{
	const struct window *window = self;

	return device_still_ours(window->device, err);
}

static void window_share(void *self)
{
	const struct window *window = self;

	device_share(window->device);
}

static bool window_check_free(void *self, struct error *err)
{
	const struct window *window = self;

	return device_check_free(window->device, err);
}

static bool window_locked_by(void *self, pid_t *process)
{
	const struct window *window = self;

	return device_locked_by(window->device, process);
}

static void window_close(void *self)
{
	struct window *window = self;

	device_close(window->device);
	free(window);
}

/* What is missing below says something, so it is missing here. */
static struct device_ops window_ops(const struct device_ops *below)
{
	return (struct device_ops){
		.read = window_read,
		.write = window_write,
		.flush = window_flush,
		.read_medium = below->read_medium ? window_read_medium : NULL,
		.forget = below->forget ? window_forget : NULL,
		.next_data = below->next_data ? window_next_data : NULL,
		.next_hole = below->next_hole ? window_next_hole : NULL,
		.punch = below->punch ? window_punch : NULL,
		.reserve = below->reserve ? window_reserve : NULL,
		.room = below->room ? window_room : NULL,
		.still_ours = below->still_ours ? window_still_ours : NULL,
		.share = below->share ? window_share : NULL,
		.check_free = below->check_free ? window_check_free : NULL,
		.locked_by = below->locked_by ? window_locked_by : NULL,
		.close = window_close,
	};
}

bool device_window(struct device *device, uint64_t offset, uint64_t length, struct device **made, struct error *err)
{
	struct window *window = malloc(sizeof(*window));
	char *name = NULL;
	bool ok;

	if (offset > device->size || length > device->size - offset) {
		error_set(err, ERROR_NOT_FOUND, "%s: offset %" PRIu64 " is beyond the end at %" PRIu64, device->name, offset, device->size);
		device_close(device);
		free(window);
		return false;
	}
	if (!window || asprintf(&name, "%s@%" PRIu64, device->name, offset) < 0) {
		device_close(device);
		free(window);
		return error_memory(err);
	}
	*window = (struct window){ .device = device, .ops = window_ops(device->ops), .offset = offset, .length = length };
	ok = device_new(&window->ops, window, name, length, device->writable, made, err);
	free(name);
	return ok;
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "common/device/probe-fd.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "format/ondisk.h"

#define PIECE (1u << 20)	/* of the beginning and the end: partition tables and the headers of containers are there */
#define SECTOR 512u
#define ENTRIES_AT 446u
#define LOGICAL_MAX 128		/* partitions that are followed in a chain */

/* An entry of a partition table as DOS has it. */
struct dos_entry {
	uint8_t status, first[3], type, last[3];
	struct le32 start, length;
};
static_assert(sizeof(struct dos_entry) == 16, "DOS partition entry");

static bool copy(struct device *device, int fd, uint8_t *piece, uint64_t at, uint64_t len, struct error *err)
{
	if (at >= device->size)
		return true;
	len = len < PIECE ? len : PIECE;
	len = len < device->size - at ? len : device->size - at;
	return device_read(device, piece, (size_t)len, at, err) &&
	       (pwrite(fd, piece, (size_t)len, (off_t)at) == (ssize_t)len || error_system(err, "memory for a partition table"));
}

static bool is_extended(uint8_t type)
{
	return type == 0x05 || type == 0x0f || type == 0x85;
}

/* Finds the extended partition in the table of a sector. */
static bool next_table(const uint8_t *sector, uint64_t *start)
{
	struct dos_entry entry[4];

	memcpy(entry, sector + ENTRIES_AT, sizeof(entry));
	for (size_t i = 0; sector[510] == 0x55 && sector[511] == 0xaa && i < 4; i++) {
		if (is_extended(entry[i].type)) {
			*start = le32(entry[i].start);
			return true;
		}
	}
	return false;
}

/* Logical partitions are a chain of tables, anywhere on the disk. */
static bool copy_chain(struct device *device, int fd, uint8_t *piece, struct error *err)
{
	uint64_t base, next;
	bool ok = copy(device, fd, piece, 0, SECTOR, err);

	if (!ok || !next_table(piece, &base))
		return ok;
	next = 0;
	for (unsigned i = 0; ok && i < LOGICAL_MAX; i++) {
		memset(piece, 0, SECTOR);
		ok = copy(device, fd, piece, (base + next) * SECTOR, SECTOR, err);
		if (!next_table(piece, &next))
			break;
	}
	return ok;
}

/* Everything that is looked at. */
static bool copy_all(struct device *device, int fd, uint8_t *piece, uint64_t offset, uint64_t length, struct error *err)
{
	const uint64_t size = device->size, end = length < size - offset ? offset + length : size;
	const uint64_t ends[] = { size, end };
	bool ok = copy(device, fd, piece, 0, PIECE, err) && copy(device, fd, piece, offset, length, err) && copy_chain(device, fd, piece, err);

	for (size_t i = 0; ok && i < sizeof(ends) / sizeof(ends[0]); i++)
		ok = copy(device, fd, piece, ends[i] > PIECE ? ends[i] - PIECE : 0, PIECE, err);
	return ok;
}

/* A copy of what libblkid looks at. */
static int copied(struct device *device, uint64_t offset, uint64_t length, struct error *err)
{
	const int fd = memfd_create("probed", MFD_CLOEXEC);
	uint8_t *piece = malloc(PIECE);
	const bool ok = (piece || error_memory(err)) && offset <= device->size &&
			((fd >= 0 && ftruncate(fd, (off_t)device->size) == 0) || error_system(err, "memory for a partition table")) &&
			copy_all(device, fd, piece, offset, length, err);

	free(piece);
	if (ok)
		return fd;
	probe_fd_close(fd);
	return -1;
}

int probe_fd(const char *path, struct device *device, uint64_t offset, uint64_t length, struct error *err)
{
	if (device->fd < 0)
		return copied(device, offset, length, err);

	/* Not opened again: that would break the lease of an image that is open for writing. */
	const int fd = fcntl(device->fd, F_DUPFD_CLOEXEC, 0);

	if (fd < 0)
		error_set(err, ERROR_IO, "%s: cannot be searched for partitions", path);
	return fd;
}

void probe_fd_close(int fd)
{
	if (fd < 0)
		return;
	(void)!posix_fadvise(fd, 0, 0, POSIX_FADV_NORMAL);	/* libblkid has turned reading ahead off, for the device as well */
	close(fd);
}

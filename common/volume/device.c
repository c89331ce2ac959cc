/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Files and block devices as a table of functions, and the bounds in front of every table. */
#include "common/volume/device.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/fs.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/volume/device-in-use.h"

struct file {
	int fd;
	bool is_block;
	uint64_t size;
};

static bool file_read(void *self, void *bytes, size_t len, uint64_t at, struct error *err)
{
	const struct file *file = self;
	uint8_t *to = bytes;

	while (len > 0) {
		const ssize_t n = pread(file->fd, to, len, (off_t)at);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return error_system(err, "cannot read %zu bytes at %#" PRIx64, len, at);
		if (n == 0)
			return error_set(err, ERROR_IO, "cannot read %zu bytes at %#" PRIx64 ": the file ends there", len, at);
		to += n;
		len -= (size_t)n;
		at += (uint64_t)n;
	}
	return true;
}

static bool file_write(void *self, const void *bytes, size_t len, uint64_t at, struct error *err)
{
	const struct file *file = self;
	const uint8_t *from = bytes;

	while (len > 0) {
		const ssize_t n = pwrite(file->fd, from, len, (off_t)at);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return error_system(err, "cannot write %zu bytes at %#" PRIx64, len, at);
		if (n == 0)
			return error_set(err, ERROR_IO, "cannot write %zu bytes at %#" PRIx64 ": nothing was taken", len, at);
		from += n;
		len -= (size_t)n;
		at += (uint64_t)n;
	}
	return true;
}

static bool file_flush(void *self, struct error *err)
{
	const struct file *file = self;

	while (fdatasync(file->fd) < 0)
		if (errno != EINTR)
			return error_system(err, "cannot flush");
	return true;
}

static uint64_t file_next_data(void *self, uint64_t at)
{
	const struct file *file = self;

	if (at >= file->size)
		return file->size;

	const off_t data = lseek(file->fd, (off_t)at, SEEK_DATA);

	if (data >= 0)
		return (uint64_t)data < file->size ? (uint64_t)data : file->size;
	return errno == ENXIO ? file->size : at;
}

static void file_punch(void *self, uint64_t at, uint64_t len)
{
	const struct file *file = self;

	/* Only gives room back: what was to be zero has been written as zeros. */
	(void)!fallocate(file->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, (off_t)at, (off_t)len);
}

static void file_close(void *self)
{
	struct file *file = self;

	if (file->fd >= 0)
		close(file->fd);
	free(file);
}

static const struct device_ops regular_ops = {
	.read = file_read,
	.write = file_write,
	.flush = file_flush,
	.next_data = file_next_data,
	.punch = file_punch,
	.close = file_close,
};

static const struct device_ops block_ops = {
	.read = file_read,
	.write = file_write,
	.flush = file_flush,
	.close = file_close,
};

/* flock() is what other tools of block devices take, the OFD lock what virtual machines take on their images. */
static bool lock(int fd, bool writable, struct error *err)
{
	struct flock whole = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
	int rc;

	if (flock(fd, LOCK_EX | LOCK_NB) < 0) {
		if (errno == EWOULDBLOCK)
			return error_set(err, ERROR_BUSY, "another process holds a lock on it");
		return error_system(err, "cannot lock");
	}
	/* A descriptor for reading cannot have it, only ask who has. */
	rc = fcntl(fd, writable ? F_OFD_SETLK : F_OFD_GETLK, &whole);
	if (rc < 0 ? errno == EAGAIN || errno == EACCES : !writable && whole.l_type != F_UNLCK)
		return error_set(err, ERROR_BUSY, "another process holds a lock on a part of it (a virtual machine?)");
	return true;
}

static bool open_error(bool writable, struct error *err)
{
	switch (errno) {
	case ENOENT:
	case ENOTDIR:
	case ENXIO:
	case ENODEV:
	case ENOMEDIUM:
		return error_set(err, ERROR_NOT_FOUND, "cannot open: %s", strerror(errno));
	case EBUSY:
		error_set(err, ERROR_BUSY, "the device is mounted or in use");
		return error_hint(err, "unmount it; lsblk shows what else is on it");
	default:
		return error_system(err, writable ? "cannot open for writing" : "cannot open");
	}
}

/* exclusive: refuses what others use. */
static bool open_file(const char *path, bool writable, bool exclusive, struct file *file, struct error *err)
{
	struct stat st;
	int flags = O_CLOEXEC | O_NOCTTY | O_NONBLOCK, read_only = 0;

	if (stat(path, &st) < 0)
		return open_error(false, err);
	if (!S_ISREG(st.st_mode) && !S_ISBLK(st.st_mode))
		return error_set(err, ERROR_NOT_FOUND, "neither a file nor a block device");
	file->is_block = S_ISBLK(st.st_mode);
	flags |= writable ? O_RDWR : O_RDONLY;
	if (exclusive && file->is_block)
		flags |= O_EXCL;
	file->fd = open(path, flags);
	if (file->fd < 0 || fstat(file->fd, &st) < 0)
		return open_error(writable, err);
	if (S_ISBLK(st.st_mode) != file->is_block || (!file->is_block && !S_ISREG(st.st_mode)))
		return error_set(err, ERROR_BUSY, "was replaced by something else while it was opened");
	/* The kernel opens such a device for writing, and refuses the first write. */
	if (writable && file->is_block && ioctl(file->fd, BLKROGET, &read_only) == 0 && read_only) {
		errno = EROFS;
		return error_system(err, "cannot open for writing");
	}
	if (exclusive && (!lock(file->fd, writable, err) || !device_not_in_use(&st, err)))
		return false;

	const off_t size = lseek(file->fd, 0, SEEK_END);

	if (size < 0)
		return error_system(err, "cannot tell the size");
	file->size = (uint64_t)size;
	return true;
}

bool device_new(const struct device_ops *ops, void *self, const char *name, uint64_t size, bool writable,
		struct device **device, struct error *err)
{
	struct device *made = malloc(sizeof(*made));
	char *own_name = strdup(name);

	if (!made || !own_name) {
		free(made);
		free(own_name);
		if (ops->close)
			ops->close(self);
		return error_memory(err);
	}
	*made = (struct device){ .ops = ops, .self = self, .name = own_name, .size = size, .writable = writable };
	*device = made;
	return true;
}

bool device_open(const char *path, bool writable, struct device **device, struct error *err)
{
	struct file *file;

	if (!path[0])
		return error_set(err, ERROR_USAGE, "the name of the image, or of a device, is empty");
	file = malloc(sizeof(*file));
	if (!file)
		return error_memory(err);
	*file = (struct file){ .fd = -1 };
	if (!open_file(path, writable, writable, file, err)) {
		file_close(file);
		return error_prefix(err, "%s", path);
	}
	return device_new(file->is_block ? &block_ops : &regular_ops, file, path, file->size, writable, device, err);
}

bool device_check_free(const char *path, struct error *err)
{
	struct file file = { .fd = -1 };
	const bool ok = open_file(path, false, true, &file, err);

	if (file.fd >= 0)
		close(file.fd);	/* gives the lock back as well */
	return ok || error_prefix(err, "%s", path);
}

void device_close(struct device *device)
{
	if (!device)
		return;
	if (device->ops->close)
		device->ops->close(device->self);
	free(device->name);
	free(device);
}

static bool check_bounds(const struct device *device, size_t len, uint64_t at, struct error *err)
{
	if (at > device->size || len > device->size - at)
		return error_set(err, ERROR_CORRUPT, "%s: %zu bytes at %#" PRIx64 " are outside the device of %" PRIu64 " bytes",
				 device->name, len, at, device->size);
	return true;
}

bool device_read(struct device *device, void *bytes, size_t len, uint64_t at, struct error *err)
{
	if (!check_bounds(device, len, at, err))
		return false;
	return device->ops->read(device->self, bytes, len, at, err) || error_prefix(err, "%s", device->name);
}

bool device_write(struct device *device, const void *bytes, size_t len, uint64_t at, struct error *err)
{
	if (!device->writable)
		return error_set(err, ERROR_REFUSED, "%s: it was opened for reading only", device->name);
	if (!check_bounds(device, len, at, err))
		return false;
	return device->ops->write(device->self, bytes, len, at, err) || error_prefix(err, "%s", device->name);
}

bool device_flush(struct device *device, struct error *err)
{
	return device->ops->flush(device->self, err) || error_prefix(err, "%s", device->name);
}

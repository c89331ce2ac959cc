/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Files and block devices as a table of functions. */
#include "common/device/device.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/fs.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "common/crypto/secret.h"
#include "common/device/device-in-use.h"
#include "common/device/device-lock.h"

/* Reads that bypass the cache: an alignment that any device accepts, and the bytes per read. */
#define DIRECT_ALIGN 4096u
#define DIRECT_SIZE (1u << 20)

struct file {
	int fd;
	bool is_block;
	uint64_t size;
	uint8_t *direct;	/* DIRECT_SIZE bytes if the file is writable, so that they are there when needed */
	char *path;
	struct stat st;
	struct device_lock lock;
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
		if (n < 0) {
			const bool is_full = errno == ENOSPC || errno == EDQUOT;	/* the write filled a hole of the image */

			error_system(err, "cannot write %zu bytes at %#" PRIx64, len, at);
			return is_full && error_hint(err, "make room on the filesystem that holds the image");
		}
		if (n == 0)
			return error_set(err, ERROR_IO, "cannot write %zu bytes at %#" PRIx64 ": nothing was written", len, at);
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

/* Like pread(), but bypasses the page cache if the file system can. Returns 0 or less as pread() does. */
static ssize_t read_direct(const struct file *file, size_t len, uint64_t at)
{
	const int flags = fcntl(file->fd, F_GETFL);
	ssize_t n = -1;

	/* Done even if O_DIRECT works, so that later reads through the cache return the same. */
	(void)!posix_fadvise(file->fd, (off_t)at, (off_t)len, POSIX_FADV_DONTNEED);
	errno = EINVAL;
	if (flags >= 0 && fcntl(file->fd, F_SETFL, flags | O_DIRECT) == 0) {
		n = pread(file->fd, file->direct, len, (off_t)at);

		const int saved = errno;

		(void)!fcntl(file->fd, F_SETFL, flags);
		errno = saved;
	}
	return n < 0 && errno == EINVAL ? pread(file->fd, file->direct, len, (off_t)at) : n;
}

static bool file_read_medium(void *self, void *bytes, size_t len, uint64_t at, struct error *err)
{
	const struct file *file = self;
	uint8_t *to = bytes;

	if (!file->direct)
		return file_read(self, bytes, len, at, err);
	while (len > 0) {
		const size_t skip = at % DIRECT_ALIGN;
		const size_t wanted = len < DIRECT_SIZE - skip ? skip + len : DIRECT_SIZE;
		const size_t whole = (wanted + DIRECT_ALIGN - 1) / DIRECT_ALIGN * DIRECT_ALIGN;
		const ssize_t n = read_direct(file, whole, at - skip);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return error_system(err, "cannot read %zu bytes at %#" PRIx64, len, at);
		if ((size_t)n <= skip)
			return error_set(err, ERROR_IO, "cannot read %zu bytes at %#" PRIx64 ": the file ends there", len, at);

		const size_t got = (size_t)n - skip < len ? (size_t)n - skip : len;

		memcpy(to, file->direct + skip, got);
		to += got;
		at += got;
		len -= got;
	}
	return true;
}

static bool file_forget(void *self, struct error *err)
{
	const struct file *file = self;

	if (!file_flush(self, err))
		return false;
	(void)!posix_fadvise(file->fd, 0, 0, POSIX_FADV_DONTNEED);
	return true;
}

/* Returns what lseek() finds, or `other` if it cannot tell. */
static uint64_t file_seek(const struct file *file, uint64_t at, int whence, uint64_t other)
{
	if (at >= file->size)
		return file->size;

	const off_t found = lseek(file->fd, (off_t)at, whence);

	if (found >= 0)
		return (uint64_t)found < file->size ? (uint64_t)found : file->size;
	return errno == ENXIO ? file->size : other;
}

static uint64_t file_next_data(void *self, uint64_t at)
{
	return file_seek(self, at, SEEK_DATA, at);
}

static uint64_t file_next_hole(void *self, uint64_t at)
{
	const struct file *file = self;

	return file_seek(file, at, SEEK_HOLE, file->size);
}

static void file_punch(void *self, uint64_t at, uint64_t len)
{
	const struct file *file = self;

	/* This only gives back room: the bytes that must be zero were written as zeros. */
	(void)!fallocate(file->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, (off_t)at, (off_t)len);
}

/* Where the filesystem has no fallocate(), a full one is noticed only by the write. */
static bool file_reserve(void *self, uint64_t at, uint64_t len, struct error *err)
{
	const struct file *file = self;

	while (fallocate(file->fd, FALLOC_FL_KEEP_SIZE, (off_t)at, (off_t)len) != 0) {
		if (errno == EOPNOTSUPP || errno == ENOSYS)
			return true;
		if (errno == ENOSPC || errno == EDQUOT)
			return error_set(err, ERROR_NO_SPACE, "no room for %" PRIu64 " bytes at %#" PRIx64 ", where the file has a hole", len, at);
		if (errno != EINTR)
			return error_system(err, "cannot reserve %" PRIu64 " bytes at %#" PRIx64, len, at);
	}
	return true;
}

static uint64_t file_room(void *self)
{
	const struct file *file = self;
	struct statvfs st;

	if (fstatvfs(file->fd, &st) != 0 || st.f_blocks == 0)	/* a filesystem that does not count, as a tmpfs without a limit */
		return UINT64_MAX;
	return (uint64_t)(geteuid() == 0 ? st.f_bfree : st.f_bavail) * st.f_frsize;
}

static bool in_use_error(struct error *err)
{
	error_set(err, ERROR_BUSY, "the device is mounted or in use");
	return error_hint(err, "unmount it; lsblk shows what else is on it");
}

static bool file_still_ours(void *self, struct error *err)
{
	struct file *file = self;
	struct stat st;

	if (!device_lease_hold(&file->lock, file->fd, &file->st, err))
		return error_prefix(err, "%s", file->path);
	if (stat(file->path, &st) < 0 || (file->is_block ? st.st_rdev != file->st.st_rdev : st.st_dev != file->st.st_dev || st.st_ino != file->st.st_ino))
		return error_set(err, ERROR_BUSY, "%s: the file was replaced or removed since it was opened", file->path);
	return device_not_in_use(&file->st, err) || error_prefix(err, "%s", file->path);
}

static void file_share(void *self)
{
	struct file *file = self;

	device_lease_end(&file->lock, file->fd);
}

/* Asks the same as opening for writing, except for the claim of a block device, which it cannot have. */
static bool file_check_free(void *self, struct error *err)
{
	const struct file *file = self;
	bool ok = true;

	if (file->is_block) {
		const int fd = open(file->path, O_RDONLY | O_EXCL | O_CLOEXEC | O_NONBLOCK);

		ok = fd >= 0 || errno != EBUSY || in_use_error(err);
		if (fd >= 0)
			close(fd);
	}
	ok = ok && device_lock_ask(file->fd, &file->st, err) && device_not_in_use(&file->st, err) &&
	     device_lease_ask(file->fd, &file->st, err);
	return ok || error_prefix(err, "%s", file->path);
}

static bool file_locked_by(void *self, pid_t *process)
{
	const struct file *file = self;

	return device_lock_holder(file->fd, &file->st, process);
}

static void file_close(void *self)
{
	struct file *file = self;

	device_lock_close(&file->lock);
	if (file->fd >= 0)
		close(file->fd);
	wiped_free(file->direct, DIRECT_SIZE);
	free(file->path);
	free(file);
}

static const struct device_ops regular_ops = {
	.read = file_read,
	.read_medium = file_read_medium,
	.write = file_write,
	.flush = file_flush,
	.forget = file_forget,
	.next_data = file_next_data,
	.next_hole = file_next_hole,
	.punch = file_punch,
	.reserve = file_reserve,
	.room = file_room,
	.still_ours = file_still_ours,
	.share = file_share,
	.check_free = file_check_free,
	.locked_by = file_locked_by,
	.close = file_close,
};

static const struct device_ops block_ops = {
	.read = file_read,
	.read_medium = file_read_medium,
	.write = file_write,
	.flush = file_flush,
	.forget = file_forget,
	.still_ours = file_still_ours,
	.check_free = file_check_free,
	.locked_by = file_locked_by,
	.close = file_close,
};

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
		return in_use_error(err);
	default:
		return error_system(err, writable ? "cannot open for writing" : "cannot open");
	}
}

/* If opened for writing, refuses files that others use, and keeps others away. */
static bool open_file(const char *path, bool writable, struct file *file, struct error *err)
{
	struct stat st;
	int flags = O_CLOEXEC | O_NOCTTY | O_NONBLOCK, read_only = 0;

	if (stat(path, &st) < 0)
		return open_error(false, err);
	if (!S_ISREG(st.st_mode) && !S_ISBLK(st.st_mode))
		return error_set(err, ERROR_NOT_FOUND, "neither a file nor a block device");
	file->is_block = S_ISBLK(st.st_mode);
	flags |= writable ? O_RDWR : O_RDONLY;
	if (writable && file->is_block)
		flags |= O_EXCL;
	file->fd = device_open_leased(path, flags, writable, err);
	if (file->fd < 0 && err->kind != ERROR_NONE)
		return false;
	if (file->fd < 0 || fstat(file->fd, &st) < 0)
		return open_error(writable, err);
	if (S_ISBLK(st.st_mode) != file->is_block || (!file->is_block && !S_ISREG(st.st_mode)))
		return error_set(err, ERROR_BUSY, "was replaced by something else while it was opened");
	/* The kernel opens such a device for writing and only refuses the first write. */
	if (writable && file->is_block && ioctl(file->fd, BLKROGET, &read_only) == 0 && read_only) {
		errno = EROFS;
		return error_system(err, "cannot open for writing");
	}
	file->st = st;
	if (writable && (!device_lock_take(&file->lock, file->fd, &st, err) || !device_not_in_use(&st, err) ||
			 !device_lease_hold(&file->lock, file->fd, &st, err)))
		return false;

	const off_t size = lseek(file->fd, 0, SEEK_END);

	if (size < 0)
		return error_system(err, "cannot tell the size");
	file->size = (uint64_t)size;
	if (writable && posix_memalign((void **)&file->direct, DIRECT_ALIGN, DIRECT_SIZE) != 0) {
		file->direct = NULL;
		return error_memory(err);
	}
	return true;
}

bool device_open(const char *path, enum device_access access, struct device **device, struct error *err)
{
	const bool writable = access == DEVICE_WRITABLE;
	struct file *file;

	if (!path[0])
		return error_set(err, ERROR_USAGE, "the name of the image, or of a device, is empty");
	file = malloc(sizeof(*file));
	if (!file)
		return error_memory(err);
	*file = (struct file){ .fd = -1, .path = strdup(path) };
	if (!(file->path || error_memory(err)) || !open_file(path, writable, file, err)) {
		file_close(file);
		return error_prefix(err, "%s", path);
	}
	if (!device_new(file->is_block ? &block_ops : &regular_ops, file, path, file->size, writable, device, err))
		return false;
	(*device)->fd = file->fd;
	return true;
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Reads what the kernel says about its loop devices: from /sys, or by ioctl if that is not there. */
#include "common/device/loop-device.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <linux/loop.h>
#include <linux/major.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/sysmacros.h>
#include <unistd.h>

/* Partitions of every kind of disk have this major number once the disk's own numbers run out. */
#define BLOCK_EXT_MAJOR 259

const char *system_root = "";

void system_path(char path[static PATH_MAX], const char *format, ...)
{
	const size_t used = (size_t)snprintf(path, PATH_MAX, "%s", system_root);
	va_list args;

	va_start(args, format);
	if (used < PATH_MAX)
		vsnprintf(path + used, PATH_MAX - used, format, args);
	va_end(args);
}

static dev_t decode_dev(uint64_t dev)
{
	return makedev((dev >> 8) & 0xfff, (dev & 0xff) | ((dev >> 12) & 0xfff00));
}

/* Returns 1 if it shows something, 0 if it shows nothing, -1 if it cannot be asked. */
static int ask(const char *path, struct loop_info64 *info)
{
	const int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	int known;

	if (fd < 0)
		return errno == ENXIO || errno == ENOENT ? 0 : -1;
	known = ioctl(fd, LOOP_GET_STATUS64, info) == 0 ? 1 : errno == ENXIO ? 0 : -1;
	close(fd);
	return known;
}

/* The kernel's own numbers of the backing file are valid in every mount namespace. The path is for users who may not open the device. */
bool loop_backing(const char *loop, struct backing *out)
{
	char path[PATH_MAX];
	struct loop_info64 info;
	struct stat st;

	*out = (struct backing){ .end = UINT64_MAX };
	system_path(path, "/sys/block/%s/loop/backing_file", loop);
	FILE *attribute = fopen(path, "re");

	if (attribute) {
		if (!fgets(out->path, sizeof(out->path), attribute))
			out->path[0] = '\0';
		out->path[strcspn(out->path, "\n")] = '\0';
		fclose(attribute);
	}

	system_path(path, "/dev/%s", loop);
	if (ask(path, &info) == 1) {
		if (!out->path[0])	/* cut after 63 bytes, so it may be another file: whoever opens it compares the numbers */
			snprintf(out->path, sizeof(out->path), "%.*s", (int)sizeof(info.lo_file_name), (const char *)info.lo_file_name);
		out->dev = decode_dev(info.lo_device);
		out->rdev = decode_dev(info.lo_rdevice);
		out->inode = info.lo_inode;
		out->is_device = out->rdev != 0;
		out->begin = info.lo_offset;
		if (info.lo_sizelimit && info.lo_sizelimit < UINT64_MAX - info.lo_offset)
			out->end = info.lo_offset + info.lo_sizelimit;
		return true;
	}
	if (!out->path[0] || stat(out->path, &st) != 0)
		return false;
	out->dev = st.st_dev;
	out->inode = st.st_ino;
	out->is_device = S_ISBLK(st.st_mode);
	out->rdev = out->is_device ? st.st_rdev : 0;
	return true;
}

bool loop_is_idle(const char *loop)
{
	char path[PATH_MAX];
	int read_only = 0;

	system_path(path, "/dev/%s", loop);
	const int fd = open(path, O_RDONLY | O_EXCL | O_CLOEXEC | O_NONBLOCK);

	if (fd < 0)
		return false;
	if (ioctl(fd, BLKROGET, &read_only) < 0)
		read_only = 0;
	close(fd);
	return read_only;
}

/* Without /sys, a loop device tells its own number. Other disks are known not to be loop devices. */
static bool name_by_ioctl(dev_t rdev, char name[static NAME_MAX], bool *is_loop, struct error *err)
{
	char path[PATH_MAX];
	struct stat st;

	*is_loop = major(rdev) == LOOP_MAJOR;
	if (major(rdev) == BLOCK_EXT_MAJOR)
		return error_set(err, ERROR_BUSY, "without /sys nothing tells of which disk this is a partition, and who uses that disk");
	if (!*is_loop)
		return true;
	snprintf(name, NAME_MAX, "loop%u", minor(rdev));
	system_path(path, "/dev/%s", name);
	return (stat(path, &st) == 0 && st.st_rdev == rdev) ||
	       error_set(err, ERROR_BUSY, "without /sys nothing tells which loop device this is, and what it shows");
}

bool loop_name(dev_t rdev, char name[static NAME_MAX], bool *is_loop, struct error *err)
{
	char path[PATH_MAX], target[PATH_MAX];

	*is_loop = false;
	system_path(path, "/sys/dev/block/%u:%u", major(rdev), minor(rdev));
	const ssize_t length = readlink(path, target, sizeof(target) - 1);

	if (length < 0)
		return name_by_ioctl(rdev, name, is_loop, err);
	target[length] = '\0';
	const char *at = strstr(target, "/block/loop");

	if (!at)
		return true;
	at += strlen("/block/");
	snprintf(name, NAME_MAX, "%.*s", (int)strcspn(at, "/"), at);
	*is_loop = true;
	return true;
}

/* Does the kernel detach it as soon as nobody uses it? `mount -o loop` makes it so. */
static bool is_autoclear(const char *loop)
{
	char path[PATH_MAX];

	system_path(path, "/sys/block/%s/loop/autoclear", loop);
	FILE *attribute = fopen(path, "re");
	const bool is = attribute && fgetc(attribute) == '1';

	if (attribute)
		fclose(attribute);
	return is;
}

bool loop_in_use_error(const char *loop, const char *what, struct error *err)
{
	error_set(err, ERROR_BUSY, "%sattached to loop device /dev/%s", what, loop);
	if (is_autoclear(loop))
		return error_hint(err, "run `umount /dev/%s`; the kernel then detaches the loop device by itself", loop);
	return error_hint(err, "unmount it and run `losetup --detach /dev/%s`", loop);
}

bool loop_unknown_error(const char *loop, struct error *err)
{
	char path[PATH_MAX];
	struct loop_info64 info;

	system_path(path, "/dev/%s", loop);
	if (access(path, F_OK) != 0 || ask(path, &info) != 0)
		return error_set(err, ERROR_BUSY, "nothing tells what the loop device /dev/%s shows", loop);
	error_set(err, ERROR_NOT_FOUND, "no file is attached to the loop device /dev/%s", loop);
	return error_hint(err, "`losetup --find --show FILE` attaches FILE and prints the name of its loop device");
}

static bool is_loop_name(const char *name)
{
	return strncmp(name, "loop", 4) == 0 && name[4] && strspn(name + 4, "0123456789") == strlen(name + 4);
}

bool loop_visit(bool (*visit)(void *context, const char *loop, const struct backing *backing, struct error *err), void *context,
		struct error *err)
{
	char path[PATH_MAX];
	const struct dirent *entry;
	struct loop_info64 info;
	struct backing backing;
	bool ok = true, has_sys;

	system_path(path, "/sys/block");
	DIR *dir = opendir(path);

	has_sys = dir;
	if (!dir) {
		system_path(path, "/dev");
		dir = opendir(path);
	}
	if (!dir)
		return error_set(err, ERROR_BUSY, "neither /sys nor /dev can be read: nothing tells whether it is attached to a loop "
			"device");
	while (ok && (entry = readdir(dir))) {
		if (!is_loop_name(entry->d_name))
			continue;
		system_path(path, "/dev/%s", entry->d_name);
		if (loop_backing(entry->d_name, &backing))
			ok = visit(context, entry->d_name, &backing, err);
		else if (!has_sys && ask(path, &info) < 0)
			ok = error_set(err, ERROR_BUSY, "without /sys nothing tells what loop device /dev/%s shows", entry->d_name);
	}
	closedir(dir);
	return ok;
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Who else uses a device: the table of mounts and the loop devices. */
#include "common/volume/device-in-use.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/loop.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/sysmacros.h>
#include <unistd.h>

/* Loop devices on loop devices are followed that far down. */
#define LOOP_DEPTH_MAX 16

/* Paths in the mount table have blank, tab, newline and backslash as \ooo. */
static void unescape(char *text)
{
	char *to = text;

	for (const char *from = text; *from; to++) {
		if (from[0] == '\\' && isdigit((unsigned char)from[1]) && isdigit((unsigned char)from[2]) &&
		    isdigit((unsigned char)from[3])) {
			*to = (char)((from[1] - '0') << 6 | (from[2] - '0') << 3 | (from[3] - '0'));
			from += 4;
		} else {
			*to = *from++;
		}
	}
	*to = '\0';
}

/* The fields "mount point" (the fifth), "source" and "super options" (the second and third after " - ") of a line of mountinfo; cuts the line. */
static bool split_mount(char *line, char **point, char **source, char **options)
{
	char *tail = strstr(line, " - ");
	char *save, *field = NULL;

	if (!tail)
		return false;
	*tail = '\0';
	*point = NULL;
	field = strtok_r(line, " ", &save);
	for (int i = 1; field && i < 5; i++)
		field = strtok_r(NULL, " ", &save);
	*point = field;
	field = strtok_r(tail + 3, " ", &save);
	*source = field ? strtok_r(NULL, " \n", &save) : NULL;
	*options = *source ? strtok_r(NULL, " \n", &save) : NULL;
	if (!*point || !*options)
		return false;
	unescape(*point);
	unescape(*source);
	return true;
}

static bool not_mounted(dev_t rdev, struct error *err)
{
	FILE *table = fopen("/proc/self/mountinfo", "re");
	char *line = NULL, *point, *source, *options;
	size_t room = 0;
	bool ok = true;

	if (!table)
		return error_system(err, "cannot read /proc/self/mountinfo");
	while (ok && getline(&line, &room, table) > 0) {
		struct stat st;

		if (split_mount(line, &point, &source, &options) && source[0] == '/' && stat(source, &st) == 0 &&
		    S_ISBLK(st.st_mode) && st.st_rdev == rdev)
			ok = error_set(err, ERROR_BUSY, "mounted at %s", point);
	}
	free(line);
	fclose(table);
	return ok;
}

/* What a loop device shows: a file, or another device, and of it the bytes from begin to end. */
struct backing {
	bool is_device;
	dev_t dev, rdev;
	ino_t inode;
	uint64_t begin, end;
	char path[PATH_MAX];	/* empty: not known here */
};

static dev_t decode_dev(uint64_t dev)
{
	return makedev((dev >> 8) & 0xfff, (dev & 0xff) | ((dev >> 12) & 0xfff00));
}

/* The kernel's own numbers of the backing file hold in every mount namespace; its path is for those who may not open the device. */
static bool backing_of(const char *loop, struct backing *out)
{
	char path[64 + NAME_MAX];
	struct loop_info64 info;
	struct stat st;

	*out = (struct backing){ .end = UINT64_MAX };
	snprintf(path, sizeof(path), "/sys/block/%s/loop/backing_file", loop);
	FILE *attribute = fopen(path, "re");

	if (attribute) {
		if (!fgets(out->path, sizeof(out->path), attribute))
			out->path[0] = '\0';
		out->path[strcspn(out->path, "\n")] = '\0';
		fclose(attribute);
	}

	snprintf(path, sizeof(path), "/dev/%s", loop);
	const int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	const bool known = fd >= 0 && ioctl(fd, LOOP_GET_STATUS64, &info) == 0;

	if (fd >= 0)
		close(fd);
	if (known) {
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

static bool same_bytes(const struct backing *a, const struct backing *b)
{
	if (a->is_device != b->is_device || a->begin >= b->end || b->begin >= a->end)
		return false;
	return a->is_device ? a->rdev == b->rdev : a->dev == b->dev && a->inode == b->inode;
}

/* Attached for reading only and used by nobody: it cannot disturb, nor be disturbed in what it has promised. */
static bool loop_is_idle(const char *loop)
{
	char path[64 + NAME_MAX];
	int fd;

	snprintf(path, sizeof(path), "/sys/block/%s/ro", loop);
	FILE *attribute = fopen(path, "re");
	const bool read_only = attribute && fgetc(attribute) == '1';

	if (attribute)
		fclose(attribute);
	if (!read_only)
		return false;
	snprintf(path, sizeof(path), "/dev/%s", loop);
	fd = open(path, O_RDONLY | O_EXCL | O_CLOEXEC | O_NONBLOCK);
	if (fd < 0)
		return false;
	close(fd);
	return true;
}

/* Loop devices that show what is at bytes; own is the one through which it is looked at already, or "". */
static bool not_in_a_loop(const struct backing *bytes, const char *own, struct error *err)
{
	DIR *dir = opendir("/sys/block");
	const struct dirent *entry;
	struct backing other;
	bool ok = true;

	if (!dir)	/* no sysfs: nothing can be known */
		return true;
	while (ok && (entry = readdir(dir)))
		if (strncmp(entry->d_name, "loop", 4) == 0 && strcmp(entry->d_name, own) != 0 && backing_of(entry->d_name, &other) &&
		    same_bytes(bytes, &other) && !loop_is_idle(entry->d_name)) {
			ok = error_set(err, ERROR_BUSY, "%sattached to loop device /dev/%s", own[0] ? "what it shows is also " : "",
				       entry->d_name);
			error_hint(err, "unmount it and run `losetup --detach /dev/%s`", entry->d_name);
		}
	closedir(dir);
	return ok;
}

/* The name of the loop device that rdev is, or is a partition of. */
static bool loop_name(dev_t rdev, char name[static NAME_MAX])
{
	char path[64], target[PATH_MAX];

	snprintf(path, sizeof(path), "/sys/dev/block/%u:%u", major(rdev), minor(rdev));
	const ssize_t length = readlink(path, target, sizeof(target) - 1);

	if (length < 0)
		return false;
	target[length] = '\0';
	const char *at = strstr(target, "/block/loop");

	if (!at)
		return false;
	at += strlen("/block/");
	snprintf(name, NAME_MAX, "%.*s", (int)strcspn(at, "/"), at);
	return true;
}

/* The kernel claims a device that it mounts, but not what a loop device stands on: that can be shown, and mounted, a second time. */
static bool not_beneath(dev_t rdev, struct error *err)
{
	char own[NAME_MAX];
	struct backing lower;

	for (unsigned depth = 0; depth < LOOP_DEPTH_MAX && loop_name(rdev, own) && backing_of(own, &lower); depth++) {
		if (!not_in_a_loop(&lower, own, err))
			return false;
		if (!lower.is_device)
			return true;
		if (!not_mounted(lower.rdev, err))
			return false;
		const int fd = open(lower.path, O_RDONLY | O_EXCL | O_CLOEXEC | O_NONBLOCK);

		if (fd < 0 && errno == EBUSY)
			return error_set(err, ERROR_BUSY, "the device that it shows is mounted or in use");
		if (fd >= 0)
			close(fd);
		rdev = lower.rdev;
	}
	return true;
}

bool device_not_in_use(const struct stat *st, struct error *err)
{
	const struct backing bytes = {
		.is_device = S_ISBLK(st->st_mode),
		.dev = st->st_dev,
		.rdev = S_ISBLK(st->st_mode) ? st->st_rdev : 0,
		.inode = st->st_ino,
		.end = UINT64_MAX,
	};

	if (bytes.is_device && !not_mounted(bytes.rdev, err))
		return false;
	return not_in_a_loop(&bytes, "", err) && (!bytes.is_device || not_beneath(bytes.rdev, err));
}

/* A block device, or the file that a loop device, or the loop device of a partition, shows. */
static bool shows(dev_t mounted, const struct stat *st)
{
	struct backing backing;
	char loop[NAME_MAX];

	if (S_ISBLK(st->st_mode))
		return mounted == st->st_rdev;
	return loop_name(mounted, loop) && backing_of(loop, &backing) && !backing.is_device && backing.dev == st->st_dev &&
	       backing.inode == st->st_ino;
}

bool device_is_mounted(const struct stat *st, char *where, size_t size)
{
	FILE *table = fopen("/proc/self/mountinfo", "re");
	char *line = NULL, *point, *source, *options;
	bool found = false;
	size_t room = 0;

	while (table && !found && getline(&line, &room, table) > 0) {
		struct stat of;

		found = split_mount(line, &point, &source, &options) && source[0] == '/' && strncmp(options, "rw", 2) == 0 &&
			stat(source, &of) == 0 && S_ISBLK(of.st_mode) && shows(of.st_rdev, st);
		if (found)
			snprintf(where, size, "%s", point);
	}
	free(line);
	if (table)
		fclose(table);
	return found;
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Who else uses a device: the table of mounts and the loop devices. */
#include "common/volume/device-in-use.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/loop.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/sysmacros.h>
#include <unistd.h>

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

/* The fields "mount point" (the fifth) and "source" (the second after " - ") of a line of mountinfo; cuts the line. */
static bool split_mount(char *line, char **point, char **source)
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
	if (!*point || !*source)
		return false;
	unescape(*point);
	unescape(*source);
	return true;
}

static bool not_mounted(dev_t rdev, struct error *err)
{
	FILE *table = fopen("/proc/self/mountinfo", "re");
	char *line = NULL, *point, *source;
	size_t room = 0;
	bool ok = true;

	if (!table)
		return error_system(err, "cannot read /proc/self/mountinfo");
	while (ok && getline(&line, &room, table) > 0) {
		struct stat st;

		if (split_mount(line, &point, &source) && source[0] == '/' && stat(source, &st) == 0 &&
		    S_ISBLK(st.st_mode) && st.st_rdev == rdev)
			ok = error_set(err, ERROR_BUSY, "mounted at %s", point);
	}
	free(line);
	fclose(table);
	return ok;
}

/* The kernel's own numbers of the backing file hold in every mount namespace; its path is for those who may not open the device. */
static bool backed_by(const char *loop, const struct stat *file)
{
	char path[64 + NAME_MAX], backing[4096 + 16];
	struct loop_info64 info;
	struct stat st;

	snprintf(path, sizeof(path), "/dev/%s", loop);
	const int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	const bool known = fd >= 0 && ioctl(fd, LOOP_GET_STATUS64, &info) == 0;

	if (fd >= 0)
		close(fd);
	if (known && info.lo_inode == file->st_ino &&
	    makedev((info.lo_device >> 8) & 0xfff, (info.lo_device & 0xff) | ((info.lo_device >> 12) & 0xfff00)) == file->st_dev)
		return true;

	snprintf(path, sizeof(path), "/sys/block/%s/loop/backing_file", loop);
	FILE *attribute = fopen(path, "re");

	if (!attribute)
		return false;
	const bool read = fgets(backing, sizeof(backing), attribute);

	fclose(attribute);
	if (!read)
		return false;
	backing[strcspn(backing, "\n")] = '\0';
	return stat(backing, &st) == 0 && st.st_dev == file->st_dev && st.st_ino == file->st_ino;
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

static bool not_in_a_loop(const struct stat *file, struct error *err)
{
	DIR *dir = opendir("/sys/block");
	const struct dirent *entry;
	bool ok = true;

	if (!dir)	/* no sysfs: nothing can be known */
		return true;
	while (ok && (entry = readdir(dir)))
		if (strncmp(entry->d_name, "loop", 4) == 0 && backed_by(entry->d_name, file) && !loop_is_idle(entry->d_name)) {
			ok = error_set(err, ERROR_BUSY, "attached to loop device /dev/%s", entry->d_name);
			error_hint(err, "unmount it and run `losetup --detach /dev/%s`", entry->d_name);
		}
	closedir(dir);
	return ok;
}

bool device_not_in_use(const struct stat *st, struct error *err)
{
	return S_ISBLK(st->st_mode) ? not_mounted(st->st_rdev, err) : not_in_a_loop(st, err);
}

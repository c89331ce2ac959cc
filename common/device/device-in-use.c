/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Finds out who else uses a device: looks at the mount table, the loop devices, and the filesystems that the kernel has open. */
#include "common/device/device-in-use.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <uuid/uuid.h>

#include "common/device/loop-device.h"
#include "format/superblock.h"

/* The mount table writes blank, tab, newline and backslash in paths as \ooo. */
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

/* The fields of a line of mountinfo. */
struct mount_line {
	char *point, *type, *source, *options;	/* options: those of the superblock */
};

/* Splits off the fifth field and the three after " - ". Changes the line. */
static bool split_mount(char *line, struct mount_line *mount)
{
	char *tail = strstr(line, " - ");
	char *save, *field = NULL;

	if (!tail)
		return false;
	*tail = '\0';
	field = strtok_r(line, " ", &save);
	for (int i = 1; field && i < 5; i++)
		field = strtok_r(NULL, " ", &save);
	mount->point = field;
	mount->type = strtok_r(tail + 3, " ", &save);
	mount->source = mount->type ? strtok_r(NULL, " \n", &save) : NULL;
	mount->options = mount->source ? strtok_r(NULL, " \n", &save) : NULL;
	if (!mount->point || !mount->options)
		return false;
	unescape(mount->point);
	unescape(mount->source);
	return true;
}

/* Visits each mount that this process can see, until visit returns false. */
static bool mount_visit(bool (*visit)(void *context, const struct mount_line *mount, struct error *err), void *context, struct error *err)
{
	char path[PATH_MAX], *line = NULL;
	struct mount_line mount;
	size_t room = 0;
	bool ok = true;

	system_path(path, "/proc/self/mountinfo");
	FILE *table = fopen(path, "re");

	if (!table)
		return error_set(err, ERROR_BUSY, "/proc/self/mountinfo cannot be read: nothing tells what is mounted");
	while (ok && getline(&line, &room, table) > 0)
		ok = !split_mount(line, &mount) || visit(context, &mount, err);
	free(line);
	fclose(table);
	return ok;
}

/* Finds the device that is mounted. False: what is mounted is not a device. */
static bool is_of_device(const struct mount_line *mount, dev_t *rdev)
{
	struct stat st;

	if (mount->source[0] != '/' || stat(mount->source, &st) != 0 || !S_ISBLK(st.st_mode))
		return false;
	*rdev = st.st_rdev;
	return true;
}

static bool is_other_device(void *context, const struct mount_line *mount, struct error *err)
{
	const dev_t *wanted = context;
	dev_t rdev;

	return !is_of_device(mount, &rdev) || rdev != *wanted || error_set(err, ERROR_BUSY, "mounted at %s", mount->point);
}

static bool not_mounted(dev_t rdev, struct error *err)
{
	return mount_visit(is_other_device, &rdev, err);
}

static bool same_bytes(const struct backing *a, const struct backing *b)
{
	if (a->is_device != b->is_device || a->begin >= b->end || b->begin >= a->end)
		return false;
	return a->is_device ? a->rdev == b->rdev : a->dev == b->dev && a->inode == b->inode;
}

struct seeking {
	const struct backing *bytes;
	const char *own;	/* the loop device that already shows them to us, or "" */
};

static bool is_elsewhere(void *context, const char *loop, const struct backing *other, struct error *err)
{
	const struct seeking *seeking = context;

	if (strcmp(loop, seeking->own) == 0 || !same_bytes(seeking->bytes, other) || loop_is_idle(loop))
		return true;
	return loop_in_use_error(loop, seeking->own[0] ? "what it shows is also " : "", err);
}

/* Refuses bytes that a loop device shows. */
static bool not_in_a_loop(const struct backing *bytes, const char *own, struct error *err)
{
	struct seeking seeking = { bytes, own };

	return loop_visit(is_elsewhere, &seeking, err);
}

/* The kernel claims a device that it mounts, but not what is below a loop device: that can be shown and mounted a second time. */
static bool not_beneath(dev_t rdev, struct error *err)
{
	char own[NAME_MAX];
	struct backing lower;
	bool is_loop;

	for (unsigned depth = 0; depth < LOOP_DEPTH_MAX; depth++) {
		if (!loop_name(rdev, own, &is_loop, err))
			return false;
		if (!is_loop)
			return true;
		if (!loop_backing(own, &lower))
			return loop_unknown_error(own, err);
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
	return error_set(err, ERROR_BUSY, "more than %d loop devices are stacked on each other", LOOP_DEPTH_MAX);
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

/* Is `mounted` the block device st, or a loop device (or a partition of one) that shows the file st? */
static bool shows(dev_t mounted, const struct stat *st)
{
	struct backing backing;
	char loop[NAME_MAX];
	struct error ignored;
	bool is_loop;

	if (S_ISBLK(st->st_mode))
		return mounted == st->st_rdev;
	return loop_name(mounted, loop, &is_loop, &ignored) && is_loop && loop_backing(loop, &backing) && !backing.is_device &&
	       backing.dev == st->st_dev && backing.inode == st->st_ino;
}

struct mounted {
	const struct stat *st;
	char *where;
	size_t size;
};

static bool is_another(void *context, const struct mount_line *mount, struct error *err)
{
	struct mounted *mounted = context;
	dev_t rdev;

	if (strncmp(mount->options, "rw", 2) != 0 || !is_of_device(mount, &rdev) || !shows(rdev, mounted->st))
		return true;
	snprintf(mounted->where, mounted->size, "%s", mount->point);
	return error_set(err, ERROR_BUSY, "mounted");
}

bool device_is_mounted(const struct stat *st, char *where, size_t size)
{
	struct mounted mounted = { st, where, size };
	struct error ignored;

	where[0] = '\0';
	return !mount_visit(is_another, &mounted, &ignored) && where[0];
}

/* --- filesystems by their uuid ------------------------------------------------------------------------------- */

struct wanted {
	const uint8_t *fsid, *metadata_fsid;
	char fsid_text[UUID_STR_LEN], metadata_text[UUID_STR_LEN];
};

static bool same_uuid_error(const struct wanted *wanted, const char *how, struct error *err)
{
	error_set(err, ERROR_BUSY, "a filesystem with its uuid %s is mounted%s", wanted->fsid_text, how);
	return error_hint(err, "unmount it; use --allow-mounted-copy only if you know that it is another copy of this image");
}

/* When two copies are mounted, the kernel gives the second one a new uuid. This file keeps the old one. */
static bool says_so(const char *name, const struct wanted *wanted)
{
	char path[PATH_MAX], text[UUID_STR_LEN] = "";

	if (strcmp(name, wanted->fsid_text) == 0)
		return true;
	system_path(path, "/sys/fs/btrfs/%s/metadata_uuid", name);
	FILE *attribute = fopen(path, "re");

	if (!attribute)
		return false;
	if (!fgets(text, sizeof(text), attribute))
		text[0] = '\0';
	fclose(attribute);
	return strcmp(text, wanted->fsid_text) == 0 || strcmp(text, wanted->metadata_text) == 0;
}

/* Names the device if it is known. */
static void say_device(const char *name, char *text, size_t size)
{
	const struct dirent *entry;
	char path[PATH_MAX];

	text[0] = '\0';
	system_path(path, "/sys/fs/btrfs/%s/devices", name);
	DIR *dir = opendir(path);

	while (dir && !text[0] && (entry = readdir(dir)))
		if (entry->d_name[0] != '.')
			snprintf(text, size, ", from /dev/%.64s", entry->d_name);
	if (dir)
		closedir(dir);
}

/* Without /sys, reads what is on each mounted device. */
static bool is_of_another_uuid(void *context, const struct mount_line *mount, struct error *err)
{
	const struct wanted *wanted = context;
	struct disk_superblock disk;
	char at[256];
	int fd;

	if (strcmp(mount->type, "btrfs") != 0)
		return true;
	fd = open(mount->source, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	const bool known = fd >= 0 && pread(fd, &disk, sizeof(disk), (off_t)superblock_offset(0)) == (ssize_t)sizeof(disk);

	if (fd >= 0)
		close(fd);
	if (!known)
		return error_set(err, ERROR_BUSY, "without /sys nothing tells which btrfs filesystem is mounted at %s", mount->point);
	if (memcmp(disk.fsid, wanted->fsid, FSID_SIZE) != 0 && memcmp(disk.fsid, wanted->metadata_fsid, FSID_SIZE) != 0)
		return true;
	snprintf(at, sizeof(at), ", at %s", mount->point);
	return same_uuid_error(wanted, at, err);
}

bool filesystem_not_mounted(const uint8_t fsid[FSID_SIZE], const uint8_t metadata_fsid[FSID_SIZE], struct error *err)
{
	struct wanted wanted = { .fsid = fsid, .metadata_fsid = metadata_fsid };
	const struct dirent *entry;
	char path[PATH_MAX], from[128];
	bool ok = true;

	uuid_unparse_lower(fsid, wanted.fsid_text);
	uuid_unparse_lower(metadata_fsid, wanted.metadata_text);
	system_path(path, "/sys/fs/btrfs");
	DIR *dir = opendir(path);

	if (!dir) {
		/* If the kernel lacks btrfs, /sys exists but this directory does not. */
		system_path(path, "/sys/fs");
		return (errno == ENOENT && access(path, F_OK) == 0) || mount_visit(is_of_another_uuid, &wanted, err);
	}
	while (ok && (entry = readdir(dir))) {
		if (entry->d_name[0] == '.' || !says_so(entry->d_name, &wanted))
			continue;
		say_device(entry->d_name, from, sizeof(from));
		ok = same_uuid_error(&wanted, from, err);
	}
	closedir(dir);
	return ok;
}

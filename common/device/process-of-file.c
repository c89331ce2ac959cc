/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Goes through the open files of all processes. */
#include "common/device/process-of-file.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "common/device/loop-device.h"
#include "common/util/escape.h"

/* Does not ask a server, because that may be gone. */
static bool is_file(const char *path, const struct stat *st)
{
	struct statx x;

	if (statx(AT_FDCWD, path, AT_STATX_DONT_SYNC | AT_NO_AUTOMOUNT, STATX_TYPE | STATX_INO, &x) != 0)
		return false;
	if (S_ISBLK(st->st_mode))
		return S_ISBLK(x.stx_mode) && makedev(x.stx_rdev_major, x.stx_rdev_minor) == st->st_rdev;
	return x.stx_ino == st->st_ino && makedev(x.stx_dev_major, x.stx_dev_minor) == st->st_dev;
}

static bool has_lock(const char *process, const char *fd, enum open_how how)
{
	char path[PATH_MAX], *line = NULL;
	size_t room = 0;
	bool has = false;

	system_path(path, "/proc/%s/fdinfo/%s", process, fd);
	FILE *info = fopen(path, "re");

	while (info && !has && getline(&line, &room, info) > 0)
		has = strncmp(line, "lock:", 5) == 0 && strstr(line, "WRITE") && (how == OPEN_LOCKED || strstr(line, "FLOCK"));
	free(line);
	if (info)
		fclose(info);
	return has;
}

static bool has_open(const char *process, const struct stat *st, enum open_how how, int but)
{
	char path[PATH_MAX];
	const struct dirent *entry;
	bool found = false;

	system_path(path, "/proc/%s/fd", process);
	DIR *dir = opendir(path);

	while (dir && !found && (entry = readdir(dir))) {
		if (entry->d_name[0] == '.' || atoi(entry->d_name) == but)
			continue;
		system_path(path, "/proc/%s/fd/%s", process, entry->d_name);
		found = is_file(path, st) && (how == OPEN_ANYHOW || has_lock(process, entry->d_name, how));
	}
	if (dir)
		closedir(dir);
	return found;
}

static void describe(const char *id, struct process *process)
{
	char path[PATH_MAX], name[32] = "";

	*process = (struct process){ .id = (pid_t)atol(id) };
	system_path(path, "/proc/%s/comm", id);
	FILE *file = fopen(path, "re");

	if (file && !fgets(name, sizeof(name), file))
		name[0] = '\0';
	if (file)
		fclose(file);
	name[strcspn(name, "\n")] = '\0';
	escape_text(name, strlen(name), process->name, sizeof(process->name));
}

bool process_of_file(const struct stat *st, enum open_how how, int own_fd, struct process *process)
{
	char path[PATH_MAX], own[16];
	const struct dirent *entry;
	bool found = false;

	snprintf(own, sizeof(own), "%ld", (long)getpid());
	system_path(path, "/proc");
	DIR *dir = opendir(path);

	while (dir && !found && (entry = readdir(dir))) {
		if (entry->d_name[0] < '1' || entry->d_name[0] > '9' || strcmp(entry->d_name, own) == 0)
			continue;
		found = has_open(entry->d_name, st, how, -1);
		if (found)
			describe(entry->d_name, process);
	}
	if (dir)
		closedir(dir);
	if (!found && (found = has_open(own, st, how, own_fd)))
		describe(own, process);
	return found;
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The file has no name until it is complete; if the filesystem cannot do that, it has a temporary name. */
#include "common/export/out-file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static int create(struct out_file *file, const char *path)
{
	const char *const slash = strrchr(path, '/');
	char *const directory = slash ? strndup(path, (size_t)(slash - path) + 1) : strdup(".");
	int fd = directory ? open(directory, O_WRONLY | O_TMPFILE | O_CLOEXEC, 0666) : -1;

	free(directory);
	if (fd >= 0 || asprintf(&file->temporary, "%s.%d.part", path, (int)getpid()) < 0)
		return fd;
	fd = open(file->temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
	if (fd < 0) {
		free(file->temporary);
		file->temporary = NULL;
	}
	return fd;
}

/* Never replaces another file. Not every filesystem supports such a rename. */
static bool give_name(struct out_file *file, struct error *err)
{
	char from[64];

	if (file->temporary && renameat2(AT_FDCWD, file->temporary, AT_FDCWD, file->path, RENAME_NOREPLACE) == 0) {
		free(file->temporary);
		file->temporary = NULL;
		return true;
	}
	snprintf(from, sizeof(from), "/proc/self/fd/%d", file->fd);
	if (linkat(AT_FDCWD, file->temporary ? file->temporary : from, AT_FDCWD, file->path, AT_SYMLINK_FOLLOW) != 0)
		return error_system(err, "%s", file->path);
	return true;
}

static bool is_stream(const struct stat *st)
{
	return S_ISFIFO(st->st_mode) || S_ISCHR(st->st_mode);
}

static bool exists(const char *path, struct error *err)
{
	error_set(err, ERROR_REFUSED, "%s exists and is not overwritten", path);
	return error_hint(err, "give another name, or move it away first");
}

bool out_file_not_made(const char *path, struct error *err)
{
	const bool lacks_directory = errno == ENOENT;

	error_system(err, "%s", path);
	return lacks_directory && error_hint(err, "the directory that it is to be in does not exist: make it first");
}

bool out_file_open(struct out_file *file, const char *path, struct error *err)
{
	struct stat st;

	if (strcmp(path, "-") == 0) {
		file->fd = STDOUT_FILENO;
		return true;
	}
	if (stat(path, &st) != 0 && lstat(path, &st) != 0) {
		file->path = strdup(path);
		if (!file->path)
			return error_memory(err);
		file->fd = create(file, path);
		return file->fd >= 0 || out_file_not_made(path, err);
	}
	/* A pipe or /dev/null is fine, a file or a disk is not. */
	if (!is_stream(&st))
		return exists(path, err);
	file->fd = open(path, O_WRONLY | O_CLOEXEC | O_NOCTTY);
	if (file->fd < 0)
		return error_system(err, "%s", path);
	/* Something else may have taken the name in the meantime. */
	return (fstat(file->fd, &st) == 0 && is_stream(&st)) || exists(path, err);
}

bool out_file_finish(struct out_file *file, struct error *err)
{
	const int fd = file->fd;

	if (file->path && !give_name(file, err))
		return false;
	if (fd != STDOUT_FILENO) {	/* some filesystems only report now that they are full */
		file->fd = -1;
		if (close(fd) != 0) {
			error_system(err, "%s", file->path ? file->path : "the output");
			if (file->path)
				unlink(file->path);
			return false;
		}
	}
	return file->finished = true;
}

void out_file_close(struct out_file *file)
{
	if (file->fd >= 0 && file->fd != STDOUT_FILENO)
		close(file->fd);
	if (file->temporary)
		unlink(file->temporary);
	free(file->temporary);
	free(file->path);
	*file = (struct out_file){ .fd = -1 };
}

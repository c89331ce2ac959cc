/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "cmd/key/new-file.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static bool write_all(int fd, const uint8_t *at, size_t left)
{
	while (left > 0) {
		const ssize_t n = write(fd, at, left);

		if (n < 0 && errno != EINTR)
			return false;
		at += n > 0 ? n : 0;
		left -= n > 0 ? (size_t)n : 0;
	}
	return true;
}

/* Its name is durable only once the directory is. */
static bool sync_directory(const char *path)
{
	char *const copy = strdup(path);
	const int fd = copy ? open(dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
	/* A directory that may be written to, but not read, or cannot be synced, is no reason to have no file. */
	const bool ok = fd < 0 ? copy && errno == EACCES : fsync(fd) == 0 || errno == EINVAL;

	if (fd >= 0)
		close(fd);
	free(copy);
	return ok;
}

bool new_file_is_new(const char *path, struct error *err)
{
	struct stat there;

	if (lstat(path, &there) != 0)
		return true;
	errno = EEXIST;
	return error_system(err, "%s", path);
}

bool new_file_write(const char *path, const void *bytes, size_t len, struct error *err)
{
	/* It may be somebody's only key or backup. */
	const int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
	bool ok;

	if (fd < 0)
		return error_system(err, "%s", path);
	ok = write_all(fd, bytes, len) && fsync(fd) == 0;
	ok = (close(fd) == 0 && ok && sync_directory(path)) || error_system(err, "%s", path);
	if (!ok)
		unlink(path);
	return ok;
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "cmd/header-option.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cmd/command.h"

static struct {
	char *file;
} opt;

struct poptOption options_header[] = {
	{ "header", 0, POPT_ARG_STRING, &opt.file, 0, "FILE, made by key backup, takes the place of a damaged header", "FILE" },
	POPT_TABLEEND
};

bool header_option_given(void)
{
	return opt.file;
}

static bool read_all(int fd, uint8_t *at, size_t len, const char *path, struct error *err)
{
	while (len > 0) {
		const ssize_t n = read(fd, at, len);

		if (n < 0 && errno != EINTR)
			return error_system(err, "%s", path);
		if (n == 0)
			return error_set(err, ERROR_KEY_HEADER, "%s: it ends %zu bytes too early", path, len);
		at += n > 0 ? n : 0;
		len -= n > 0 ? (size_t)n : 0;
	}
	return true;
}

/* What waits for a writer, or has no end, is no backup, and is not read. */
static bool read_file(int fd, const char *path, uint8_t **bytes, size_t *len, struct error *err)
{
	struct stat st;

	if (fstat(fd, &st) != 0)
		return error_system(err, "%s", path);
	if (!S_ISREG(st.st_mode))
		return error_set(err, ERROR_KEY_HEADER, "%s: a header backup is a regular file", path);
	if (st.st_size > CRYPT_BACKUP_MAX)
		return error_set(err, ERROR_KEY_HEADER, "%s: header backup at 0: %" PRIu64 " bytes, not at most %u", path, (uint64_t)st.st_size, CRYPT_BACKUP_MAX);
	*len = (size_t)st.st_size;
	*bytes = malloc(*len + 1);
	return *bytes ? read_all(fd, *bytes, *len, path, err) : error_memory(err);
}

bool header_backup_open(const char *path, struct header_backup **backup, struct error *err)
{
	const int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	uint8_t *bytes = NULL;
	size_t len = 0;
	bool ok;

	if (fd < 0)
		return error_system(err, "%s", path);
	ok = read_file(fd, path, &bytes, &len, err);
	close(fd);
	if (!ok) {
		free(bytes);
		return false;
	}
	return header_backup_read(bytes, len, backup, err) || error_prefix(err, "%s", path);
}

bool header_option_use(struct volume *volume, struct error *err)
{
	static struct header_backup *given;

	if (opt.file && !given && !header_backup_open(opt.file, &given, err))
		return false;
	volume->backup = given;
	return true;
}

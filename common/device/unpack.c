/* SPDX-License-Identifier: GPL-2.0-or-later */
/* libarchive unpacks. This file chooses the member and how it is written. */
#include "common/device/unpack.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/util/escape.h"
#include "common/util/libarchive.h"

#define READ_SIZE (1u << 20)
#define HOLE_SIZE 4096u		/* runs of this many zeros are not written */
#define NAMES_MAX 8u		/* names of members in a message */

#define HEAD_SIZE 512u

/* Names the kind of a file by its first bytes. */
static const char *kind_of(const char head[HEAD_SIZE], bool *is_archive)
{
	static const struct {
		const char *name;
		size_t at, len;
		const char *magic;
		bool is_archive;
	} known[] = {
		{ "zstd", 0, 4, "\x28\xb5\x2f\xfd", false },
		{ "gzip", 0, 3, "\x1f\x8b\x08", false },
		{ "xz", 0, 6, "\xfd" "7zXZ\0", false },
		{ "bzip2", 0, 3, "BZh", false },
		{ "zip", 0, 4, "PK\x03\x04", true },
		{ "7-Zip", 0, 6, "7z\xbc\xaf\x27\x1c", true },
		{ "tar", 257, 5, "ustar", true },
		{ "cpio", 0, 5, "07070", true },
	};

	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
		if (memcmp(head + known[i].at, known[i].magic, known[i].len) == 0) {
			*is_archive = known[i].is_archive;
			return known[i].name;
		}
	return NULL;
}

const char *packed_as(struct device *device)
{
	char head[HEAD_SIZE] = { 0 };
	struct error unread;
	bool is_archive;

	if (device->size == 0 ||
	    !device_read(device, head, device->size < HEAD_SIZE ? (size_t)device->size : HEAD_SIZE, 0, &unread))
		return NULL;
	return kind_of(head, &is_archive);
}

/* --- the temporary file ------------------------------------------------------------------------------------ */

static bool make_file(int *fd, struct error *err)
{
	const char *directory = getenv("TMPDIR");
	char *name;

	directory = directory && directory[0] ? directory : "/tmp";
	*fd = open(directory, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	if (*fd >= 0)
		return true;
	/* Not every filesystem supports O_TMPFILE. */
	if (asprintf(&name, "%s/btrfs-crypt.XXXXXX", directory) < 0)
		return error_memory(err);
	*fd = mkostemp(name, O_CLOEXEC);
	if (*fd < 0)
		error_system(err, "a temporary file in %s", directory);
	else
		unlink(name);
	free(name);
	return *fd >= 0;
}

static bool write_at(int fd, const uint8_t *bytes, size_t len, uint64_t at, struct error *err)
{
	while (len > 0) {
		const ssize_t n = pwrite(fd, bytes, len, (off_t)at);

		if (n < 0 && errno != EINTR)
			return error_system(err, "the temporary file");
		if (n > 0) {
			bytes += n;
			len -= (size_t)n;
			at += (uint64_t)n;
		}
	}
	return true;
}

/* Leaves out zeros: parts of the file that were not written read as zeros. */
static bool write_sparse(int fd, const uint8_t *bytes, size_t len, uint64_t at, struct error *err)
{
	static const uint8_t zeros[HOLE_SIZE];

	for (size_t done = 0, n; done < len; done += n) {
		n = HOLE_SIZE - (at + done) % HOLE_SIZE;
		n = n < len - done ? n : len - done;
		if (memcmp(bytes + done, zeros, n) != 0 && !write_at(fd, bytes + done, n, at + done, err))
			return false;
	}
	return true;
}

/* --- members ----------------------------------------------------------------------------------------------- */

struct unpacking {
	const char *path;
	const char *member;
	struct archive *archive;
	bool is_archive;
	char *unpacked;		/* the name of the member that was unpacked */
	unpack_progress *progress;
	void *context;
	int fd;
};

static bool damaged(const struct unpacking *u, struct error *err)
{
	const char *text = lib.archive_error_string(u->archive);

	return error_set(err, lib.archive_errno(u->archive) == ENOMEM ? ERROR_MEMORY : ERROR_CORRUPT, "%s: cannot be unpacked: %s", u->path,
			 text ? text : "damaged");
}

static bool unpack_data(const struct unpacking *u, struct archive_entry *entry, struct error *err)
{
	uint64_t size = 0;
	const void *bytes;
	la_int64_t at;
	size_t len;
	int rc;

	while ((rc = lib.archive_read_data_block(u->archive, &bytes, &len, &at)) != ARCHIVE_EOF) {
		if (rc < ARCHIVE_WARN)
			return damaged(u, err);
		if (at < 0 || (uint64_t)at > (uint64_t)INT64_MAX - len)
			return error_set(err, ERROR_CORRUPT, "%s: a member is longer than a file can be", u->path);
		if (!write_sparse(u->fd, bytes, len, (uint64_t)at, err))
			return false;
		size = (uint64_t)at + len > size ? (uint64_t)at + len : size;
		if (u->progress)
			u->progress(u->context, (uint64_t)lib.archive_filter_bytes(u->archive, -1));
	}
	if (lib.archive_entry_size_is_set(entry) && lib.archive_entry_size(entry) > 0 && (uint64_t)lib.archive_entry_size(entry) > size)
		size = (uint64_t)lib.archive_entry_size(entry);	/* the member ends with a hole */
	return ftruncate(u->fd, (off_t)size) == 0 || error_system(err, "the temporary file");
}

/* Returns the name in the bytes of the archive, or in readable form if there are none. */
static const char *name_of(struct archive_entry *entry)
{
	const char *name = lib.archive_entry_pathname(entry);

	name = name ? name : lib.archive_entry_pathname_utf8(entry);
	name = name ? name : "";
	while (strncmp(name, "./", 2) == 0)
		name += 2;
	return name;
}

static void add_name(char *names, size_t size, unsigned n, const char *name)
{
	const size_t used = strlen(names);
	char text[100];

	escape_text(name, strlen(name), text, sizeof(text));
	if (n == NAMES_MAX)
		snprintf(names + used, size - used, ", ...");
	else if (n < NAMES_MAX)
		snprintf(names + used, size - used, "%s%s", n ? ", " : "", text);
}

/* A file that is only compressed has no name in it. */
static bool unpack_member(struct unpacking *u, struct archive_entry *entry, struct error *err)
{
	if (u->is_archive) {
		u->unpacked = strdup(name_of(entry));
		if (!u->unpacked)
			return error_memory(err);
	}
	return unpack_data(u, entry, err);
}

static bool unpack_members(struct unpacking *u, struct error *err)
{
	struct archive_entry *entry;
	char names[600] = "";
	unsigned n = 0;
	int rc;

	while ((rc = lib.archive_read_next_header(u->archive, &entry)) != ARCHIVE_EOF) {
		if (rc < ARCHIVE_WARN)
			return damaged(u, err);
		if (lib.archive_entry_filetype(entry) != AE_IFREG || lib.archive_entry_hardlink(entry))
			continue;
		if (u->member && strcmp(name_of(entry), u->member) == 0)
			return unpack_member(u, entry, err);
		add_name(names, sizeof(names), n, name_of(entry));
		if (!u->member && n == 0 && !unpack_member(u, entry, err))
			return false;
		n++;
	}
	if (!u->member && n == 1)
		return true;
	if (n == 0)
		return error_set(err, ERROR_NOT_FOUND, "%s: the archive has no regular file", u->path);
	if (u->member)
		error_set(err, ERROR_NOT_FOUND, "%s: the archive has no member %s, but %s", u->path, u->member, names);
	else
		error_set(err, ERROR_USAGE, "%s: the archive has several members: %s", u->path, names);
	return error_hint(err, "choose one with --member");
}

/* libarchive takes zeros for a tar without members, and so any compressed image that begins with them. The first bytes tell which one it is. */
static bool open_archive(struct unpacking *u, bool raw, struct error *err)
{
	lib.archive_read_free(u->archive);
	u->archive = lib.archive_read_new();
	if (!u->archive)
		return error_memory(err);
	lib.archive_read_support_filter_all(u->archive);
	if (raw)
		lib.archive_read_support_format_raw(u->archive);
	else
		lib.archive_read_support_format_all(u->archive);
	return lib.archive_read_open_filename(u->archive, u->path, READ_SIZE) == ARCHIVE_OK || damaged(u, err);
}

static bool choose_format(struct unpacking *u, struct error *err)
{
	struct archive_entry *entry;
	char head[HEAD_SIZE] = { 0 };
	bool is_archive = false;
	int rc;

	if (!open_archive(u, true, err))
		return false;
	rc = lib.archive_read_next_header(u->archive, &entry);
	if (rc == ARCHIVE_EOF)
		return error_set(err, ERROR_NOT_FOUND, "%s: it is empty", u->path);
	if (rc < ARCHIVE_WARN || lib.archive_read_data(u->archive, head, sizeof(head)) < 0)
		return damaged(u, err);

	const bool is_packed = lib.archive_filter_count(u->archive) > 1;	/* the first filter is the file itself */

	(void)kind_of(head, &is_archive);
	if (!is_archive && u->member)
		return error_set(err, ERROR_USAGE, "%s: is not an archive and has no member %s", u->path, u->member);
	if (!is_archive && !is_packed)
		return error_set(err, ERROR_NOT_FOUND, "%s: is not in a known compression or archive format", u->path);
	u->is_archive = is_archive;
	return open_archive(u, !is_archive, err);
}

bool unpack_image(const char *path, const char *member, unpack_progress *progress, void *context, int *fd, char **name, struct error *err)
{
	struct unpacking u = { .path = path, .member = member, .progress = progress, .context = context, .fd = -1 };
	bool ok = make_file(&u.fd, err);

	*fd = u.fd;
	ok = ok && libarchive_load(err) && choose_format(&u, err) && unpack_members(&u, err);
	if (u.archive)
		lib.archive_read_free(u.archive);
	if (!ok && u.fd >= 0)
		close(u.fd);
	if (!ok) {
		free(u.unpacked);
		u.unpacked = NULL;
	}
	*fd = ok ? u.fd : -1;
	*name = u.unpacked;
	return ok;
}

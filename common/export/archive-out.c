/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Writes exported files to an archive. Besides archive-entry.c no other file uses libarchive for writing. */
#include "common/export/out.h"

#include <errno.h>
#include <locale.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/export/archive-entry.h"
#include "common/export/out-file.h"
#include "common/util/escape.h"
#include "common/util/libarchive.h"

#define BLOCK (256u << 10)		/* bytes per write */
#define ZEROS (1u << 30)		/* address space, not memory: holes are long, and a format that leaves them out does not look at them */

struct archive_out {
	struct out out;		/* must be first */
	enum out_format format;
	struct archive *archive;
	struct archive_entry *entry;
	uint8_t *zeros;
	struct out_file file;
	int write_errno;
	bool is_given_up;
	uint64_t at, size;	/* in the file being written */
	locale_t names, before;	/* names from images are UTF-8, whatever the user's language */
	bool has_zone;		/* the time zone was set */
	char *zone_before;	/* NULL: none */
};

static ssize_t write_block(struct archive *archive, void *context, const void *bytes, size_t len)
{
	struct archive_out *a = context;
	ssize_t n;

	if (a->is_given_up || a->write_errno) {
		lib.archive_set_error(archive, a->write_errno ? a->write_errno : ECANCELED, "write");
		return -1;
	}
	do
		n = write(a->file.fd, bytes, len);
	while (n < 0 && errno == EINTR);
	if (n < 0) {
		a->write_errno = errno;
		lib.archive_set_error(archive, errno, "write");
	}
	return n;
}

static bool failed(struct archive_out *a, struct error *err)
{
	const char *text = lib.archive_error_string(a->archive);

	if (a->write_errno) {
		errno = a->write_errno;
		return error_system(err, "%s", a->file.path ? a->file.path : "the archive");
	}
	if (lib.archive_errno(a->archive) == ENOMEM)
		return error_memory(err);
	return error_set(err, ERROR_IO, "the archive: %s", text ? text : "no reason given");
}

/* --- the operations of an out --------------------------------------------------------------------------------------- */

static bool format_has(struct archive_out *a, const struct out_entry *from)
{
	const mode_t mode = from->inode->mode;

	if (S_ISSOCK(mode))
		out_lose(&a->out, OUT_LOSS_SOCKET, from->path);
	else if (a->format == OUT_ZIP && S_ISFIFO(mode))
		out_lose(&a->out, OUT_LOSS_FIFO, from->path);
	else if (a->format == OUT_ZIP && (S_ISCHR(mode) || S_ISBLK(mode)))
		out_lose(&a->out, OUT_LOSS_DEVICE, from->path);
	else
		return true;
	return false;
}

static bool is_all_utf8(const struct out_entry *from)
{
	return utf8_is_valid(from->path, strlen(from->path)) && (!from->target || utf8_is_valid(from->target, strlen(from->target))) &&
	       (!from->link_to || utf8_is_valid(from->link_to, strlen(from->link_to)));
}

/* A zip archive records for each name whether it is UTF-8. libarchive derives that from the locale alone. */
static int write_header(struct archive_out *a, const char *path)
{
	const bool is_other = a->format == OUT_ZIP && a->names && !utf8_is_valid(path, strlen(path));
	const locale_t names = is_other ? uselocale(a->before) : (locale_t)0;
	const int rc = lib.archive_write_header(a->archive, a->entry);

	if (is_other)
		uselocale(names);
	return rc;
}

static bool archive_begin(struct out *out, const struct out_entry *from, bool *taken, struct error *refused, struct error *err)
{
	struct archive_out *a = (struct archive_out *)out;
	int rc;

	*taken = false;
	a->at = 0;
	if (!format_has(a, from))
		return true;
	archive_entry_describe(&(struct archive_target){ &a->out, a->format, a->entry }, from);
	a->size = S_ISREG(from->inode->mode) && !from->link_to ? from->inode->size : 0;
	rc = write_header(a, from->path);
	if (rc == ARCHIVE_FATAL)
		return failed(a, err);
	if (rc == ARCHIVE_FAILED) {
		error_set(refused, ERROR_REFUSED, "the archive format cannot store it: %s",
			  lib.archive_error_string(a->archive) ? lib.archive_error_string(a->archive) : "no reason given");
		return true;
	}
	/* pax keeps the bytes of names that are not UTF-8, and says so in the archive: no loss. */
	if (rc == ARCHIVE_WARN && (a->format != OUT_TAR || is_all_utf8(from)))
		out_lose(out, OUT_LOSS_NAME, from->path);
	*taken = true;
	return true;
}

static bool put(struct archive_out *a, const uint8_t *bytes, size_t len, struct error *err)
{
	while (len > 0) {
		const ssize_t n = lib.archive_write_data(a->archive, bytes, len);

		if (n <= 0)
			return failed(a, err);
		bytes += n;
		len -= (size_t)n;
		a->at += (uint64_t)n;
	}
	return true;
}

static bool put_zeros(struct archive_out *a, uint64_t end, struct error *err)
{
	while (a->at < end) {
		if (!put(a, a->zeros, end - a->at < ZEROS ? end - a->at : ZEROS, err))
			return false;
	}
	return true;
}

static bool archive_data(struct out *out, uint64_t offset, const void *bytes, size_t len, struct error *err)
{
	struct archive_out *a = (struct archive_out *)out;

	return put_zeros(a, offset, err) && put(a, bytes, len, err);
}

static bool archive_end(struct out *out, struct error *err)
{
	struct archive_out *a = (struct archive_out *)out;

	return put_zeros(a, a->size, err) && (lib.archive_write_finish_entry(a->archive) >= ARCHIVE_WARN || failed(a, err));
}

static bool archive_leave(struct out *out, const struct out_entry *directory, struct error *err)
{
	(void)out, (void)directory, (void)err;
	return true;
}

static bool archive_finish(struct out *out, struct error *err)
{
	struct archive_out *a = (struct archive_out *)out;

	return (lib.archive_write_close(a->archive) == ARCHIVE_OK || failed(a, err)) && out_file_finish(&a->file, err);
}

/* A zip archive also has times as the clock on the wall shows them. It is that of UTC, so that the same image gives the same bytes. */
static bool set_zone(struct archive_out *a, struct error *err)
{
	const char *const zone = getenv("TZ");

	a->zone_before = zone ? strdup(zone) : NULL;
	a->has_zone = (a->zone_before || !zone) && setenv("TZ", "UTC0", 1) == 0;
	tzset();
	return a->has_zone || error_memory(err);
}

static void set_zone_back(struct archive_out *a)
{
	if (a->has_zone && a->zone_before)
		setenv("TZ", a->zone_before, 1);
	else if (a->has_zone)
		unsetenv("TZ");
	tzset();
	free(a->zone_before);
}

static void archive_close(struct out *out)
{
	struct archive_out *a = (struct archive_out *)out;

	/* libarchive only frees everything if it may finish the archive. What it writes then goes nowhere. */
	a->is_given_up = !a->file.finished;
	lib.archive_entry_free(a->entry);
	lib.archive_write_free(a->archive);
	out_file_close(&a->file);
	if (a->names) {
		uselocale(a->before);
		freelocale(a->names);
	}
	set_zone_back(a);
	if (a->zeros != MAP_FAILED)
		munmap(a->zeros, ZEROS);
	free(a);
}

static const struct out_ops archive_ops = {
	archive_begin, archive_data, archive_end, archive_leave, archive_finish, archive_close,
};

/* --- opening ---------------------------------------------------------------------------------------------------------- */

static int set_format(struct archive_out *a, enum out_compression compression)
{
	int (*const filters[])(struct archive *) = {
		[OUT_PLAIN] = lib.archive_write_add_filter_none,
		[OUT_ZSTD] = lib.archive_write_add_filter_zstd,
		[OUT_GZIP] = lib.archive_write_add_filter_gzip,
		[OUT_XZ] = lib.archive_write_add_filter_xz,
	};
	int (*const formats[])(struct archive *) = {
		[OUT_TAR] = lib.archive_write_set_format_pax,
		[OUT_ZIP] = lib.archive_write_set_format_zip,
		[OUT_CPIO] = lib.archive_write_set_format_cpio_newc,
		[OUT_MTREE] = lib.archive_write_set_format_mtree,
	};
	int rc = formats[a->format](a->archive);

	if (rc == ARCHIVE_OK)
		rc = filters[compression](a->archive);
	/* The same input gives the same bytes. The option is needed only once for what GNU tar reads. */
	if (rc == ARCHIVE_OK && compression == OUT_GZIP)
		rc = lib.archive_write_set_filter_option(a->archive, "gzip", "timestamp", NULL);
	if (rc == ARCHIVE_OK && a->format == OUT_TAR)
		rc = lib.archive_write_set_format_option(a->archive, "pax", "xattrheader", "SCHILY");
	if (rc == ARCHIVE_OK && a->format == OUT_MTREE)
		rc = lib.archive_write_set_format_option(a->archive, "mtree", "sha256", "1");
	if (rc == ARCHIVE_OK)
		rc = lib.archive_write_set_bytes_per_block(a->archive, BLOCK);
	if (rc == ARCHIVE_OK)
		rc = lib.archive_write_set_bytes_in_last_block(a->archive, 1);
	return rc;
}

bool archive_out_open(const char *path, enum out_format format, enum out_compression compression, struct out **out,
		      struct error *err)
{
	struct archive_out *a;
	bool ok;

	if (!libarchive_load(err))
		return false;
	a = calloc(1, sizeof(*a));
	if (!a)
		return error_memory(err);
	a->out = (struct out){
		.ops = &archive_ops,
		.keeps_attributes = true,
		.copies_links = format == OUT_ZIP || format == OUT_MTREE,
		.copies_special_links = format == OUT_CPIO,	/* links are recognised by their number */
		.loses_links = format == OUT_ZIP,
		.holes_max = format == OUT_TAR ? 1ull << 50 : 1ull << 40,	/* tar records holes, but libarchive counts through them */
	};
	a->format = format;
	a->file.fd = -1;
	a->names = newlocale(LC_CTYPE_MASK, "C.UTF-8", (locale_t)0);
	if (a->names)
		a->before = uselocale(a->names);
	a->archive = lib.archive_write_new();
	a->entry = lib.archive_entry_new();
	a->zeros = mmap(NULL, ZEROS, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	ok = (a->archive && a->entry && a->zeros != MAP_FAILED) || error_memory(err);
	ok = ok && (format != OUT_ZIP || set_zone(a, err));
	ok = ok && out_file_open(&a->file, path, err);
	ok = ok && (set_format(a, compression) == ARCHIVE_OK || failed(a, err));
	ok = ok && (lib.archive_write_open2(a->archive, a, NULL, write_block, NULL, NULL) == ARCHIVE_OK || failed(a, err));
	if (!ok) {
		archive_close(&a->out);
		return false;
	}
	*out = &a->out;
	return true;
}

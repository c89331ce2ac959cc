/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Writes exported files to an archive. No other file uses libarchive for writing. */
#include "common/export/out.h"

#include <errno.h>
#include <locale.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/export/archive-times.h"
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

/* --- describing an entry -------------------------------------------------------------------------------------------- */

static void set_times(struct archive_out *a, const struct out_entry *from)
{
	const struct archive_times times = archive_times(a->format, from->inode);

	lib.archive_entry_set_mtime(a->entry, times.mtime.sec, times.mtime.nsec);
	lib.archive_entry_set_atime(a->entry, times.atime.sec, times.atime.nsec);
	lib.archive_entry_set_ctime(a->entry, times.ctime.sec, times.ctime.nsec);
	if (times.otime.sec != 0 || times.otime.nsec != 0)
		lib.archive_entry_set_birthtime(a->entry, times.otime.sec, times.otime.nsec);
	if (times.loss != OUT_LOSSES)
		out_lose(&a->out, times.loss, from->path);
}

static int library_tag(uint16_t tag)
{
	switch (tag) {
	case ACL_TAG_USER_OBJ: return ARCHIVE_ENTRY_ACL_USER_OBJ;
	case ACL_TAG_USER: return ARCHIVE_ENTRY_ACL_USER;
	case ACL_TAG_GROUP_OBJ: return ARCHIVE_ENTRY_ACL_GROUP_OBJ;
	case ACL_TAG_GROUP: return ARCHIVE_ENTRY_ACL_GROUP;
	case ACL_TAG_MASK: return ARCHIVE_ENTRY_ACL_MASK;
	default: return ARCHIVE_ENTRY_ACL_OTHER;
	}
}

/* Returns false if it is not an ACL; it is then kept as an ordinary xattr. */
static bool add_acl(struct archive_entry *entry, int type, const struct out_xattr *xattr)
{
	struct cursor value = { xattr->value, xattr->len, 0 };
	struct acl_entry acl;
	struct error ignored;

	for (int pass = 0; pass < 2; pass++) {	/* check all of it before using any of it */
		value = (struct cursor){ xattr->value, xattr->len, 0 };
		if (!acl_begin(&value, &ignored))
			return false;
		while (value.left > 0) {
			if (!acl_next(&value, &acl, &ignored))
				return false;
			if (pass == 1)
				lib.archive_entry_acl_add_entry(entry, type, acl.permissions, library_tag(acl.tag), (int)acl.id, NULL);
		}
	}
	return true;
}

/* libarchive writes other bytes of a name as %XX, but GNU tar only reads %25 and %3D. */
static bool is_kept(const char *name)
{
	for (; *name; name++) {
		if (*name <= ' ' || *name >= 0x7f)
			return false;
	}
	return true;
}

static void add_xattrs(struct archive_out *a, const struct out_entry *from)
{
	for (size_t i = 0; i < from->n_xattrs; i++) {
		const struct out_xattr *xattr = &from->xattr[i];
		const bool is_access = strcmp(xattr->name, "system.posix_acl_access") == 0;
		const bool is_default = strcmp(xattr->name, "system.posix_acl_default") == 0;

		if (a->format != OUT_TAR)
			out_lose(&a->out, is_access || is_default ? OUT_LOSS_ACL : OUT_LOSS_XATTR, from->path);
		else if (!is_kept(xattr->name))
			out_lose(&a->out, OUT_LOSS_NAME, from->path);
		if (a->format == OUT_TAR && !(is_access && add_acl(a->entry, ARCHIVE_ENTRY_ACL_TYPE_ACCESS, xattr)) &&
		    !(is_default && add_acl(a->entry, ARCHIVE_ENTRY_ACL_TYPE_DEFAULT, xattr)))
			lib.archive_entry_xattr_add_entry(a->entry, xattr->name, xattr->value, xattr->len);
	}
}

static void add_sparse(struct archive_out *a, const struct out_entry *from)
{
	const uint64_t size = from->inode->size;

	if (a->format != OUT_TAR || size == 0 || (from->n_data == 1 && from->data[0].offset == 0 && from->data[0].len >= size))
		return;
	for (size_t i = 0; i < from->n_data; i++)
		lib.archive_entry_sparse_add_entry(a->entry, (int64_t)from->data[i].offset, (int64_t)from->data[i].len);
	if (from->n_data == 0)
		lib.archive_entry_sparse_add_entry(a->entry, 0, 0);
}

static void set_entry(struct archive_out *a, const struct out_entry *from)
{
	const struct inode *inode = from->inode;
	struct archive_entry *entry = lib.archive_entry_clear(a->entry);

	lib.archive_entry_copy_pathname(entry, from->path[0] ? from->path : ".");
	lib.archive_entry_set_mode(entry, (mode_t)inode->mode);
	lib.archive_entry_set_uid(entry, inode->uid);
	lib.archive_entry_set_gid(entry, inode->gid);
	lib.archive_entry_set_nlink(entry, inode->n_links);
	lib.archive_entry_set_ino64(entry, (int64_t)from->number);
	set_times(a, from);
	a->size = 0;
	lib.archive_entry_set_size(entry, 0);
	if (from->link_to) {
		/* A cpio archive marks links by their number. The bytes are with the first one. */
		if (a->format != OUT_CPIO)
			lib.archive_entry_copy_hardlink(entry, from->link_to);
	} else if (S_ISREG(inode->mode)) {
		a->size = inode->size;
		lib.archive_entry_set_size(entry, (int64_t)inode->size);
		add_sparse(a, from);
	} else if (S_ISCHR(inode->mode) || S_ISBLK(inode->mode)) {
		lib.archive_entry_set_rdevmajor(entry, (dev_t)(inode->rdev >> 20 & 0xfff));
		lib.archive_entry_set_rdevminor(entry, (dev_t)(inode->rdev & 0xfffff));
	}
	if (S_ISLNK(inode->mode) && !from->link_to)
		lib.archive_entry_copy_symlink(entry, from->target);
	if (!from->link_to)
		add_xattrs(a, from);
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
	set_entry(a, from);
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

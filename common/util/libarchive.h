/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * libarchive, loaded when an archive is opened. With the libraries that it needs itself (XML, Unicode, C++) it takes as long to load as all others
 * together, and few commands use it. Call lib.archive_write_new(), and so on.
 */
#ifndef COMMON_UTIL_LIBARCHIVE_H
#define COMMON_UTIL_LIBARCHIVE_H

#include <archive.h>
#include <archive_entry.h>

#include "format/error.h"

/* The functions that we call. */
#define LIBARCHIVE_FUNCTIONS(X) \
	X(archive_errno) X(archive_error_string) X(archive_set_error) X(archive_filter_bytes) X(archive_filter_count) X(archive_read_new) \
	X(archive_read_free) X(archive_read_support_filter_all) X(archive_read_support_format_raw) X(archive_read_support_format_all) \
	X(archive_read_open_filename) X(archive_read_next_header) X(archive_read_data) X(archive_read_data_block) X(archive_write_new) \
	X(archive_write_free) X(archive_write_add_filter_none) X(archive_write_add_filter_zstd) X(archive_write_add_filter_gzip) \
	X(archive_write_add_filter_xz) X(archive_write_set_format_pax) X(archive_write_set_format_zip) X(archive_write_set_format_cpio_newc) \
	X(archive_write_set_format_mtree) X(archive_write_set_filter_option) X(archive_write_set_format_option) \
	X(archive_write_set_bytes_per_block) X(archive_write_set_bytes_in_last_block) X(archive_write_open2) X(archive_write_header) \
	X(archive_write_data) X(archive_write_finish_entry) X(archive_write_close) X(archive_entry_new) X(archive_entry_clear) \
	X(archive_entry_free) X(archive_entry_filetype) X(archive_entry_hardlink) X(archive_entry_pathname) X(archive_entry_pathname_utf8) \
	X(archive_entry_size) X(archive_entry_size_is_set) X(archive_entry_copy_pathname) X(archive_entry_copy_hardlink) \
	X(archive_entry_copy_symlink) X(archive_entry_set_mode) X(archive_entry_set_uid) X(archive_entry_set_gid) X(archive_entry_set_nlink) \
	X(archive_entry_set_ino64) X(archive_entry_set_size) X(archive_entry_set_rdevmajor) X(archive_entry_set_rdevminor) \
	X(archive_entry_set_mtime) X(archive_entry_set_atime) X(archive_entry_set_ctime) X(archive_entry_set_birthtime) \
	X(archive_entry_acl_add_entry) X(archive_entry_xattr_add_entry) X(archive_entry_sparse_add_entry)

struct libarchive {
#define MEMBER(name) __typeof__(name) *name;
	LIBARCHIVE_FUNCTIONS(MEMBER)
#undef MEMBER
};

extern struct libarchive lib;	/* after libarchive_load() */

bool libarchive_load(struct error *err) must_use;

#endif /* COMMON_UTIL_LIBARCHIVE_H */

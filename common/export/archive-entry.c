/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "common/export/archive-entry.h"

#include <string.h>
#include <sys/stat.h>

#include "common/export/archive-times.h"
#include "common/util/libarchive.h"

static void set_times(const struct archive_target *to, const struct out_entry *from)
{
	const struct archive_times times = archive_times(to->format, from->inode);

	lib.archive_entry_set_mtime(to->entry, times.mtime.sec, times.mtime.nsec);
	lib.archive_entry_set_atime(to->entry, times.atime.sec, times.atime.nsec);
	lib.archive_entry_set_ctime(to->entry, times.ctime.sec, times.ctime.nsec);
	if (times.otime.sec != 0 || times.otime.nsec != 0)
		lib.archive_entry_set_birthtime(to->entry, times.otime.sec, times.otime.nsec);
	if (times.loss != OUT_LOSSES)
		out_lose(to->out, times.loss, from->path);
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

static void add_xattrs(const struct archive_target *to, const struct out_entry *from)
{
	for (size_t i = 0; i < from->n_xattrs; i++) {
		const struct out_xattr *xattr = &from->xattr[i];
		const bool is_access = strcmp(xattr->name, "system.posix_acl_access") == 0;
		const bool is_default = strcmp(xattr->name, "system.posix_acl_default") == 0;

		if (to->format != OUT_TAR)
			out_lose(to->out, is_access || is_default ? OUT_LOSS_ACL : OUT_LOSS_XATTR, from->path);
		else if (!is_kept(xattr->name))
			out_lose(to->out, OUT_LOSS_NAME, from->path);
		if (to->format == OUT_TAR && !(is_access && add_acl(to->entry, ARCHIVE_ENTRY_ACL_TYPE_ACCESS, xattr)) &&
		    !(is_default && add_acl(to->entry, ARCHIVE_ENTRY_ACL_TYPE_DEFAULT, xattr)))
			lib.archive_entry_xattr_add_entry(to->entry, xattr->name, xattr->value, xattr->len);
	}
}

static void add_sparse(const struct archive_target *to, const struct out_entry *from)
{
	const uint64_t size = from->inode->size;

	if (to->format != OUT_TAR || size == 0 || (from->n_data == 1 && from->data[0].offset == 0 && from->data[0].len >= size))
		return;
	for (size_t i = 0; i < from->n_data; i++)
		lib.archive_entry_sparse_add_entry(to->entry, (int64_t)from->data[i].offset, (int64_t)from->data[i].len);
	if (from->n_data == 0)
		lib.archive_entry_sparse_add_entry(to->entry, 0, 0);
}

void archive_entry_describe(const struct archive_target *to, const struct out_entry *from)
{
	const struct inode *inode = from->inode;
	struct archive_entry *entry = lib.archive_entry_clear(to->entry);

	lib.archive_entry_copy_pathname(entry, from->path[0] ? from->path : ".");
	lib.archive_entry_set_mode(entry, (mode_t)inode->mode);
	lib.archive_entry_set_uid(entry, inode->uid);
	lib.archive_entry_set_gid(entry, inode->gid);
	lib.archive_entry_set_nlink(entry, inode->n_links);
	lib.archive_entry_set_ino64(entry, (int64_t)from->number);
	set_times(to, from);
	lib.archive_entry_set_size(entry, 0);
	if (from->link_to) {
		/* A cpio archive marks links by their number. The bytes are with the first one. */
		if (to->format != OUT_CPIO)
			lib.archive_entry_copy_hardlink(entry, from->link_to);
	} else if (S_ISREG(inode->mode)) {
		lib.archive_entry_set_size(entry, (int64_t)inode->size);
		add_sparse(to, from);
	} else if (S_ISCHR(inode->mode) || S_ISBLK(inode->mode)) {
		lib.archive_entry_set_rdevmajor(entry, (dev_t)(inode->rdev >> 20 & 0xfff));
		lib.archive_entry_set_rdevminor(entry, (dev_t)(inode->rdev & 0xfffff));
	}
	if (S_ISLNK(inode->mode) && !from->link_to)
		lib.archive_entry_copy_symlink(entry, from->target);
	if (!from->link_to)
		add_xattrs(to, from);
}

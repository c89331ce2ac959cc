/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The extended attributes of an inode, including POSIX ACLs and capabilities. */
#ifndef COMMON_FS_XATTR_H
#define COMMON_FS_XATTR_H

#include "common/tree/tree.h"
#include "format/dir-entry.h"

/* Called in the order of their hashes. name and data are borrowed for the call. A name may contain any byte. */
typedef bool xattr_visit(void *context, const struct dir_entry *xattr, struct error *err);
bool xattr_read(const struct tree *subvolume, uint64_t inode, xattr_visit *visit, void *context, struct error *err) must_use;

/* "system.posix_acl_access" or "system.posix_acl_default" as the kernel stores it. */
struct acl_entry {
	uint16_t tag;		/* ACL_TAG_* */
	uint16_t permissions;	/* rwx as in a mode */
	uint32_t id;		/* of ACL_TAG_USER and ACL_TAG_GROUP */
};
#define ACL_TAG_USER_OBJ 0x01
#define ACL_TAG_USER 0x02
#define ACL_TAG_GROUP_OBJ 0x04
#define ACL_TAG_GROUP 0x08
#define ACL_TAG_MASK 0x10
#define ACL_TAG_OTHER 0x20

/* acl_begin() takes the header of an ACL, acl_next() its next entry. Loop while value->left > 0. */
bool acl_begin(struct cursor *value, struct error *err) must_use;
bool acl_next(struct cursor *value, struct acl_entry *entry, struct error *err) must_use;

#endif /* COMMON_FS_XATTR_H */

/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Reads extended attributes, and access control lists in them. */
#include "common/fs/xattr.h"

#include <inttypes.h>

#define ACL_VERSION 2

struct disk_acl_header { struct le32 version; };
struct disk_acl_entry { struct le16 tag, permissions; struct le32 id; };
static_assert(sizeof(struct disk_acl_entry) == 8, "posix_acl_xattr_entry");

bool xattr_read(const struct tree *subvolume, uint64_t inode, xattr_visit *visit, void *context, struct error *err)
{
	const struct key first = { inode, KEY_XATTR_ITEM, 0 };
	cleanup_tree_iter struct tree_iter iter = { 0 };
	struct dir_entry xattr;
	bool ok;

	for (ok = tree_seek(subvolume, &first, &iter, err); ok && tree_iter_is_in(&iter, &first); ok = tree_next(&iter, err)) {
		while (iter.item.left > 0) {
			if (!xattr_next(&iter.item, &xattr, err) || !visit(context, &xattr, err))
				return false;
		}
	}
	return ok;
}

bool acl_begin(struct cursor *value, struct error *err)
{
	const uint64_t where = value->offset;
	struct disk_acl_header header;

	if (value->left < sizeof(header) || (value->left - sizeof(header)) % sizeof(struct disk_acl_entry) != 0)
		return error_set(err, ERROR_CORRUPT, "ACL at %#" PRIx64 ": %zu bytes, not 4 and a multiple of 8", where, value->left);
	if (!cursor_read(value, &header, sizeof(header)) || le32(header.version) != ACL_VERSION)
		return error_set(err, ERROR_CORRUPT, "ACL at %#" PRIx64 ": version is %" PRIu32 ", not %u", where,
				 le32(header.version), ACL_VERSION);
	return true;
}

bool acl_next(struct cursor *value, struct acl_entry *entry, struct error *err)
{
	const uint64_t where = value->offset;
	struct disk_acl_entry disk;

	if (!cursor_read(value, &disk, sizeof(disk)))
		return error_set(err, ERROR_CORRUPT, "ACL entry at %#" PRIx64 ": %zu bytes left, an entry takes 8", where, value->left);
	*entry = (struct acl_entry){ le16(disk.tag), le16(disk.permissions), le32(disk.id) };
	switch (entry->tag) {
	case ACL_TAG_USER_OBJ: case ACL_TAG_USER: case ACL_TAG_GROUP_OBJ: case ACL_TAG_GROUP: case ACL_TAG_MASK: case ACL_TAG_OTHER:
		break;
	default:
		return error_set(err, ERROR_CORRUPT, "ACL entry at %#" PRIx64 ": tag is %u", where, entry->tag);
	}
	if (entry->permissions > 7)
		return error_set(err, ERROR_CORRUPT, "ACL entry at %#" PRIx64 ": permissions are %#o", where, entry->permissions);
	return true;
}

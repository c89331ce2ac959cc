/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Checks inode items and the names of an inode. */
#include "format/inode.h"

#include <inttypes.h>
#include <isa-l/crc.h>
#include <sys/stat.h>

#define corrupt_at(kind, format, ...) \
	error_set(err, ERROR_CORRUPT, kind " at %#" PRIx64 ": " format, where, __VA_ARGS__)

#define NSEC_MAX 999999999u

static bool mode_is_valid(uint32_t mode)
{
	if (mode & ~(uint32_t)(S_IFMT | 07777))
		return false;
	return S_ISREG(mode) || S_ISDIR(mode) || S_ISLNK(mode) || S_ISCHR(mode) || S_ISBLK(mode) || S_ISFIFO(mode) ||
	       S_ISSOCK(mode);
}

static bool read_time(const struct disk_timespec *disk, const char *name, uint64_t where, struct inode_time *time,
		      struct error *err)
{
	*time = (struct inode_time){ (int64_t)le64(disk->sec), le32(disk->nsec) };
	if (time->nsec > NSEC_MAX)
		return corrupt_at("inode item", "%s.nsec is %u, at most %u", name, time->nsec, NSEC_MAX);
	return true;
}

bool inode_read(struct cursor *item, struct inode *out, struct error *err)
{
	const uint64_t where = item->offset;
	struct disk_inode_item disk;

	if (item->left != sizeof(disk) || !cursor_read(item, &disk, sizeof(disk)))
		return corrupt_at("inode item", "%zu bytes, not %zu", item->left, sizeof(disk));

	struct inode inode = {
		.generation = le64(disk.generation),
		.transid = le64(disk.transid),
		.size = le64(disk.size),
		.nbytes = le64(disk.nbytes),
		.rdev = le64(disk.rdev),
		.flags = le64(disk.flags),
		.sequence = le64(disk.sequence),
		.n_links = le32(disk.nlink),
		.uid = le32(disk.uid),
		.gid = le32(disk.gid),
		.mode = le32(disk.mode),
	};

	if (!mode_is_valid(inode.mode))
		return corrupt_at("inode item", "mode is %#o, not a type of file and its permissions", inode.mode);
	if (!read_time(&disk.atime, "atime", where, &inode.atime, err) ||
	    !read_time(&disk.ctime, "ctime", where, &inode.ctime, err) ||
	    !read_time(&disk.mtime, "mtime", where, &inode.mtime, err) ||
	    !read_time(&disk.otime, "otime", where, &inode.otime, err))
		return false;
	*out = inode;
	return true;
}

static bool take_name(struct cursor *item, size_t name_len, uint64_t where, struct cursor *name, struct error *err)
{
	if (name_len == 0 || name_len > NAME_MAX_BYTES)
		return corrupt_at("inode reference", "name_len is %zu, not 1 to %u", name_len, NAME_MAX_BYTES);
	if (!cursor_take(item, name_len, name))
		return corrupt_at("inode reference", "name_len is %zu, the item has %zu bytes left", name_len, item->left);
	return true;
}

bool inode_ref_next(struct cursor *item, uint64_t parent, struct inode_ref *ref, struct error *err)
{
	const uint64_t where = item->offset;
	struct disk_inode_ref disk;
	struct cursor name;

	if (!cursor_read(item, &disk, sizeof(disk)))
		return corrupt_at("inode reference", "%zu bytes left, a header takes %zu", item->left, sizeof(disk));
	if (!take_name(item, le16(disk.name_len), where, &name, err))
		return false;
	*ref = (struct inode_ref){ parent, le64(disk.index), name };
	return true;
}

bool inode_extref_next(struct cursor *item, struct inode_ref *ref, struct error *err)
{
	const uint64_t where = item->offset;
	struct disk_inode_extref disk;
	struct cursor name;

	if (!cursor_read(item, &disk, sizeof(disk)))
		return corrupt_at("inode reference", "%zu bytes left, a header takes %zu", item->left, sizeof(disk));
	if (!take_name(item, le16(disk.name_len), where, &name, err))
		return false;
	*ref = (struct inode_ref){ le64(disk.parent), le64(disk.index), name };
	return true;
}

bool inode_name_next(struct cursor *item, const struct key *key, struct inode_ref *ref, struct error *err)
{
	return key->type == KEY_INODE_REF ? inode_ref_next(item, key->offset, ref, err) : inode_extref_next(item, ref, err);
}

uint64_t inode_extref_hash(uint64_t parent, const void *name, size_t len)
{
	/* The library's parameter is not const, but it does not change the bytes. */
	return crc32_iscsi((unsigned char *)name, (int)len, (unsigned)parent);
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Checks directory entries and xattrs. */
#include "format/dir-entry.h"

#include <inttypes.h>
#include <isa-l/crc.h>
#include <string.h>
#include <sys/stat.h>

#define corrupt_at(kind, format, ...) \
	error_set(err, ERROR_CORRUPT, "%s at %#" PRIx64 ": " format, kind, where, __VA_ARGS__)

uint64_t dir_entry_name_hash(const void *name, size_t len)
{
	/* The library's parameter is not const, but it does not change the bytes. */
	return crc32_iscsi((unsigned char *)name, (int)len, ~1u);
}

static bool read_header(struct cursor *item, const char *kind, struct disk_dir_item *disk, struct error *err)
{
	const uint64_t where = item->offset;

	if (!cursor_read(item, disk, sizeof(*disk)))
		return corrupt_at(kind, "%zu bytes left, a header takes %zu", item->left, sizeof(*disk));

	const unsigned name_len = le16(disk->name_len);

	if (name_len == 0 || name_len > NAME_MAX_BYTES)
		return corrupt_at(kind, "name_len is %u, not 1 to %u", name_len, NAME_MAX_BYTES);
	return true;
}

/* The name is not checked for '/' or NUL: an encrypted name is ciphertext, and whoever prints it escapes it. */
bool dir_entry_next(struct cursor *item, struct dir_entry *entry, struct error *err)
{
	const uint64_t where = item->offset;
	struct disk_dir_item disk;
	struct cursor name;

	if (!read_header(item, "dir item", &disk, err))
		return false;

	const size_t name_len = le16(disk.name_len);
	const uint8_t type = disk.type & (uint8_t)~FT_ENCRYPTED;

	if (le16(disk.data_len) != 0)
		return corrupt_at("dir item", "data_len is %u, only an xattr has data", le16(disk.data_len));
	if (type == 0 || type > FT_LAST)
		return corrupt_at("dir item", "type is %u, not 1 to %d", type, FT_LAST);
	if (!cursor_take(item, name_len, &name))
		return corrupt_at("dir item", "name_len is %zu, the item has %zu bytes left", name_len, item->left);

	*entry = (struct dir_entry){
		.location = key_from_disk(&disk.location),
		.type = type,
		.encrypted = disk.type & FT_ENCRYPTED,
		.name = name,
		.data = { item->at, 0, item->offset },
	};
	return true;
}

bool xattr_next(struct cursor *item, struct dir_entry *entry, struct error *err)
{
	const uint64_t where = item->offset;
	struct disk_dir_item disk;
	struct cursor name, data;

	if (!read_header(item, "xattr", &disk, err))
		return false;

	const size_t name_len = le16(disk.name_len), data_len = le16(disk.data_len);

	if (disk.type != FT_XATTR)
		return corrupt_at("xattr", "type is %u, not %d", disk.type, FT_XATTR);
	if (!cursor_take(item, name_len, &name))
		return corrupt_at("xattr", "name_len is %zu, the item has %zu bytes left", name_len, item->left);
	if (!cursor_take(item, data_len, &data))
		return corrupt_at("xattr", "data_len is %zu, the item has %zu bytes left", data_len, item->left);

	*entry = (struct dir_entry){
		.location = key_from_disk(&disk.location),
		.type = disk.type,
		.name = name,
		.data = data,
	};
	return true;
}

uint8_t dir_entry_type(uint32_t mode)
{
	switch (mode & S_IFMT) {
	case S_IFREG: return FT_REG_FILE;
	case S_IFDIR: return FT_DIR;
	case S_IFCHR: return FT_CHRDEV;
	case S_IFBLK: return FT_BLKDEV;
	case S_IFIFO: return FT_FIFO;
	case S_IFSOCK: return FT_SOCK;
	case S_IFLNK: return FT_SYMLINK;
	default: return 0;
	}
}

bool dir_entry_name_is_bad(const struct dir_entry *entry)
{
	const uint8_t *name = entry->name.at;
	const size_t len = entry->name.left;

	return memchr(name, '/', len) || memchr(name, '\0', len) || (len == 1 && name[0] == '.') ||
	       (len == 2 && name[0] == '.' && name[1] == '.');
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "format/crypt-backup.h"

#include "format/crypt-check.h"

static struct place place_at(uint64_t offset, const char *what)
{
	return (struct place){ ERROR_KEY_HEADER, what, offset };
}

bool crypt_backup_read(struct cursor *file, struct crypt_backup *backup, struct error *err)
{
	const struct place place = place_at(file->offset, "header backup");
	const size_t size = file->left;
	struct disk_crypt_backup disk;
	struct cursor items, hash;

	if (!cursor_read(file, &disk, sizeof(disk)))
		return wrong(place, "%zu bytes, its beginning takes %zu", size, sizeof(disk));
	if (memcmp(disk.magic, CRYPT_BACKUP_MAGIC, sizeof(disk.magic)) != 0)
		return wrong(place, "the magic is not \"%s\"", CRYPT_BACKUP_MAGIC);
	if (is_unreleased(le32(disk.version), place, err))
		return false;
	if (le32(disk.version) != CRYPT_VERSION)
		return wrong(((struct place){ ERROR_REFUSED, place.what, place.offset }), "version is %" PRIu32 ", not %u", le32(disk.version), CRYPT_VERSION);
	if (le32(disk.flags) != 0)
		return wrong(place, "flags are %#" PRIx32 ", not 0", le32(disk.flags));
	if (le64(disk.length) != size)
		return wrong(place, "length is %" PRIu64 ", but the file has %zu bytes", le64(disk.length), size);
	if (le32(disk.n_items) == 0)
		return wrong(place, "n_items is 0, not %s", "1 or more");
	if (le32(disk.zero) != 0)
		return wrong(place, "reserved bytes are %#" PRIx32 ", not 0", le32(disk.zero));
	if (file->left < CRYPT_BACKUP_HASH_SIZE || !cursor_take(file, file->left - CRYPT_BACKUP_HASH_SIZE, &items) ||
	    !cursor_take(file, CRYPT_BACKUP_HASH_SIZE, &hash))
		return wrong(place, "%zu bytes, items and hash are missing", size);

	*backup = (struct crypt_backup){
		.time = le64(disk.time),
		.n_items = le32(disk.n_items),
		.items = items,
		.hash = hash,
	};
	memcpy(backup->fsid, disk.fsid, sizeof(backup->fsid));
	return true;
}

static bool is_of_backup(const struct crypt_place *place)
{
	switch (place->kind) {
	case CRYPT_HEADER:
		return !place->second_header;
	case CRYPT_SLOT:
		return place->index < CRYPT_SLOTS_MAX;
	case CRYPT_MEMBER:
	case CRYPT_INODE_FLAGS:
	case CRYPT_BAD_BLOCKS:
		return true;
	default:
		return false;
	}
}

bool crypt_backup_next(struct crypt_backup *backup, const struct crypt_backup_item *before, struct crypt_backup_item *item, struct error *err)
{
	const struct place place = place_at(backup->items.offset, "item of the header backup");
	struct disk_crypt_backup_item disk;
	struct crypt_backup_item read;

	if (!cursor_read(&backup->items, &disk, sizeof(disk)))
		return wrong(place, "%zu bytes left, the head of an item takes %zu", backup->items.left, sizeof(disk));

	const struct key key = { CRYPT_ID, KEY_PERSISTENT_ITEM, le64(disk.offset) };
	const uint32_t length = le32(disk.length);

	read = (struct crypt_backup_item){ .offset = key.offset };
	if (!crypt_place_of_key(&key, &read.place) || !is_of_backup(&read.place))
		return wrong(place, "its key is %#" PRIx64 ", not that of a header, key slot, subvolume, inode-flags or bad-blocks item", key.offset);
	if (before ? read.place.domain != before->place.domain || key.offset <= before->offset : read.place.kind != CRYPT_HEADER)
		return wrong(place, "its key is %#" PRIx64 ", which does not follow %#" PRIx64, key.offset, before ? before->offset : 0);
	if (le32(disk.zero) != 0)
		return wrong(place, "reserved bytes are %#" PRIx32 ", not 0", le32(disk.zero));
	if (!cursor_take(&backup->items, length, &read.payload))
		return wrong(place, "length is %" PRIu32 ", the file has %zu bytes left for items", length, backup->items.left);
	*item = read;
	return true;
}

bool crypt_backup_end(const struct crypt_backup *backup, struct error *err)
{
	if (backup->items.left != 0)
		return wrong(place_at(backup->items.offset, "header backup"), "%zu bytes after the last item, not 0", backup->items.left);
	return true;
}

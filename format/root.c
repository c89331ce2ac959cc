/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Checks the items that say where a tree is and what a subvolume is called. */
#include "format/root.h"

#include <inttypes.h>

#define corrupt_at(kind, format, ...) \
	error_set(err, ERROR_CORRUPT, kind " at %#" PRIx64 ": " format, where, __VA_ARGS__)

static struct inode_time time_of(const struct disk_timespec *disk)
{
	return (struct inode_time){ (int64_t)le64(disk->sec), le32(disk->nsec) };
}

/* The name is only for people and for comparing: a byte that does not print becomes a question mark. */
static void read_tag(const uint8_t reserved[64], struct root *root)
{
	struct disk_crypt_tag tag;
	size_t len = 0;

	memcpy(&tag, reserved, sizeof(tag));
	while (len < sizeof(tag.algorithm) && tag.algorithm[len] != '\0') {
		const uint8_t c = tag.algorithm[len];

		root->algorithm[len++] = c >= 0x20 && c < 0x7f ? (char)c : '?';
	}
	root->algorithm[len] = '\0';
	root->key_len = le32(tag.key_len);
	root->key_hash = le32(tag.key_hash);
}

/* Reads the fields that items of 439 bytes have, but items of 239 bytes do not. */
static void read_rest(const struct disk_root_item *disk, struct root *root)
{
	root->has_v2 = le64(disk->generation_v2) == le64(disk->generation);
	memcpy(root->uuid, disk->uuid, UUID_SIZE);
	memcpy(root->parent_uuid, disk->parent_uuid, UUID_SIZE);
	memcpy(root->received_uuid, disk->received_uuid, UUID_SIZE);
	root->ctransid = le64(disk->ctransid);
	root->otransid = le64(disk->otransid);
	root->stransid = le64(disk->stransid);
	root->rtransid = le64(disk->rtransid);
	root->ctime = time_of(&disk->ctime);
	root->otime = time_of(&disk->otime);
	root->stime = time_of(&disk->stime);
	root->rtime = time_of(&disk->rtime);
	memcpy(root->reserved, disk->reserved, sizeof(root->reserved));
	read_tag(disk->reserved, root);
}

bool root_read(struct cursor *item, struct root *out, struct error *err)
{
	const size_t short_size = offsetof(struct disk_root_item, generation_v2);
	const uint64_t where = item->offset;
	const bool is_short = item->left == short_size;
	struct disk_root_item disk = { 0 };
	struct cursor rest = *item;

	if (!cursor_read(&rest, &disk, is_short ? short_size : sizeof(disk)))
		return corrupt_at("root item", "%zu bytes, not %zu or at least %zu", item->left, short_size,
				  sizeof(disk));

	struct root root = {
		.generation = le64(disk.generation),
		.bytenr = le64(disk.bytenr),
		.bytes_used = le64(disk.bytes_used),
		.last_snapshot = le64(disk.last_snapshot),
		.flags = le64(disk.flags),
		.dirid = le64(disk.root_dirid),
		.refs = le32(disk.refs),
		.drop_progress = key_from_disk(&disk.drop_progress),
		.level = disk.level,
		.is_short = is_short,
	};

	if (root.bytenr == 0 || root.bytenr % NODE_SIZE_MIN != 0)
		return corrupt_at("root item", "bytenr is %#" PRIx64 ", not a nonzero multiple of %u", root.bytenr,
				  NODE_SIZE_MIN);
	if (root.level >= LEVEL_MAX)
		return corrupt_at("root item", "level is %u, not 0 to %u", root.level, LEVEL_MAX - 1);
	if (!is_short)
		read_rest(&disk, &root);
	*item = (struct cursor){ rest.at + rest.left, 0, rest.offset + rest.left };	/* longer items come from later versions */
	*out = root;
	return true;
}

bool root_ref_read(struct cursor *item, struct root_ref *ref, struct error *err)
{
	const uint64_t where = item->offset;
	struct disk_root_ref disk;
	struct cursor name;

	if (!cursor_read(item, &disk, sizeof(disk)))
		return corrupt_at("root reference", "%zu bytes left, a header takes %zu", item->left, sizeof(disk));

	const size_t name_len = le16(disk.name_len);

	if (name_len == 0 || name_len > NAME_MAX_BYTES)
		return corrupt_at("root reference", "name_len is %zu, not 1 to %u", name_len, NAME_MAX_BYTES);
	if (name_len != item->left || !cursor_take(item, name_len, &name))
		return corrupt_at("root reference", "name_len is %zu, the item has %zu bytes left", name_len, item->left);

	*ref = (struct root_ref){
		.dirid = le64(disk.dirid),
		.sequence = le64(disk.sequence),
		.name = name,
	};
	return true;
}

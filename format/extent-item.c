/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Checks items of the extent tree, the block group tree and the free space tree. */
#include "format/extent-item.h"

#include <inttypes.h>

#define corrupt_at(kind, format, ...) \
	error_set(err, ERROR_CORRUPT, kind " at %#" PRIx64 ": " format, where, __VA_ARGS__)

/* Addresses are multiples of the sector size, which is at least this. */
static bool is_address(uint64_t logical)
{
	return logical != 0 && logical % NODE_SIZE_MIN == 0;
}

/* --- extents ------------------------------------------------------------------ */
#define corrupt(format, ...) corrupt_at("extent item", format, __VA_ARGS__)

static bool check_range(const struct key *key, uint64_t where, struct error *err)
{
	if (!is_address(key->objectid))
		return corrupt("address is %#" PRIx64 ", not a nonzero multiple of %u", key->objectid, NODE_SIZE_MIN);
	if (key->type == KEY_METADATA_ITEM) {
		if (key->offset >= LEVEL_MAX)
			return corrupt("level is %" PRIu64 ", not 0 to %u", key->offset, LEVEL_MAX - 1);
		return true;
	}
	if (key->type != KEY_EXTENT_ITEM)
		return corrupt("key type is %u, not %u or %u", key->type, KEY_EXTENT_ITEM, KEY_METADATA_ITEM);
	if (!is_address(key->offset))
		return corrupt("length is %#" PRIx64 ", not a nonzero multiple of %u", key->offset, NODE_SIZE_MIN);
	if (key->offset > UINT64_MAX - key->objectid)
		return corrupt("length is %#" PRIx64 ", past the end of addresses from %#" PRIx64, key->offset,
			       key->objectid);
	return true;
}

static bool read_block_info(struct cursor *item, uint64_t where, struct extent_item *extent, struct error *err)
{
	struct disk_tree_block_info disk;

	if (!cursor_read(item, &disk, sizeof(disk)))
		return corrupt("%zu bytes left, a tree block's information takes %zu", item->left, sizeof(disk));
	if (disk.level >= LEVEL_MAX)
		return corrupt("level is %u, not 0 to %u", disk.level, LEVEL_MAX - 1);
	extent->has_block_info = true;
	extent->first_key = key_from_disk(&disk.key);
	extent->level = disk.level;
	return true;
}

bool extent_item_read(struct cursor *item, const struct key *key, struct extent_item *out, struct error *err)
{
	const uint64_t where = item->offset;
	struct disk_extent_item disk;

	if (!check_range(key, where, err))
		return false;
	if (!cursor_read(item, &disk, sizeof(disk)))
		return corrupt("%zu bytes left, a header takes %zu", item->left, sizeof(disk));

	struct extent_item extent = {
		.refs = le64(disk.refs),
		.generation = le64(disk.generation),
		.flags = le64(disk.flags),
	};
	const uint64_t kind = extent.flags & (EXTENT_FLAG_DATA | EXTENT_FLAG_TREE_BLOCK);

	if (kind != EXTENT_FLAG_DATA && kind != EXTENT_FLAG_TREE_BLOCK)
		return corrupt("flags are %#" PRIx64 ", not either data or tree block", extent.flags);
	if (key->type == KEY_METADATA_ITEM) {
		if (kind != EXTENT_FLAG_TREE_BLOCK)
			return corrupt("flags are %#" PRIx64 ", data in a METADATA_ITEM", extent.flags);
		extent.level = (uint8_t)key->offset;
	} else if (kind == EXTENT_FLAG_TREE_BLOCK && !read_block_info(item, where, &extent, err)) {
		return false;
	}
	if (!cursor_take(item, item->left, &extent.inline_refs))
		return false;
	*out = extent;
	return true;
}
#undef corrupt

/* --- references ----------------------------------------------------------------- */
#define corrupt(format, ...) corrupt_at("extent reference", format, __VA_ARGS__)

static bool check_parent(uint64_t parent, uint64_t where, struct error *err)
{
	return is_address(parent) ||
	       corrupt("parent is %#" PRIx64 ", not a nonzero multiple of %u", parent, NODE_SIZE_MIN);
}

static bool read_number(struct cursor *refs, uint64_t where, uint64_t *number, struct error *err)
{
	struct le64 disk;

	if (!cursor_read(refs, &disk, sizeof(disk)))
		return corrupt("%zu bytes left, not %zu", refs->left, sizeof(disk));
	*number = le64(disk);
	return true;
}

static bool read_count(struct cursor *refs, uint64_t where, struct extent_ref *ref, struct error *err)
{
	struct disk_shared_data_ref disk;

	if (!cursor_read(refs, &disk, sizeof(disk)))
		return corrupt("%zu bytes left, a shared data reference takes %zu", refs->left, sizeof(disk));
	ref->count = le32(disk.count);
	return ref->count > 0 || corrupt("count is 0, not at least %d", 1);
}

static bool read_data_ref(struct cursor *refs, uint64_t where, struct extent_ref *ref, struct error *err)
{
	struct disk_extent_data_ref disk;

	if (!cursor_read(refs, &disk, sizeof(disk)))
		return corrupt("%zu bytes left, a data reference takes %zu", refs->left, sizeof(disk));
	ref->root = le64(disk.root);
	ref->objectid = le64(disk.objectid);
	ref->offset = le64(disk.offset);
	ref->count = le32(disk.count);
	return ref->count > 0 || corrupt("count is 0, not at least %d", 1);
}

bool extent_ref_next(struct cursor *refs, struct extent_ref *out, struct error *err)
{
	const uint64_t where = refs->offset;
	struct extent_ref ref = { 0 };
	bool ok;

	if (!cursor_read(refs, &ref.type, sizeof(ref.type)))
		return corrupt("0 bytes left, a type takes %d", 1);
	switch (ref.type) {
	case KEY_TREE_BLOCK_REF:
		ref.count = 1;
		ok = read_number(refs, where, &ref.root, err);
		break;
	case KEY_EXTENT_OWNER_REF:
		ok = read_number(refs, where, &ref.root, err);
		break;
	case KEY_SHARED_BLOCK_REF:
		ref.count = 1;
		ok = read_number(refs, where, &ref.parent, err) && check_parent(ref.parent, where, err);
		break;
	case KEY_SHARED_DATA_REF:
		ok = read_number(refs, where, &ref.parent, err) && check_parent(ref.parent, where, err) &&
		     read_count(refs, where, &ref, err);
		break;
	case KEY_EXTENT_DATA_REF:
		ok = read_data_ref(refs, where, &ref, err);
		break;
	default:
		return corrupt("type is %u, not that of a reference", ref.type);
	}
	if (ok)
		*out = ref;
	return ok;
}

bool extent_ref_read(struct cursor *item, const struct key *key, struct extent_ref *out, struct error *err)
{
	const uint64_t where = item->offset;
	struct extent_ref ref = { .type = key->type };
	bool ok;

	switch (key->type) {
	case KEY_TREE_BLOCK_REF:
		ref.root = key->offset;
		ref.count = 1;
		ok = true;
		break;
	case KEY_EXTENT_OWNER_REF:
		ok = read_number(item, where, &ref.root, err);
		break;
	case KEY_SHARED_BLOCK_REF:
		ref.parent = key->offset;
		ref.count = 1;
		ok = check_parent(ref.parent, where, err);
		break;
	case KEY_SHARED_DATA_REF:
		ref.parent = key->offset;
		ok = check_parent(ref.parent, where, err) && read_count(item, where, &ref, err);
		break;
	case KEY_EXTENT_DATA_REF:
		ok = read_data_ref(item, where, &ref, err);
		break;
	default:
		return corrupt("key type is %u, not that of a reference", key->type);
	}
	if (!ok)
		return false;
	if (item->left != 0)
		return corrupt("%zu bytes follow it", item->left);
	*out = ref;
	return true;
}
#undef corrupt

/* --- block groups and their free space --------------------------------------------- */
bool block_group_read(struct cursor *item, const struct key *key, struct block_group *out, struct error *err)
{
	const uint64_t where = item->offset;
	struct disk_block_group disk;

	if (item->left != sizeof(disk) || !cursor_read(item, &disk, sizeof(disk)))
		return corrupt_at("block group item", "%zu bytes, not %zu", item->left, sizeof(disk));

	const struct block_group group = { le64(disk.used), le64(disk.chunk_objectid), le64(disk.flags) };

	if (key->offset == 0 || key->offset > UINT64_MAX - key->objectid)
		return corrupt_at("block group item", "length is %#" PRIx64 " from %#" PRIx64 ", 0 or past the end",
				  key->offset, key->objectid);
	if (group.used > key->offset)
		return corrupt_at("block group item", "used is %#" PRIx64 ", the length is %#" PRIx64, group.used,
				  key->offset);
	if (!(group.flags & GROUP_TYPE_MASK))
		return corrupt_at("block group item", "flags are %#" PRIx64 ", neither data, system nor metadata",
				  group.flags);
	*out = group;
	return true;
}

bool free_space_info_read(struct cursor *item, struct free_space_info *out, struct error *err)
{
	const uint64_t where = item->offset;
	struct disk_free_space_info disk;

	if (item->left != sizeof(disk) || !cursor_read(item, &disk, sizeof(disk)))
		return corrupt_at("free space info", "%zu bytes, not %zu", item->left, sizeof(disk));

	const struct free_space_info info = { le32(disk.extent_count), le32(disk.flags) };

	if (info.flags & ~FREE_SPACE_USING_BITMAPS)
		return corrupt_at("free space info", "flags are %#x, not 0 or %u", info.flags, FREE_SPACE_USING_BITMAPS);
	*out = info;
	return true;
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Crypt items that are lists: inode flags, units, inline units, index, bad blocks. */
#include "format/crypt-check.h"

bool crypt_inode_flags_next(struct cursor *item, struct crypt_inode_flags *flags, struct error *err)
{
	const struct place place = { ERROR_CORRUPT, "crypt inode flags", item->offset };
	const uint64_t known = INODE_IMMUTABLE | INODE_RO_VERITY;
	struct disk_crypt_inode_flags disk;

	if (!cursor_read(item, &disk, sizeof(disk)))
		return wrong(place, "%zu bytes left, an entry takes %zu", item->left, sizeof(disk));

	const uint64_t member = le64(disk.member), bits = le64(disk.flags);

	if (!is_subvolume_id(member))
		return wrong(place, "member is %" PRIu64 ", no subvolume has that id", member);
	if (bits == 0 || (bits & ~known) != 0)
		return wrong(place, "flags are %#" PRIx64 ", not one or both of %#" PRIx64, bits, known);

	*flags = (struct crypt_inode_flags){ .member = member, .inode = le64(disk.inode), .flags = bits };
	return true;
}

/* Checks U: cipher and reserved fields, then the place in the extent. No sum is formed that could wrap. */
static bool u_check(const struct disk_crypt_u *u, struct place place, struct error *err)
{
	const uint64_t unit_id = le64(u->unit_id);
	const uint64_t extent_len = le64(u->extent_len);
	const uint64_t offset = le64(u->offset_in_extent);
	const uint32_t blocks = le32(u->blocks);

	if (!cipher_known(u->cipher))
		return wrong(place, "cipher is %u, not 1 or 2", u->cipher);
	if (u->flags != 0)
		return wrong(place, "flags are %#x, not 0", u->flags);
	if (le16(u->zero) != 0)
		return wrong(place, "reserved bytes are %#x, not 0", le16(u->zero));
	if (unit_id % CRYPT_BLOCK != 0)
		return wrong(place, "unit_id is %#" PRIx64 ", not a multiple of %u", unit_id, CRYPT_BLOCK);
	if (blocks == 0 || blocks > CRYPT_UNIT_BLOCKS_MAX)
		return wrong(place, "blocks is %" PRIu32 ", not 1 to %u", blocks, CRYPT_UNIT_BLOCKS_MAX);
	if (extent_len == 0 || extent_len % CRYPT_BLOCK != 0)
		return wrong(place, "extent_len is %#" PRIx64 ", not a multiple of %u above 0", extent_len, CRYPT_BLOCK);
	if (offset % CRYPT_BLOCK != 0 || offset >= extent_len)
		return wrong(place, "offset_in_extent is %#" PRIx64 ", not a multiple of %u below extent_len %#" PRIx64,
			     offset, CRYPT_BLOCK, extent_len);
	if ((uint64_t)blocks * CRYPT_BLOCK > extent_len - offset)
		return wrong(place, "blocks is %" PRIu32 ", the extent has %" PRIu64 " after offset_in_extent", blocks,
			     (extent_len - offset) / CRYPT_BLOCK);
	if (unit_id < offset || unit_id - offset > UINT64_MAX - extent_len)
		return wrong(place, "unit_id is %#" PRIx64 ", no extent of %#" PRIx64 " bytes has that at %#" PRIx64,
			     unit_id, extent_len, offset);
	return true;
}

bool crypt_unit_next(struct cursor *item, size_t item_size, struct crypt_unit *unit, struct error *err)
{
	const struct place place = { ERROR_CORRUPT, "crypt unit", item->offset };
	const size_t at = item_size - item->left;
	struct disk_crypt_unit disk;
	struct cursor tags;

	assert(item->left <= item_size);
	if (!cursor_read(item, &disk, sizeof(disk)))
		return wrong(place, "%zu bytes left, a unit takes %zu and its tags", item->left, sizeof(disk));
	if (!u_check(&disk.u, place, err))
		return false;

	const uint32_t blocks = le32(disk.u.blocks);

	if (!cursor_take(item, (size_t)blocks * CRYPT_TAG_SIZE, &tags))
		return wrong(place, "blocks is %" PRIu32 ", the item has %zu bytes left for tags", blocks, item->left);

	*unit = (struct crypt_unit){
		.u = disk.u,
		.cipher = disk.u.cipher,
		.unit_id = le64(disk.u.unit_id),
		.blocks = blocks,
		.extent_len = le64(disk.u.extent_len),
		.offset_in_extent = le64(disk.u.offset_in_extent),
		.sealed = !all_zero(disk.u.nonce, sizeof(disk.u.nonce)),
		.root = le64(disk.root),
		.inode = le64(disk.inode),
		.file_offset = le64(disk.file_offset),
		.address = le64(disk.address),
		.at = at,
		.tags = tags.at,
	};
	memcpy(unit->first, disk.first, sizeof(unit->first));
	return true;
}

bool crypt_inline_unit_next(struct cursor *item, struct crypt_inline_unit *unit, struct error *err)
{
	const struct place place = { ERROR_CORRUPT, "crypt inline unit", item->offset };
	struct disk_crypt_inline_unit disk;

	if (!cursor_read(item, &disk, sizeof(disk)))
		return wrong(place, "%zu bytes left, an inline unit takes %zu", item->left, sizeof(disk));

	const uint64_t root = le64(disk.i.root);
	const uint32_t length = le32(disk.i.length);

	if (!cipher_known(disk.i.cipher))
		return wrong(place, "cipher is %u, not 1 or 2", disk.i.cipher);
	if (disk.i.kind < INLINE_DATA || disk.i.kind > INLINE_VERITY_MERKLE)
		return wrong(place, "kind is %u, not 1 to 4", disk.i.kind);
	if (le16(disk.i.zero) != 0)
		return wrong(place, "reserved bytes are %#x, not 0", le16(disk.i.zero));
	if (!is_subvolume_id(root))
		return wrong(place, "root is %" PRIu64 ", no subvolume has that id", root);
	if (length == 0 || length > NODE_SIZE_MAX)
		return wrong(place, "length is %" PRIu32 ", not 1 to %u", length, NODE_SIZE_MAX);

	*unit = (struct crypt_inline_unit){
		.disk = disk,
		.cipher = disk.i.cipher,
		.kind = disk.i.kind,
		.root = root,
		.inode = le64(disk.i.inode),
		.offset = le64(disk.i.offset),
		.length = length,
		.sealed = !all_zero(disk.i.nonce, sizeof(disk.i.nonce)),
	};
	return true;
}

bool crypt_index_next(struct cursor *item, struct crypt_index_entry *entry, struct error *err)
{
	const struct place place = { ERROR_CORRUPT, "crypt index", item->offset };
	struct disk_crypt_index_entry disk;

	if (!cursor_read(item, &disk, sizeof(disk)))
		return wrong(place, "%zu bytes left, an entry takes %zu", item->left, sizeof(disk));
	*entry = (struct crypt_index_entry){ .inode = le64(disk.inode), .hint = le64(disk.hint) };
	memcpy(entry->mac, disk.mac, sizeof(entry->mac));
	return true;
}

void crypt_index_write(const struct crypt_index_entry *entry, struct disk_crypt_index_entry *disk)
{
	*disk = (struct disk_crypt_index_entry){ .inode = to_le64(entry->inode), .hint = to_le64(entry->hint) };
	memcpy(disk->mac, entry->mac, sizeof(disk->mac));
}

bool crypt_bad_block_next(struct cursor *item, struct crypt_bad_block *bad, struct error *err)
{
	const struct place place = { ERROR_CORRUPT, "crypt bad block", item->offset };
	struct disk_crypt_bad_block disk;

	if (!cursor_read(item, &disk, sizeof(disk)))
		return wrong(place, "%zu bytes left, an entry takes %zu", item->left, sizeof(disk));

	const uint64_t unit_id = le64(disk.unit_id);
	const uint32_t block = le32(disk.block), what = le32(disk.what);

	if (unit_id % CRYPT_BLOCK != 0)
		return wrong(place, "unit_id is %#" PRIx64 ", not a multiple of %u", unit_id, CRYPT_BLOCK);
	if (block >= CRYPT_UNIT_BLOCKS_MAX)
		return wrong(place, "block is %" PRIu32 ", not 0 to %u", block, CRYPT_UNIT_BLOCKS_MAX - 1);
	if (what != BAD_CARRIED && what != BAD_SKIPPED)
		return wrong(place, "what is %" PRIu32 ", not 1 or 2", what);
	*bad = (struct crypt_bad_block){ unit_id, block, (enum crypt_bad)what };
	return true;
}

void crypt_bad_block_write(const struct crypt_bad_block *bad, struct disk_crypt_bad_block *disk)
{
	*disk = (struct disk_crypt_bad_block){ to_le64(bad->unit_id), to_le32(bad->block), to_le32(bad->what) };
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Phase LEAVES: inline payloads and fields of extents of the format of 2016, whole leaves at a time. */
#include <inttypes.h>

#include "common/convert/legacy-run.h"
#include "common/util/take.h"

/* Is there something in the leaf that is to be converted? Then *file_extent is its fields, and item where it begins. */
static bool is_wanted(struct legacy_run *run, const struct scan_block *at, const struct block *block, uint32_t slot, bool *wanted,
		      struct file_extent *e, struct error *err)
{
	const struct key key = node_key(&block->node, slot);
	struct cursor item = leaf_item(&block->node, slot);
	const struct legacy_inode *inode;

	*wanted = false;
	if (key.type != KEY_EXTENT_DATA)
		return true;
	if (!legacy_inode_of(run, at->member, key.objectid, &inode, err) ||
	    !file_extent_read(&item, key.offset, run->volume->super.sector_size, e, err))
		return false;
	*wanted = legacy_extent_is_ours(run, inode, e) && (legacy_extent_mark(e) != 0) == legacy_is_undoing(run);
	return true;
}

static bool convert_item(struct legacy_run *run, const struct scan_block *at, struct block *block, uint32_t slot, const struct file_extent *e,
			 struct error *err)
{
	uint8_t *const bytes = block->bytes + leaf_item_at(&block->node, slot);
	const struct key key = node_key(&block->node, slot);
	const bool undoing = legacy_is_undoing(run);
	const struct legacy_inode *inode;
	struct disk_file_extent disk;

	memcpy(&disk, bytes, FILE_EXTENT_INLINE_HEADER);
	if (e->type == FILE_EXTENT_INLINE &&
	    (!legacy_inode_of(run, at->member, key.objectid, &inode, err) ||
	     !(undoing ? legacy_encrypt : legacy_decrypt)(run->ciphers, inode->iv, bytes + FILE_EXTENT_INLINE_HEADER, e->payload.left, true, err)))
		return false;
	disk.compression = undoing ? COMPRESS_ENCRYPTED : COMPRESS_NONE;
	disk.encryption = undoing ? le16(disk.other_encoding) - LEGACY_MARK : 0;
	disk.other_encoding = to_le16(undoing ? 0 : LEGACY_MARK + e->encryption);
	memcpy(bytes, &disk, FILE_EXTENT_INLINE_HEADER);
	return true;
}

static bool convert_leaf(struct legacy_run *run, struct transaction *tx, const struct scan_block *at, struct block *block, struct error *err)
{
	for (uint32_t slot = 0; slot < block->node.n_items; slot++) {
		struct file_extent e;
		bool wanted;

		if (!is_wanted(run, at, block, slot, &wanted, &e, err))
			return error_prefix(err, "tree block %" PRIu64 ": item %" PRIu32, at->logical, slot);
		if (wanted && (!transaction_edit(tx, block, err) || !convert_item(run, at, block, slot, &e, err)))
			return false;
	}
	return true;
}

bool legacy_leaves_convert(struct legacy_run *run, struct error *err)
{
	const bool undoing = legacy_is_undoing(run);
	const uint64_t start = run->at.cursor;
	struct transaction *tx;
	uint64_t done = 0;
	bool ok;

	if (!transaction_begin(run->volume, run->allocator, &tx, err))
		return false;
	for (size_t n = 0; n < run->scan->n_blocks; n++) {
		const struct scan_block *const at = &run->scan->block[undoing ? n : run->scan->n_blocks - 1 - n];
		cleanup_block struct block *block = NULL;

		if (at->level != 0 || (at->logical < start) == undoing)
			continue;
		ok = (legacy_has_room(run, tx, 1, 0, 0) ||
		      legacy_commit_step(run, &tx, CRYPT_PHASE_LEAVES, undoing ? at->logical : at->logical + 1, NULL, err)) &&
		     scan_block_get(run->scan, at, &block, err) && convert_leaf(run, tx, at, block, err);
		if (!ok) {
			if (tx)
				transaction_drop(tx);
			return false;
		}
		legacy_progress(run, CRYPT_PHASE_LEAVES, ++done, run->scan->n_leaves);
	}
	return legacy_commit(run, tx, CRYPT_PHASE_LEAVES, undoing ? UINT64_MAX : 0, NULL, err);
}

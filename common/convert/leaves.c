/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Phase LEAVES: converts marks, inode flags and inline payloads of the members' leaves, whole leaves at a time. */
#include "common/convert/leaves.h"

#include <inttypes.h>
#include <sys/stat.h>

#include "common/convert/commit.h"
#include "common/convert/conversion.h"
#include "common/convert/leaf-payload.h"
#include "common/convert/rekey-payload.h"
#include "common/sealed/pack.h"
#include "common/util/take.h"

struct leaves {
	struct conversion *c;
	struct transaction *tx;
	struct mode_memory mode;
	uint64_t ordinal;	/* making a sealing: the next inline unit */
	bool fresh;		/* making a sealing: nonces are drawn */
	uint64_t start;		/* the cursor at the beginning of the phase */
};

/* --- one leaf -------------------------------------------------------------------------------------- */

static void convert_inode(const struct leaves *leaves, const struct scan_block *at, uint64_t number, uint8_t *bytes, size_t len)
{
	const struct conversion *c = leaves->c;
	struct disk_inode_item disk;

	if (len != sizeof(disk))
		return;
	memcpy(&disk, bytes, sizeof(disk));
	if (!S_ISREG(le32(disk.mode)))
		return;

	const uint64_t member = c->flags_member ? c->flags_member[at->member] : c->scan->member[at->member];
	const struct crypt_inode_flags *had = inode_flags_find(c->flags, c->n_flags, member, number);

	disk.flags = to_le64(conversion_to(c)->inode_flags(le64(disk.flags), had ? had->flags : 0));
	memcpy(bytes, &disk, sizeof(disk));
}

static void convert_mark(const struct leaves *leaves, uint8_t *bytes, size_t len)
{
	const struct conversion *c = leaves->c;
	struct disk_file_extent disk;
	struct unit_group group;

	if (len != sizeof(disk))
		return;
	memcpy(&disk, bytes, sizeof(disk));
	if (disk.type != FILE_EXTENT_REG || le64(disk.disk_bytenr) == 0)
		return;

	/* On the way to plain text the units may be gone already. */
	const bool has_unit = leaves->fresh || (conversion_to(c)->is_sealed && unit_map_at(c->units, le64(disk.disk_bytenr), &group));

	disk.other_encoding = to_le16(conversion_to(c)->mark(le16(disk.other_encoding), has_unit));
	memcpy(bytes, &disk, sizeof(disk));
}

static bool convert_item(struct leaves *leaves, const struct scan_block *at, struct block *block, uint32_t slot, struct error *err)
{
	struct conversion *c = leaves->c;
	const struct key key = node_key(&block->node, slot);
	const struct cursor item = leaf_item(&block->node, slot);
	uint8_t *bytes = block->bytes + leaf_item_at(&block->node, slot);
	struct inline_payload payload;
	uint32_t mode = 0;

	if (key.type == KEY_INODE_ITEM) {
		convert_inode(leaves, at, key.objectid, bytes, item.left);
		return true;
	}
	if (!inline_payload_of(&key, item, mode, &payload)) {
		if (key.type == KEY_EXTENT_DATA)
			convert_mark(leaves, bytes, item.left);
		return true;
	}
	if (key.type == KEY_EXTENT_DATA) {
		if (!inode_mode(&leaves->mode, &c->scan->tree[at->member], key.objectid, &mode, err))
			return false;
		(void)inline_payload_of(&key, item, mode, &payload);
	}
	bytes += item.left - payload.bytes.left;
	if (conversion_is_rekey(c))
		return leaves->fresh ? payload_rekey(c, leaves->tx, &leaves->ordinal, at, &payload, bytes, err) : rekey_payload_back(c, at, &payload, bytes, err);
	return leaves->fresh ? payload_seal(c, leaves->tx, &leaves->ordinal, &payload, bytes, err) : payload_turn(c, at, &payload, bytes, err);
}

/* Is there nothing left over between the items of this leaf? */
static bool gap_is_clear(const struct block *block)
{
	uint32_t at, len = node_gap(&block->node, &at);

	for (uint32_t i = 0; i < len; i++) {
		if (block->bytes[at + i] != 0)
			return false;
	}
	return true;
}

/* Does this leaf have nothing that the conversion changes? */
static bool leaf_is_untouched(const struct block *block)
{
	if (!gap_is_clear(block))
		return false;
	for (uint32_t slot = 0; slot < block->node.n_items; slot++) {
		const uint8_t type = node_key(&block->node, slot).type;

		if (type == KEY_INODE_ITEM || type == KEY_EXTENT_DATA || type == KEY_VERITY_DESC || type == KEY_VERITY_MERKLE)
			return false;
	}
	return true;
}

static bool count_payload(void *context, const struct scan_block *at, const struct inline_payload *payload, struct error *err)
{
	uint64_t *n = context;

	(void)at, (void)payload, (void)err;
	(*n)++;
	return true;
}

static bool convert_leaf(struct leaves *leaves, const struct scan_block *at, struct block *block, struct error *err)
{
	if (leaf_is_untouched(block))
		return true;
	if (!transaction_edit(leaves->tx, block, err))
		return false;
	for (uint32_t slot = 0; slot < block->node.n_items; slot++) {
		if (!convert_item(leaves, at, block, slot, err))
			return error_prefix(err, "tree block %" PRIu64 ": item %" PRIu32, at->logical, slot);
	}
	return true;
}

/* --- is it done? ---------------------------------------------------------------------------------------- */

static bool gap_holds(const struct conversion *c, const struct block *block, struct error *err)
{
	return (!conversion_to(c)->is_sealed && c->op.state.operation != CRYPT_OP_DECRYPT) || gap_is_clear(block) ||
	       error_set(err, ERROR_CORRUPT, "tree block %" PRIu64 ": old bytes between its items are back: a write to it was lost",
			 block->logical);
}

static bool item_holds(struct leaves *leaves, const struct scan_block *at, const struct block *block, uint32_t slot, bool *holds,
		       struct error *err)
{
	const struct key key = node_key(&block->node, slot);
	const struct cursor item = leaf_item(&block->node, slot);
	uint8_t converted[sizeof(struct disk_inode_item) > sizeof(struct disk_file_extent) ? sizeof(struct disk_inode_item) :
											     sizeof(struct disk_file_extent)];
	struct inline_payload payload;
	uint32_t mode = 0;

	*holds = true;
	if (inline_payload_of(&key, item, mode, &payload)) {
		if (key.type == KEY_EXTENT_DATA) {
			if (!inode_mode(&leaves->mode, &leaves->c->scan->tree[at->member], key.objectid, &mode, err))
				return false;
			(void)inline_payload_of(&key, item, mode, &payload);
		}
		return payload_holds(leaves->c, leaves->fresh, at, &payload, holds, err);
	}
	if (item.left > sizeof(converted))
		return true;
	memcpy(converted, item.at, item.left);
	if (key.type == KEY_INODE_ITEM)
		convert_inode(leaves, at, key.objectid, converted, item.left);
	else if (key.type == KEY_EXTENT_DATA)
		convert_mark(leaves, converted, item.left);
	*holds = memcmp(converted, item.at, item.left) == 0;
	return true;
}

static bool leaf_is_done(struct leaves *leaves, const struct scan_block *at, struct error *err)
{
	struct conversion *c = leaves->c;
	cleanup_block struct block *block = NULL;

	if (!scan_block_get(c->scan, at, &block, err) || !gap_holds(c, block, err))
		return false;
	for (uint32_t slot = 0; slot < block->node.n_items; slot++) {
		bool holds;

		if (!item_holds(leaves, at, block, slot, &holds, err))
			return false;
		if (!holds)
			return error_set(err, ERROR_CORRUPT, "tree block %" PRIu64 ": item %" PRIu32 " is not %s: a write to it "
				"was lost",
					 at->logical, slot, conversion_to(c)->name);
	}
	return true;
}

static bool begin_looking(struct conversion *c, struct leaves *leaves, struct error *err)
{
	*leaves = (struct leaves){ .c = c, .fresh = conversion_draws(c) };
	return c->inlines || inline_map_read(c->volume, c->header.domain, &c->inlines, err);
}

bool leaf_holds(struct conversion *c, const struct scan_block *at, struct error *err)
{
	struct leaves leaves;

	return begin_looking(c, &leaves, err) && leaf_is_done(&leaves, at, err);
}

bool leaves_hold(struct conversion *c, struct error *err)
{
	struct leaves leaves;

	if (!begin_looking(c, &leaves, err))
		return false;
	for (size_t i = 0; i < c->scan->n_blocks; i++)
		if (c->scan->block[i].level == 0 && !leaf_is_done(&leaves, &c->scan->block[i], err))
			return false;
	return true;
}

/* --- all of them ---------------------------------------------------------------------------------------- */

static bool next_leaf(struct leaves *leaves, const struct scan_block *at, struct error *err)
{
	struct conversion *c = leaves->c;
	const unsigned per_item = inline_units_per_item(c->volume->super.node_size);
	const bool forward = conversion_to(c)->is_forward;
	cleanup_block struct block *block = NULL;
	uint64_t n_payloads = 0;

	if (!scan_block_get(c->scan, at, &block, err))
		return false;
	if (leaves->fresh &&
	    !payloads_of_leaf(c->scan, at, block, &leaves->mode, count_payload, &n_payloads, err))
		return false;
	/* It was converted before the resume: only count its payloads. */
	if (leaves->fresh && at->logical < leaves->start) {
		leaves->ordinal += n_payloads;
		return true;
	}
	if (!conversion_has_room(c, leaves->tx, 1 + 2 + (size_t)n_payloads / per_item, 0, 0) &&
	    !conversion_commit_step(c, &leaves->tx, CRYPT_PHASE_LEAVES, forward ? at->logical : at->logical + 1, err))
		return false;
	return convert_leaf(leaves, at, block, err);
}

bool leaves_convert(struct conversion *c, struct error *err)
{
	const bool forward = conversion_to(c)->is_forward;
	struct leaves leaves = {
		.c = c,
		.fresh = conversion_draws(c),
		.start = c->cursor,
	};
	size_t done = 0;
	bool ok = false;

	if (!c->inlines && !inline_map_read(c->volume, c->header.domain, &c->inlines, err))
		return false;
	if (!transaction_begin(c->volume, c->allocator, &leaves.tx, err))
		return false;
	for (size_t i = 0; i < c->scan->n_blocks; i++) {
		const struct scan_block *at = &c->scan->block[forward ? i : c->scan->n_blocks - 1 - i];

		if (at->level != 0)
			continue;
		if (forward ? at->logical < leaves.start && !leaves.fresh : at->logical >= leaves.start)
			continue;
		if (!next_leaf(&leaves, at, err))
			goto out;
		if (++done % 256 == 0)
			conversion_progress(c, done, c->scan->n_leaves);
	}
	ok = conversion_commit(c, TAKE(leaves.tx), CRYPT_PHASE_LEAVES, forward ? UINT64_MAX : 0, err);
out:
	if (leaves.tx)
		transaction_drop(leaves.tx);
	return ok;
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Phase LEAVES: converts marks, inode flags and inline payloads of the members' leaves, whole leaves at a time. */
#include "common/convert/leaves.h"

#include <inttypes.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "common/convert/commit.h"
#include "common/convert/conversion.h"
#include "common/convert/rekey-payload.h"
#include "common/sealed/pack.h"
#include "common/util/take.h"
#include "common/volume/csum.h"

#define SHORT_PAYLOAD 8u	/* bytes; longer ciphertexts never collide */
#define DRAWS_MAX 1024u		/* attempts for a nonce */

struct leaves {
	struct conversion *c;
	struct transaction *tx;
	struct mode_memory mode;
	uint64_t ordinal;	/* making a sealing: the next inline unit */
	bool fresh;		/* making a sealing: nonces are drawn */
	uint64_t start;		/* the cursor at the beginning of the phase */
};

/* --- one payload -------------------------------------------------------------------------------- */

static uint8_t *inline_in_item(struct leaves *leaves, uint64_t ordinal, struct error *err)
{
	struct conversion *c = leaves->c;
	const unsigned per_item = inline_units_per_item(c->volume->super.node_size);
	const struct key key = crypt_key(c->header.domain, CRYPT_INLINE_UNITS, ordinal / per_item);
	const size_t at = sizeof(struct disk_crypt_head) + ordinal % per_item * sizeof(struct disk_crypt_inline_unit);
	uint8_t *data;
	uint32_t len;

	if (!tree_edit_item(leaves->tx, ROOT_TREE_ID, &key, &data, &len, err))
		return NULL;
	if (at + sizeof(struct disk_crypt_inline_unit) > len) {
		error_set(err, ERROR_CORRUPT, "the tag of inline item %" PRIu64 " has no place in its item", ordinal);
		return NULL;
	}
	return data + at;
}

/*
 * A tag tells which ciphertext belongs to its unit, but short ciphertexts often collide: two one-byte files with the same inode number in
 * two members would be mistaken for each other.
 */
static bool is_ambiguous(const struct conversion *c, const struct inline_payload *payload, const uint8_t *ciphertext, bool *ambiguous,
			 struct error *err)
{
	struct inline_payload sealed = *payload;
	struct crypt_inline_unit unit;

	sealed.bytes.at = ciphertext;
	sealed.root = 0;
	return inline_map_find(&(struct inline_search){ c->inlines, c->schedule, &sealed, PAYLOAD_SEALED, NULL }, &unit, ambiguous, err);
}

/* Draws a new nonce into i and makes ciphertext and tag. Draws again if the ciphertext of a short payload equals that of another unit. */
static bool draw(struct conversion *c, const struct inline_payload *payload, struct disk_crypt_inline_unit *unit, uint8_t *ciphertext,
		 struct error *err)
{
	const size_t len = payload->bytes.left;
	bool ambiguous = false;
	uint8_t csum[4];

	csum_compute(CSUM_CRC32C, payload->bytes.at, len, csum);
	/* With more members than a byte has values, not all can differ. Their roots tell them apart as long as their leaves stay. */
	for (unsigned tries = 0; tries < DRAWS_MAX && (tries == 0 || ambiguous); tries++) {
		cleanup_unit_cipher struct unit_cipher *cipher = NULL;

		if (!crypto_nonce(c->nonce_mac, &unit->i, offsetof(struct disk_crypt_i, nonce), csum, sizeof(csum), unit->i.nonce, err) ||
		    !unit_cipher_new(c->schedule, c->header.cipher, "inline", &unit->i, sizeof(unit->i), &cipher, err) ||
		    !unit_cipher_seal(cipher, 0, payload->bytes.at, len, ciphertext, unit->tag, err) ||
		    (len < SHORT_PAYLOAD && !is_ambiguous(c, payload, ciphertext, &ambiguous, err)))
			return false;
	}
	return true;
}

/* Writes the ciphertext to the leaf, and nonce and tag to the unit's place. */
static bool seal_fresh(struct leaves *leaves, const struct inline_payload *payload, uint8_t *bytes, struct error *err)
{
	struct conversion *c = leaves->c;
	uint8_t *place = inline_in_item(leaves, leaves->ordinal, err);
	struct disk_crypt_inline_unit unit;
	uint8_t *ciphertext;
	bool ok;

	if (!place)
		return false;
	memcpy(&unit, place, sizeof(unit));
	if (unit.i.kind != payload->kind || le64(unit.i.inode) != payload->inode || le64(unit.i.offset) != payload->offset ||
	    le32(unit.i.length) != payload->bytes.left)
		return error_set(err, ERROR_CORRUPT, "the tag of inline item %" PRIu64 " does not belong to inode %" PRIu64, leaves->ordinal,
			payload->inode);
	ciphertext = malloc(payload->bytes.left);
	if (!ciphertext)
		return error_memory(err);
	ok = draw(c, payload, &unit, ciphertext, err);
	if (ok) {
		memcpy(bytes, ciphertext, payload->bytes.left);
		memcpy(place, &unit, sizeof(unit));
		leaves->ordinal++;
	}
	free(ciphertext);
	return ok;
}

/* Opened with the old key, and sealed with the new one. */
static bool rekey_fresh(struct leaves *leaves, const struct scan_block *at, const struct inline_payload *payload, uint8_t *bytes, struct error *err)
{
	struct inline_payload opened = *payload;
	uint8_t *plain = malloc(payload->bytes.left);
	const bool ok = plain ? rekey_payload_open(leaves->c, at, &opened, plain, err) && seal_fresh(leaves, &opened, bytes, err) : error_memory(err);

	wiped_free(plain, payload->bytes.left);
	return ok;
}

/* Turns a payload that already has its unit to the other side. */
static bool turn_known(struct leaves *leaves, const struct scan_block *at, struct inline_payload *payload, uint8_t *bytes,
		       struct error *err)
{
	struct conversion *c = leaves->c;
	const struct side *from = conversion_to(c)->other;
	struct crypt_inline_unit unit;
	uint8_t *other = malloc(payload->bytes.left);
	bool found, had = false, left_out = false, ok = false;

	const struct inline_search search = { c->inlines, c->schedule, payload, from->is_sealed ? PAYLOAD_SEALED : PAYLOAD_PLAIN, other };

	if (!other)
		return error_memory(err);
	/*
	 * A plain payload does not say which unit it has. It must be the unit of its own leaf again, not that of a snapshot's copy of the
	 * leaf.
	 */
	payload->root = c->flags_member ? c->flags_member[at->member] : c->scan->member[at->member];
	if (!inline_map_find(&search, &unit, &found, err) ||
	    (!found && (!inline_map_has(c->inlines, payload, &had, err) ||
			!payload_is_left_out(c->scan, at, payload, &left_out, err))))
		goto out;
	/*
	 * When unsealing, a payload without a unit was written later and stays, if that was accepted at the beginning. Otherwise the unit
	 * was changed since. In both directions, what the next mount will delete stays as it is: nothing vouched for it.
	 */
	if (found)
		memcpy(bytes, other, payload->bytes.left);
	ok = found || left_out || (from->is_sealed && !had && le32(c->op.state.flags) & CRYPT_STATE_ACCEPTED) ||
	     error_set(err, ERROR_CORRUPT, "inode %" PRIu64 ": an inline payload %s", payload->inode,
		       from->payload_fails);
out:
	wiped_free(other, payload->bytes.left);
	return ok;
}

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
		return leaves->fresh ? rekey_fresh(leaves, at, &payload, bytes, err) : rekey_payload_back(c, at, &payload, bytes, err);
	return leaves->fresh ? seal_fresh(leaves, &payload, bytes, err) : turn_known(leaves, at, &payload, bytes, err);
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

/* Is a payload on the side where the conversion leaves it? */
static bool payload_holds(const struct leaves *leaves, const struct scan_block *at, struct inline_payload *payload, bool *holds, struct error *err)
{
	struct conversion *c = leaves->c;
	const bool sealed = conversion_to(c)->is_sealed;
	const enum payload_form side = sealed ? PAYLOAD_SEALED : PAYLOAD_PLAIN, other = sealed ? PAYLOAD_PLAIN : PAYLOAD_SEALED;
	struct crypt_inline_unit unit;
	bool had = false, left_out = false, other_side = false;

	if (conversion_is_rekey(c))
		return rekey_payload_holds(c, at, payload, holds, err);
	payload->root = c->flags_member ? c->flags_member[at->member] : c->scan->member[at->member];
	if (!inline_map_find(&(struct inline_search){ c->inlines, c->schedule, payload, side, NULL }, &unit, holds, err) || *holds)
		return *holds;
	if (!leaves->fresh && !payload_is_left_out(c->scan, at, payload, &left_out, err))
		return false;
	/* It was skipped, so it is on neither side. */
	if (left_out && !inline_map_find(&(struct inline_search){ c->inlines, c->schedule, payload, other, NULL }, &unit, &other_side, err))
		return false;
	*holds = left_out && !other_side;
	if (*holds || sealed)
		return true;
	/* A payload that an encryption had not reached, or that was written later and accepted, stays as it was. */
	if (!inline_map_has(c->inlines, payload, &had, err))
		return false;
	*holds = !had && (c->op.state.operation == CRYPT_OP_ENCRYPT || le32(c->op.state.flags) & CRYPT_STATE_ACCEPTED);
	return true;
}

/* An encryption that is undone may not have reached this leaf. Then the leaf is as it was. */
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
		return payload_holds(leaves, at, &payload, holds, err);
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

bool leaves_hold(struct conversion *c, struct error *err)
{
	struct leaves leaves = { .c = c, .fresh = conversion_draws(c) };

	if (!c->inlines && !inline_map_read(c->volume, c->header.domain, &c->inlines, err))
		return false;
	for (size_t i = 0; i < c->scan->n_blocks; i++) {
		const struct scan_block *at = &c->scan->block[i];
		cleanup_block struct block *block = NULL;

		if (at->level != 0)
			continue;
		if (!scan_block_get(c->scan, at, &block, err) || !gap_holds(c, block, err))
			return false;
		for (uint32_t slot = 0; slot < block->node.n_items; slot++) {
			bool holds;

			if (!item_holds(&leaves, at, block, slot, &holds, err))
				return false;
			if (!holds)
				return error_set(err, ERROR_CORRUPT, "tree block %" PRIu64 ": item %" PRIu32 " is not %s: a write to it "
					"was lost",
						 at->logical, slot, conversion_to(c)->name);
		}
	}
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

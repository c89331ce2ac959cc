/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Phase DATA: converts units batch by batch, forward into ciphertext or back into plain text. */
#include "common/convert/data.h"

#include <inttypes.h>
#include <stdlib.h>

#include "common/convert/bad-blocks.h"
#include "common/convert/batch.h"
#include "common/convert/commit.h"
#include "common/convert/conversion.h"
#include "common/convert/csum-update.h"
#include "common/convert/differing.h"
#include "common/convert/lost-record.h"
#include "common/convert/old-side.h"
#include "common/convert/state.h"
#include "common/convert/torn.h"
#include "common/convert/units-walk.h"
#include "common/volume/csum.h"
#include "common/volume/mirror.h"

/* The bytes of a unit, for editing; NULL with the error. */
static uint8_t *unit_in_item(struct batch *batch, uint64_t place, const struct crypt_unit *unit, struct error *err)
{
	const struct key key = crypt_key(batch->c->header.domain, CRYPT_UNITS, place >> 16);
	uint8_t *data;
	uint32_t len;

	if (!tree_edit_item(batch->tx, ROOT_TREE_ID, &key, &data, &len, err))
		return NULL;
	return data + unit->at;
}

bool unit_put(struct batch *batch, const struct crypt_unit *unit, uint64_t place, const struct disk_crypt_u *u, struct error *err)
{
	uint8_t *item = unit_in_item(batch, place, unit, err);

	if (!item)
		return false;
	memcpy(item + offsetof(struct disk_crypt_unit, u), u, sizeof(*u));
	if (!batch->block[0].keep)
		memcpy(item + offsetof(struct disk_crypt_unit, first), batch_data(batch), sizeof(unit->first));
	memcpy(item + sizeof(struct disk_crypt_unit), batch_tags(batch), (size_t)unit->blocks * CRYPT_TAG_SIZE);
	return true;
}

bool unit_skip_block(struct batch *batch, const struct crypt_unit *unit, uint64_t address, uint32_t i, struct error *err)
{
	batch->block[i].keep = true;
	return bad_block_add(batch->c, unit->unit_id, i, BAD_SKIPPED, address + (uint64_t)i * CRYPT_BLOCK, err);
}

bool unit_damaged_block(struct batch *batch, const struct crypt_unit *unit, const struct side *from, uint64_t address, uint32_t i,
			struct error *err)
{
	if (damage_skips(batch->c))
		return unit_skip_block(batch, unit, address, i, err);
	batch->damaged = true;
	error_set(err, ERROR_CORRUPT, "the %s at %#" PRIx64 " %s", from->block, address + (uint64_t)i * CRYPT_BLOCK, from->block_fails);
	return error_hint(err, "`convert %s --skip-damaged` leaves the damaged blocks as they are and converts everything else",
			  convert_options_to_go_on(batch->c->op.state.operation, batch->c->direction));
}

/* --- sealing for the first time ------------------------------------------------------------------------ */

static bool may_seal(struct batch *batch, const struct plain *plain, struct error *err)
{
	const struct convert_damage *damage = batch->c->ui ? &batch->c->ui->damage : NULL;

	if (plain->worst == PLAIN_RIGHT || (damage && (damage->skip || (damage->carry && plain->worst != PLAIN_UNREAD))))
		return true;
	batch->damaged = true;
	if (plain->worst == PLAIN_UNREAD) {
		error_set(err, ERROR_IO, "the data at %#" PRIx64 " cannot be read from any copy, and so cannot be sealed", plain->first);
		return error_hint(err, "--on-error=continue seals only what can be read; `convert --resume --skip-damaged` leaves such "
			"blocks as they are");
	}
	if (plain->worst == PLAIN_DIFFERS) {
		error_set(err, ERROR_CORRUPT, "the copies of the data at %#" PRIx64 ", which have no checksum, differ, and nothing tells which one is "
			  "right", plain->first);
		return error_hint(err, "`convert --resume --on-error=continue` seals one and overwrites the others; `convert --resume "
				  "--skip-damaged` leaves them as they are, not sealed");
	}
	error_set(err, ERROR_CORRUPT, "no copy of the data at %#" PRIx64 " matches its checksum", plain->first);
	return error_hint(err, "`convert --resume --on-error=continue` seals them anyway; their checksums stay as wrong as they are");
}

static bool seal_block(struct batch *batch, const struct unit_here *here, enum plain_state state, bool is_left, uint32_t i, struct error *err)
{
	uint8_t *block = batch_data(batch) + (size_t)i * CRYPT_BLOCK, *tag = batch_tags(batch) + (size_t)i * CRYPT_TAG_SIZE;
	const uint64_t at = here->address + (uint64_t)i * CRYPT_BLOCK, unit_id = here->unit->unit_id;

	if (state == PLAIN_UNREAD || is_left || (state != PLAIN_RIGHT && !damage_carries(batch->c))) {
		memset(tag, 0, CRYPT_TAG_SIZE);
		return unit_skip_block(batch, here->unit, here->address, i, err);
	}
	if (state == PLAIN_BAD) {
		batch->block[i].carry = true;
		if (!csum_delta(batch->c, at, block, batch->block[i].delta, err) || !bad_block_add(batch->c, unit_id, i, BAD_CARRIED, at, err))
			return false;
	}
	if (state == PLAIN_DIFFERS && !bad_block_tell_chosen(batch->c, unit_id, at, err))
		return false;
	return unit_cipher_seal(here->cipher, i, block, CRYPT_BLOCK, block, tag, err);
}

/* --- what was sealed before ----------------------------------------------------------------------------- */

/* A unit that has its tags, on its way to one of its two sides. */
struct turning {
	struct batch *batch;
	const struct crypt_unit *unit;
	struct unit_cipher *cipher;
	const struct old_unit *old;	/* while rekeying; otherwise NULL */
	uint64_t address;
	const struct side *to;
	bool is_read;	/* its data were read into the batch, from some mirror */
};

static struct sided_block block_of(const struct turning *t, uint32_t i)
{
	const size_t at = (size_t)i * CRYPT_TAG_SIZE;
	const struct old_unit *old = t->old;

	return (struct sided_block){ t->cipher, i, t->unit->tags + at, t->to, old ? old->cipher : NULL, old ? old->unit.tags + at : NULL };
}

/* Was block i read on its other side, so that it turns out right? The block is changed in any case. */
static bool turn_block(const struct turning *t, uint32_t i, uint8_t *block, bool *right, struct error *err)
{
	const struct sided_block sided = block_of(t, i);

	return t->to->other->read(&sided, block, block, right, err);
}

/*
 * Completes the block from any mirror that has either side or a mixture. A record that went bad, or a write that never arrived, may have
 * left it on any of them.
 */
static bool complete_block(const struct turning *t, uint32_t i, uint8_t *block, struct error *err)
{
	const uint64_t at = t->address + (uint64_t)i * CRYPT_BLOCK;
	const struct sided_block sided = block_of(t, i);
	struct batch *batch = t->batch;
	bool found = false;

	if (!torn_read(batch->c->volume, &sided, at, block, &found, err) &&
	    (err->kind != ERROR_IO || !damage_skips(batch->c)))
		return false;
	return found || unit_damaged_block(batch, t->unit, t->to->other, t->address, i, err);
}

/* The checksum of a block that was bad before sealing stays as far off as it was. */
static bool carry_block(const struct turning *t, uint32_t i, const uint8_t *block, struct error *err)
{
	struct batch_block *at = &t->batch->block[i];
	const struct sided_block sided = block_of(t, i);
	uint8_t other[CRYPT_BLOCK];
	bool right, ok;

	at->carry = true;
	ok = t->to->read(&sided, block, other, &right, err) &&
	     csum_delta(t->batch->c, t->address + (uint64_t)i * CRYPT_BLOCK, other, at->delta, err);
	secret_wipe(other, sizeof(other));
	return ok;
}

/*
 * For what a lost record had begun: does the stored checksum, from before or after that record, match neither side? Then the block was bad
 * before it was sealed, and stays bad.
 */
static bool was_bad(const struct turning *t, uint32_t i, const uint8_t *ciphertext, bool *was, struct error *err)
{
	struct conversion *c = t->batch->c;
	const enum csum_type type = c->volume->super.csum_type;
	uint8_t stored[CSUM_SIZE], other[CRYPT_BLOCK];
	bool has, right, ok;

	ok = unit_cipher_open(t->cipher, i, ciphertext, CRYPT_BLOCK, other, t->unit->tags + (size_t)i * CRYPT_TAG_SIZE, &right, err) &&
	     csum_get(c->volume, t->address + (uint64_t)i * CRYPT_BLOCK, stored, &has, err);
	*was = ok && has && !csum_matches(type, other, sizeof(other), stored) && !csum_matches(type, ciphertext, CRYPT_BLOCK, stored);
	secret_wipe(other, sizeof(other));
	return ok;
}

static bool turn_blocks(const struct turning *t, struct error *err)
{
	const bool was_lost = conversion_is_first_time(t->batch->c);
	struct batch *batch = t->batch;

	for (uint32_t i = 0; i < t->unit->blocks; i++) {
		const struct crypt_bad_block *bad = bad_block_find(batch->c, t->unit->unit_id, i);
		uint8_t *block = batch_data(batch) + (size_t)i * CRYPT_BLOCK;
		bool right = false, carries = bad != NULL;

		batch->block[i].keep = bad && bad->what == BAD_SKIPPED;
		if (batch->block[i].keep)
			continue;
		if ((t->is_read && !turn_block(t, i, block, &right, err)) || (!right && !complete_block(t, i, block, err)))
			return false;
		if (batch->block[i].keep)
			continue;
		if (was_lost && !bad && (!was_bad(t, i, block, &carries, err) ||
					 (carries && !bad_block_add(batch->c, t->unit->unit_id, i, BAD_CARRIED,
								     t->address + (uint64_t)i * CRYPT_BLOCK, err))))
			return false;
		if (carries && !carry_block(t, i, block, err))
			return false;
	}
	memcpy(batch_tags(batch), t->unit->tags, (size_t)t->unit->blocks * CRYPT_TAG_SIZE);
	return true;
}

/* old: while rekeying, the unit that its blocks have on the other side. */
static bool turn_unit(struct batch *batch, const struct crypt_unit *unit, uint64_t address, const struct old_unit *old, struct error *err)
{
	cleanup_unit_cipher struct unit_cipher *cipher = NULL;
	struct turning t = { .batch = batch, .unit = unit, .address = address, .old = old, .to = conversion_to(batch->c) };
	struct error unread;

	if (!unit_cipher_new(batch->c->schedule, unit->cipher, "unit", &unit->u, sizeof(unit->u), &cipher, err))
		return false;
	t.cipher = cipher;
	/* If the unit cannot be read at once, read it block by block. */
	t.is_read = volume_read(batch->c->volume, address, batch_data(batch), (size_t)unit->blocks * CRYPT_BLOCK, 0, &unread);
	return turn_blocks(&t, err);
}

/* Plain text becomes the ciphertext it was before, with the same nonce and tags. */
static bool reseal_unit(struct batch *batch, const struct crypt_unit *unit, uint64_t place, uint64_t address, struct error *err)
{
	(void)place;
	return turn_unit(batch, unit, address, NULL, err) && batch_add(batch, address, &unit->u, unit->blocks, NULL, err);
}

/*
 * With parity, writing beside a block makes parity anew from what is on the disks. A copy that was decided on and is only in parity is put in
 * place before.
 */
static bool settle_decided(struct conversion *c, uint64_t address, const uint8_t *bytes, uint32_t n_blocks, struct error *err)
{
	const struct chunk *chunk;
	unsigned mirror;
	bool is_known;

	if (c->differing.n == 0)
		return true;
	if (!volume_chunk(c->volume, address, &chunk, err))
		return false;
	for (uint32_t i = 0; chunk->type & GROUP_PARITY && i < n_blocks; i++, address += CRYPT_BLOCK, bytes += CRYPT_BLOCK) {
		if (differing_at(c, address, &mirror, &is_known) && mirror > 0 && (is_known || damage_carries(c)) &&
		    !volume_read_back(c->volume, address, bytes, CRYPT_BLOCK, err))
			return false;
	}
	return true;
}

/* Plain text becomes ciphertext under a nonce drawn here and now. A unit that a lost record had begun keeps its nonce. */
static bool seal_unit(struct batch *batch, const struct crypt_unit *unit, uint64_t place, uint64_t address, struct error *err)
{
	struct conversion *c = batch->c;
	cleanup_unit_cipher struct unit_cipher *cipher = NULL;
	uint8_t *data = batch_data(batch);
	struct disk_crypt_u u = unit->u;
	struct plain plain;

	if (lost_record_has_tags(c, place))
		return reseal_unit(batch, unit, place, address, err);
	if (!plain_read(c, address, data, (size_t)unit->blocks * CRYPT_BLOCK, &plain, err) || !may_seal(batch, &plain, err) ||
	    !settle_decided(c, address, data, unit->blocks, err) ||
	    !crypto_nonce(c->nonce_mac, &u.unit_id, sizeof(u.unit_id), plain.csums, plain.csums_len, u.nonce, err) ||
	    !unit_cipher_new(c->schedule, unit->cipher, "unit", &u, sizeof(u), &cipher, err))
		return false;

	const struct unit_here here = { cipher, unit, address };

	for (uint32_t i = 0; i < unit->blocks; i++) {
		if (!seal_block(batch, &here, plain.state[i], lost_record_leaves(c, place, i), i, err))
			return false;
	}
	return unit_put(batch, unit, place, &u, err) && batch_add(batch, address, &u, unit->blocks, NULL, err);
}

static bool unseal_unit(struct batch *batch, const struct crypt_unit *unit, uint64_t place, uint64_t address, struct error *err)
{
	if (!unit->sealed)
		return error_set(err, ERROR_CORRUPT, "the data recorded at %#" PRIx64 " were never sealed", unit->unit_id);
	if (!turn_unit(batch, unit, address, NULL, err))
		return false;
	/* A moved unit cannot be recognised by its ciphertext once it is plain, so record its address. */
	if (unit->address + unit->offset_in_extent != address) {
		uint8_t *item = unit_in_item(batch, place, unit, err);
		const struct le64 extent = to_le64(address - unit->offset_in_extent);

		if (!item)
			return false;
		memcpy(item + offsetof(struct disk_crypt_unit, address), &extent, sizeof(extent));
	}
	return batch_add(batch, address, &unit->u, unit->blocks, NULL, err);
}

/* Back to the ciphertext that it was under the old key, whose tags are still there. */
static bool rekey_back_unit(struct batch *batch, const struct crypt_unit *unit, uint64_t place, uint64_t address, struct error *err)
{
	struct old_unit old;
	bool ok;

	(void)place;
	if (!unit->sealed)
		return error_set(err, ERROR_CORRUPT, "the data recorded at %#" PRIx64 " were never sealed", unit->unit_id);
	ok = old_unit_open(batch->c, unit, address, &old, err) && turn_unit(batch, unit, address, &old, err) &&
	     batch_add(batch, address, &unit->u, unit->blocks, &old.unit, err);
	old_unit_close(&old);
	return ok;
}

/* --- all of them ---------------------------------------------------------------------------------------- */

bool data_seal(struct conversion *c, struct error *err)
{
	return data_seal_until(c, UNIT_PLACE_END, err);
}

bool data_seal_until(struct conversion *c, uint64_t place, struct error *err)
{
	return units_walk(c, place, seal_unit, err);
}

bool data_reseal(struct conversion *c, struct error *err)
{
	return units_walk(c, UNIT_PLACE_END, reseal_unit, err);
}

bool data_unseal(struct conversion *c, struct error *err)
{
	return units_walk(c, 0, conversion_is_rekey(c) ? rekey_back_unit : unseal_unit, err);
}

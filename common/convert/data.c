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
#include "common/convert/lost-record.h"
#include "common/convert/state.h"
#include "common/convert/torn.h"
#include "common/volume/csum.h"
#include "common/volume/mirror.h"

/* Does what one unit needs. address: where it is now. */
typedef bool unit_convert(struct batch *batch, const struct crypt_unit *unit, uint64_t place, uint64_t address, struct error *err);

static uint8_t *unit_in_item(struct batch *batch, uint64_t place, const struct crypt_unit *unit, struct error *err)
{
	const struct key key = crypt_key(batch->c->header.domain, CRYPT_UNITS, place >> 16);
	uint8_t *data;
	uint32_t len;

	if (!tree_edit_item(batch->tx, ROOT_TREE_ID, &key, &data, &len, err))
		return NULL;
	return data + unit->at;
}

/* Leaves block i as it was found, for good. */
static bool skip_block(struct batch *batch, const struct crypt_unit *unit, uint64_t address, uint32_t i, struct error *err)
{
	batch->block[i].keep = true;
	return bad_block_add(batch->c, unit->unit_id, i, BAD_SKIPPED, address + (uint64_t)i * CRYPT_BLOCK, err);
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
		return error_hint(err, "`convert --resume --on-error=continue` seals one and overwrites the other; `convert --resume "
				  "--skip-damaged` leaves both as they are, not sealed");
	}
	error_set(err, ERROR_CORRUPT, "no copy of the data at %#" PRIx64 " matches its checksum", plain->first);
	return error_hint(err, "`convert --resume --on-error=continue` seals them anyway; their checksums stay as wrong as they are");
}

static bool seal_block(struct batch *batch, struct unit_cipher *cipher, const struct crypt_unit *unit, const struct plain *plain, uint64_t place,
		       uint64_t address, uint32_t i, struct error *err)
{
	uint8_t *block = batch_data(batch) + (size_t)i * CRYPT_BLOCK, *tag = batch_tags(batch) + (size_t)i * CRYPT_TAG_SIZE;
	const uint64_t at = address + (uint64_t)i * CRYPT_BLOCK;

	if (plain->state[i] == PLAIN_UNREAD || lost_record_leaves(batch->c, place, i) ||
	    (plain->state[i] != PLAIN_RIGHT && !damage_carries(batch->c))) {
		memset(tag, 0, CRYPT_TAG_SIZE);
		return skip_block(batch, unit, address, i, err);
	}
	if (plain->state[i] == PLAIN_BAD) {
		batch->block[i].carry = true;
		if (!csum_delta(batch->c, at, block, batch->block[i].delta, err) ||
		    !bad_block_add(batch->c, unit->unit_id, i, BAD_CARRIED, at, err))
			return false;
	}
	if (plain->state[i] == PLAIN_DIFFERS && !bad_block_tell_chosen(batch->c, unit->unit_id, at, err))
		return false;
	return unit_cipher_seal(cipher, i, block, CRYPT_BLOCK, block, tag, err);
}

/* --- what was sealed before ----------------------------------------------------------------------------- */

/* A unit that has its tags, on its way to one of its two sides. */
struct turning {
	struct batch *batch;
	const struct crypt_unit *unit;
	struct unit_cipher *cipher;
	uint64_t address;
	const struct side *to;
	bool is_read;	/* its data were read into the batch, from some mirror */
};

/* Was block i read on its other side, so that it turns out right? The block is changed in any case. */
static bool turn_block(const struct turning *t, uint32_t i, uint8_t *block, bool *right, struct error *err)
{
	const uint8_t *tag = t->unit->tags + (size_t)i * CRYPT_TAG_SIZE;

	return side_other(t->to)->read(t->cipher, i, block, CRYPT_BLOCK, block, tag, right, err);
}

/*
 * Completes the block from any mirror that has either side or a mixture. A record that went bad, or a write that never arrived, may have
 * left it on any of them.
 */
static bool complete_block(const struct turning *t, uint32_t i, uint8_t *block, struct error *err)
{
	const struct side *from = side_other(t->to);
	struct batch *batch = t->batch;
	const uint64_t at = t->address + (uint64_t)i * CRYPT_BLOCK;
	const struct torn_block torn = { t->cipher, i, t->unit->tags + (size_t)i * CRYPT_TAG_SIZE, t->to };
	bool found = false;

	if (!torn_read(batch->c->volume, &torn, at, block, &found, err) &&
	    (err->kind != ERROR_IO || !damage_skips(batch->c)))
		return false;
	if (found)
		return true;
	if (damage_skips(batch->c))
		return skip_block(batch, t->unit, t->address, i, err);
	batch->damaged = true;
	error_set(err, ERROR_CORRUPT, "the %s at %#" PRIx64 " %s", from->block, at, from->block_fails);
	return error_hint(err, "`convert %s --skip-damaged` leaves the damaged blocks as they are and converts everything else",
			  convert_options_to_go_on(batch->c->op.state.operation, batch->c->direction));
}

/* The checksum of a block that was bad before sealing stays as far off as it was. */
static bool carry_block(const struct turning *t, uint32_t i, const uint8_t *block, struct error *err)
{
	struct batch_block *at = &t->batch->block[i];
	uint8_t other[CRYPT_BLOCK];
	bool right, ok;

	at->carry = true;
	ok = t->to->read(t->cipher, i, block, CRYPT_BLOCK, other, t->unit->tags + (size_t)i * CRYPT_TAG_SIZE, &right, err) &&
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

	ok = side_sealed.read(t->cipher, i, ciphertext, CRYPT_BLOCK, other, t->unit->tags + (size_t)i * CRYPT_TAG_SIZE, &right, err) &&
	     csum_get(c, t->address + (uint64_t)i * CRYPT_BLOCK, stored, &has, err);
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

static bool turn_unit(struct batch *batch, const struct crypt_unit *unit, uint64_t address, struct error *err)
{
	cleanup_unit_cipher struct unit_cipher *cipher = NULL;
	struct turning t = { .batch = batch, .unit = unit, .address = address, .to = conversion_to(batch->c) };
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
	return turn_unit(batch, unit, address, err) && batch_add(batch, address, &unit->u, unit->blocks, err);
}

/* Plain text becomes ciphertext under a nonce drawn here and now. A unit that a lost record had begun keeps its nonce. */
static bool seal_unit(struct batch *batch, const struct crypt_unit *unit, uint64_t place, uint64_t address, struct error *err)
{
	struct conversion *c = batch->c;
	cleanup_unit_cipher struct unit_cipher *cipher = NULL;
	uint8_t *data = batch_data(batch), *tags = batch_tags(batch);
	struct disk_crypt_u u = unit->u;
	struct plain plain;

	if (lost_record_has_tags(c, place))
		return reseal_unit(batch, unit, place, address, err);
	if (!plain_read(c, address, data, (size_t)unit->blocks * CRYPT_BLOCK, &plain, err) || !may_seal(batch, &plain, err) ||
	    !crypto_nonce(c->nonce_mac, &u.unit_id, sizeof(u.unit_id), plain.csums, plain.csums_len, u.nonce, err) ||
	    !unit_cipher_new(c->schedule, unit->cipher, "unit", &u, sizeof(u), &cipher, err))
		return false;
	for (uint32_t i = 0; i < unit->blocks; i++) {
		if (!seal_block(batch, cipher, unit, &plain, place, address, i, err))
			return false;
	}

	uint8_t *item = unit_in_item(batch, place, unit, err);

	if (!item)
		return false;
	memcpy(item + offsetof(struct disk_crypt_unit, u), &u, sizeof(u));
	if (!batch->block[0].keep)
		memcpy(item + offsetof(struct disk_crypt_unit, first), data, sizeof(unit->first));
	memcpy(item + sizeof(struct disk_crypt_unit), tags, (size_t)unit->blocks * CRYPT_TAG_SIZE);
	return batch_add(batch, address, &u, unit->blocks, err);
}

static bool unseal_unit(struct batch *batch, const struct crypt_unit *unit, uint64_t place, uint64_t address, struct error *err)
{
	if (!unit->sealed)
		return error_set(err, ERROR_CORRUPT, "the data recorded at %#" PRIx64 " were never sealed", unit->unit_id);
	if (!turn_unit(batch, unit, address, err))
		return false;
	/* A moved unit cannot be recognised by its ciphertext once it is plain, so record its address. */
	if (unit->address + unit->offset_in_extent != address) {
		uint8_t *item = unit_in_item(batch, place, unit, err);
		const struct le64 extent = to_le64(address - unit->offset_in_extent);

		if (!item)
			return false;
		memcpy(item + offsetof(struct disk_crypt_unit, address), &extent, sizeof(extent));
	}
	return batch_add(batch, address, &unit->u, unit->blocks, err);
}

/* --- walking ------------------------------------------------------------------------------------------- */

/* Loads the units of the item that holds (forward) the first unit at or behind place, or (back) the last one before it. */
static bool load_item(struct batch *batch, uint64_t place, bool forward, struct crypt_unit **units, unsigned *n_units,
		      uint64_t *index, struct error *err)
{
	struct conversion *c = batch->c;
	cleanup_tree_iter struct tree_iter iter = { 0 };
	const uint64_t from = forward || place == 0 ? place : place - 1;
	const uint64_t wanted = from >> 16 > CRYPT_INDEX_LAST ? CRYPT_INDEX_LAST : from >> 16;
	const struct key key = crypt_key(c->header.domain, CRYPT_UNITS, wanted);
	struct crypt_place at;
	struct tree tree;
	unsigned n;

	*n_units = 0;
	if (!tree_open(c->volume, ROOT_TREE_ID, &tree, err) ||
	    !(forward ? tree_seek(&tree, &key, &iter, err) : tree_seek_last(&tree, &key, &iter, err)))
		return false;
	if (!iter.valid || !crypt_place_of_key(&iter.key, &at) || at.domain != c->header.domain || at.kind != CRYPT_UNITS)
		return true;	/* there are no more */

	const size_t size = iter.item.left;
	struct cursor item = { batch->item, size, iter.item.offset };

	/* The item may be edited while its units are walked. */
	memcpy(batch->item, iter.item.at, size);
	if (!crypt_head_read(&item, CRYPT_UNITS, &n, err))
		return false;
	free(*units);
	*units = calloc(n, sizeof(**units));
	if (!*units)
		return error_memory(err);
	for (unsigned i = 0; i < n; i++) {
		if (!crypt_unit_next(&item, size, &(*units)[i], err))
			return false;
	}
	*n_units = n;
	*index = at.index;
	return crypt_item_end(&item, CRYPT_UNITS, err);
}

struct walk {
	struct conversion *c;
	struct batch batch;
	bool forward;
	unit_convert *convert;
	uint64_t place;		/* forward: of the next unit; back: one behind the next unit */
	uint64_t done;
};

/* Commits the batch. If a unit could not be converted, this is the end. */
static bool flush_batch(struct walk *walk, bool last, struct error *err)
{
	if (walk->batch.n_ranges || last) {
		if (!batch_commit(&walk->batch, walk->place, err))
			return false;
		conversion_progress(walk->c, walk->done, le64(walk->c->op.state.total));
	}
	if (walk->batch.damaged) {
		if (!conversion_write_state(walk->c, err))
			return false;
		*err = walk->batch.error;
		return false;
	}
	return last || conversion_may_go_on(walk->c, err);
}

static bool one_unit(struct walk *walk, const struct crypt_unit *unit, uint64_t place, struct error *err)
{
	struct unit_group group;
	const uint64_t after = walk->forward ? place + 1 : place;

	/* No extent has this unit any more: its bytes are someone else's, or free. */
	if (!unit_map_of(walk->c->units, unit->unit_id, &group) || group.address == 0) {
		walk->place = after;
		return true;
	}
	if (!batch_has_room(&walk->batch, unit->blocks) && !flush_batch(walk, false, err))
		return false;
	if (!batch_has_room(&walk->batch, unit->blocks))
		return error_set(err, ERROR_NO_SPACE, "the journal is too small for %" PRIu32 " blocks in a row", unit->blocks);
	if (!walk->convert(&walk->batch, unit, place, group.address + unit->offset_in_extent, err)) {
		if (!walk->batch.damaged)
			return false;
		/* The units collected before it are converted all the same. */
		name_file(walk->c, unit, err);
		walk->batch.error = *err;
		return flush_batch(walk, false, err);
	}
	walk->done += (uint64_t)unit->blocks * CRYPT_BLOCK;
	walk->place = after;
	return true;
}

/* Estimates how many bytes are already done when a walk is resumed. The items hold much the same number of units. */
static uint64_t bytes_behind(const struct conversion *c, bool forward)
{
	const uint64_t n_items = c->header.n_unit_items, at = c->cursor >> 16 < n_items ? c->cursor >> 16 : n_items;

	return n_items ? (double)le64(c->op.state.total) * (forward ? at : n_items - at) / n_items : 0;
}

/* end: forward only, stop before this place. */
static bool walk_units(struct conversion *c, uint64_t end, unit_convert *convert, struct error *err)
{
	const bool forward = conversion_to(c)->is_forward;
	struct walk walk = { .c = c, .forward = forward, .convert = convert, .place = c->cursor, .done = bytes_behind(c, forward) };
	struct crypt_unit *units = NULL;
	bool ok = false;

	if (!batch_open(c, &walk.batch, err))
		return false;
	for (;;) {
		unsigned n_units;
		uint64_t index;

		if (!load_item(&walk.batch, walk.place, forward, &units, &n_units, &index, err))
			goto out;
		if (n_units == 0 || (forward && UNIT_PLACE(index, 0) >= end))
			break;
		for (unsigned i = 0; i < n_units; i++) {
			const unsigned entry = forward ? i : n_units - 1 - i;
			const uint64_t place = UNIT_PLACE(index, entry);

			if (forward ? place < walk.place || place >= end : place >= walk.place)
				continue;
			if (!one_unit(&walk, &units[entry], place, err))
				goto out;
		}
		if (forward)
			walk.place = UNIT_PLACE(index + 1, 0);
		else if (index == 0)
			break;
		else
			walk.place = UNIT_PLACE(index, 0);
	}
	walk.place = forward ? end : 0;
	ok = flush_batch(&walk, true, err);
out:
	free(units);
	batch_close(&walk.batch);
	return ok;
}

bool data_seal(struct conversion *c, struct error *err)
{
	return data_seal_until(c, UNIT_PLACE_END, err);
}

bool data_seal_until(struct conversion *c, uint64_t place, struct error *err)
{
	return walk_units(c, place, seal_unit, err);
}

bool data_reseal(struct conversion *c, struct error *err)
{
	return walk_units(c, UNIT_PLACE_END, reseal_unit, err);
}

bool data_unseal(struct conversion *c, struct error *err)
{
	return walk_units(c, 0, unseal_unit, err);
}

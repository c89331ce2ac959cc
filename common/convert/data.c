/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Phase DATA: units, batch by batch, forward into ciphertext or back into plain text. */
#include <inttypes.h>
#include <stdlib.h>

#include "common/convert/batch.h"
#include "common/convert/torn.h"

/* What one unit needs done; address is where it is now. */
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

/* Plain text becomes ciphertext under a nonce drawn here and now. */
static bool seal_unit(struct batch *batch, const struct crypt_unit *unit, uint64_t place, uint64_t address, struct error *err)
{
	struct conversion *c = batch->c;
	cleanup_unit_cipher struct unit_cipher *cipher = NULL;
	uint8_t csums[CRYPT_UNIT_BLOCKS_MAX * CSUM_SIZE];
	uint8_t *data = batch_data(batch), *tags = batch_tags(batch);
	struct disk_crypt_u u = unit->u;
	size_t csums_len;

	if (!plain_read(c->volume, address, data, (size_t)unit->blocks * CRYPT_BLOCK, csums, &csums_len, &batch->damaged, err) ||
	    !crypto_nonce(c->nonce_mac, &u.unit_id, sizeof(u.unit_id), csums, csums_len, u.nonce, err) ||
	    !unit_cipher_new(c->schedule, unit->cipher, "unit", &u, sizeof(u), &cipher, err))
		return false;
	for (uint32_t i = 0; i < unit->blocks; i++) {
		uint8_t *block = data + (size_t)i * CRYPT_BLOCK;

		if (!unit_cipher_seal(cipher, i, block, CRYPT_BLOCK, block, tags + (size_t)i * CRYPT_TAG_SIZE, err))
			return false;
	}

	uint8_t *item = unit_in_item(batch, place, unit, err);

	if (!item)
		return false;
	memcpy(item + offsetof(struct disk_crypt_unit, u), &u, sizeof(u));
	memcpy(item + offsetof(struct disk_crypt_unit, first), data, sizeof(unit->first));
	memcpy(item + sizeof(struct disk_crypt_unit), tags, (size_t)unit->blocks * CRYPT_TAG_SIZE);
	return batch_add(batch, address, &u, unit->blocks, err);
}

/*
 * Block i in place, as ciphertext or plain text, from whichever mirror has either of them or a mixture: a record that went bad, or a write that
 * never arrived, may have left it behind on any.
 */
static bool complete_block(struct batch *batch, struct unit_cipher *cipher, const struct crypt_unit *unit, uint64_t address, uint32_t i,
			   bool want_sealed, uint8_t *block, struct error *err)
{
	const uint64_t at = address + (uint64_t)i * CRYPT_BLOCK;
	bool found;

	if (!torn_read(batch->c->volume, cipher, i, unit->tags + (size_t)i * CRYPT_TAG_SIZE, want_sealed, at, block, &found, err))
		return false;
	if (found)
		return true;
	batch->damaged = true;
	return error_set(err, ERROR_CORRUPT, want_sealed ? "the data at %#" PRIx64 " are not what was sealed" :
							   "the block at %#" PRIx64 " fails authentication on every mirror", at);
}

/* Plain text in place becomes ciphertext; only the tag tells whether it is the right one. */
static bool reseal_block(struct batch *batch, struct unit_cipher *cipher, const struct crypt_unit *unit, uint64_t address, uint32_t i,
			 uint8_t *block, struct error *err)
{
	uint8_t tag[CRYPT_TAG_SIZE];

	return unit_cipher_seal(cipher, i, block, CRYPT_BLOCK, block, tag, err) &&
	       (secret_same(tag, unit->tags + (size_t)i * CRYPT_TAG_SIZE, CRYPT_TAG_SIZE) ||
		complete_block(batch, cipher, unit, address, i, true, block, err));
}

/* Plain text becomes the ciphertext it was before: same nonce, same tags. */
static bool reseal_unit(struct batch *batch, const struct crypt_unit *unit, uint64_t place, uint64_t address, struct error *err)
{
	cleanup_unit_cipher struct unit_cipher *cipher = NULL;
	uint8_t *data = batch_data(batch);

	(void)place;
	if (!volume_read_any(batch->c->volume, address, data, (size_t)unit->blocks * CRYPT_BLOCK, err) ||
	    !unit_cipher_new(batch->c->schedule, unit->cipher, "unit", &unit->u, sizeof(unit->u), &cipher, err))
		return false;
	for (uint32_t i = 0; i < unit->blocks; i++) {
		if (!reseal_block(batch, cipher, unit, address, i, data + (size_t)i * CRYPT_BLOCK, err))
			return false;
	}
	memcpy(batch_tags(batch), unit->tags, (size_t)unit->blocks * CRYPT_TAG_SIZE);
	return batch_add(batch, address, &unit->u, unit->blocks, err);
}

/* Block i in place, in data: from this copy of it, or from whichever mirror has the right one. */
static bool open_block(struct batch *batch, struct unit_cipher *cipher, const struct crypt_unit *unit, uint64_t address, uint32_t i,
		       uint8_t *block, struct error *err)
{
	bool authentic;

	return unit_cipher_open(cipher, i, block, CRYPT_BLOCK, block, unit->tags + (size_t)i * CRYPT_TAG_SIZE, &authentic, err) &&
	       (authentic || complete_block(batch, cipher, unit, address, i, false, block, err));
}

static bool unseal_unit(struct batch *batch, const struct crypt_unit *unit, uint64_t place, uint64_t address, struct error *err)
{
	struct conversion *c = batch->c;
	cleanup_unit_cipher struct unit_cipher *cipher = NULL;
	uint8_t *data = batch_data(batch);

	if (!unit->sealed)
		return error_set(err, ERROR_CORRUPT, "unit %#" PRIx64 " was never sealed", unit->unit_id);
	if (!volume_read(c->volume, address, data, (size_t)unit->blocks * CRYPT_BLOCK, 0, err) ||
	    !unit_cipher_new(c->schedule, unit->cipher, "unit", &unit->u, sizeof(unit->u), &cipher, err))
		return false;
	for (uint32_t i = 0; i < unit->blocks; i++) {
		if (!open_block(batch, cipher, unit, address, i, data + (size_t)i * CRYPT_BLOCK, err))
			return false;
	}
	memcpy(batch_tags(batch), unit->tags, (size_t)unit->blocks * CRYPT_TAG_SIZE);
	/* A moved unit cannot be recognised by its ciphertext once it is plain: its address must be written down. */
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

/* Units of the item that holds (forward) the first unit at or after place, or (back) the last one before it. */
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
		return true;	/* no further one */

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
	uint64_t place;		/* forward: of the next unit; back: one after the next unit */
	uint64_t done;
};

/* Commits what is there; where a unit could not be converted, the end. */
static bool flush_batch(struct walk *walk, bool last, struct error *err)
{
	bool stops;

	if (walk->batch.n_ranges || last) {
		if (!batch_commit(&walk->batch, walk->place, err))
			return false;
		conversion_progress(walk->c, walk->done, le64(walk->c->state.total));
	}
	if (walk->batch.damaged) {
		if (!state_write(walk->c, err))
			return false;
		*err = walk->batch.error;
		return false;
	}
	return last || conversion_stops(walk->c, &stops, err);
}

static bool one_unit(struct walk *walk, const struct crypt_unit *unit, uint64_t place, struct error *err)
{
	struct unit_group group;
	const uint64_t after = walk->forward ? place + 1 : place;

	/* No extent has it any more: its bytes are someone else's, or free. */
	if (!unit_map_of(walk->c->units, unit->unit_id, &group) || group.address == 0) {
		walk->place = after;
		return true;
	}
	if (!batch_has_room(&walk->batch, unit->blocks) && !flush_batch(walk, false, err))
		return false;
	if (!batch_has_room(&walk->batch, unit->blocks))
		return error_set(err, ERROR_NO_SPACE, "the journal is too small for a unit of %" PRIu32 " blocks", unit->blocks);
	if (!walk->convert(&walk->batch, unit, place, group.address + unit->offset_in_extent, err)) {
		if (!walk->batch.damaged)
			return false;
		/* What was collected before it is converted all the same. */
		name_file(walk->c, unit, err);
		walk->batch.error = *err;
		return flush_batch(walk, false, err);
	}
	walk->done += (uint64_t)unit->blocks * CRYPT_BLOCK;
	walk->place = after;
	return true;
}

/* About how many bytes lie behind where a resumed walk begins: the items hold much the same numbers of units. */
static uint64_t bytes_behind(const struct conversion *c, bool forward)
{
	const uint64_t n_items = c->header.n_unit_items, at = c->cursor >> 16 < n_items ? c->cursor >> 16 : n_items;

	return n_items ? (double)le64(c->state.total) * (forward ? at : n_items - at) / n_items : 0;
}

static bool walk_units(struct conversion *c, bool forward, unit_convert *convert, struct error *err)
{
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
		if (n_units == 0)
			break;
		for (unsigned i = 0; i < n_units; i++) {
			const unsigned entry = forward ? i : n_units - 1 - i;
			const uint64_t place = UNIT_PLACE(index, entry);

			if (forward ? place < walk.place : place >= walk.place)
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
	walk.place = forward ? UNIT_PLACE_END : 0;
	ok = flush_batch(&walk, true, err);
out:
	free(units);
	batch_close(&walk.batch);
	return ok;
}

bool data_seal(struct conversion *c, struct error *err)
{
	return walk_units(c, true, seal_unit, err);
}

bool data_reseal(struct conversion *c, struct error *err)
{
	return walk_units(c, true, reseal_unit, err);
}

bool data_unseal(struct conversion *c, struct error *err)
{
	return walk_units(c, false, unseal_unit, err);
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "common/convert/units-walk.h"

#include <inttypes.h>
#include <stdlib.h>

#include "common/convert/commit.h"
#include "common/convert/state.h"
#include "common/volume/mirror.h"
#include "common/volume/parity-write.h"

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

/* Before the stored checksums of the unit change: what only parity has is put in place, so that a crash in the middle of a write costs nothing. */
static bool settle_parity(struct conversion *c, uint64_t address, uint32_t n_blocks, struct error *err)
{
	bool changed = false;

	return volume_settle_parity(c->volume, address, (uint64_t)n_blocks * CRYPT_BLOCK, PARITY_KEEP, &changed, err) &&
	       (!changed || volume_flush(c->volume, err));
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
	if (!settle_parity(walk->c, group.address + unit->offset_in_extent, unit->blocks, err))
		return false;
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

bool units_walk(struct conversion *c, uint64_t end, unit_convert *convert, struct error *err)
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

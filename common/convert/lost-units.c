/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Finds the units that a lost journal record may have converted, and what it left of their tags. */
#include "common/convert/lost-units.h"

#include <stdlib.h>

#include "common/convert/torn.h"
#include "common/util/array.h"
#include "common/util/lower-bound.h"
#include "common/volume/mirror.h"

#define WINDOW_BLOCKS (BATCH_BYTES / CRYPT_BLOCK)	/* no record has more, except with a single unit */

/* --- which units -------------------------------------------------------------------------------------------------------- */

struct window {
	struct conversion *c;
	uint64_t before;	/* blocks of the units before the cursor */
	uint64_t passed;	/* blocks of the units walked over */
};

static bool where_is(const struct conversion *c, const struct crypt_unit *unit, uint64_t *address)
{
	struct unit_group group;

	if (!unit_map_of(c->units, unit->unit_id, &group) || group.address == 0)
		return false;
	*address = group.address + unit->offset_in_extent;
	return true;
}

static bool count_before(void *context, const struct crypt_unit *unit, uint64_t place, bool *go, struct error *err)
{
	struct window *window = context;
	uint64_t address;

	(void)err;
	*go = place < window->c->cursor;
	if (*go && where_is(window->c, unit, &address))
		window->before += unit->blocks;
	return true;
}

static bool keep_tags(struct lost_unit *lost, const struct crypt_unit *unit, struct error *err)
{
	const size_t size = (size_t)unit->blocks * CRYPT_TAG_SIZE;

	lost->tags = malloc(size);
	if (!lost->tags)
		return error_memory(err);
	memcpy(lost->tags, unit->tags, size);
	memcpy(lost->first, unit->first, sizeof(lost->first));
	lost->u = unit->u;
	return true;
}

static bool add_unit(struct conversion *c, const struct crypt_unit *unit, uint64_t place, uint64_t address, struct error *err)
{
	struct conversion_lost *lost = &c->lost;
	struct lost_unit *added;

	if (!ARRAY_ROOM(lost->unit, lost->n, lost->room, err))
		return false;
	added = &lost->unit[lost->n++];
	if (!conversion_to(c)->is_forward && lost->n == 1)
		lost->until = place;
	*added = (struct lost_unit){ .place = place, .address = address, .at = unit->at, .u = unit->u };
	if (unit->sealed || !conversion_is_first_time(c))
		return keep_tags(added, unit, err);
	return true;
}

static bool gather_unit(void *context, const struct crypt_unit *unit, uint64_t place, bool *go, struct error *err)
{
	struct window *window = context;
	struct conversion *c = window->c;
	const bool forward = conversion_to(c)->is_forward;
	uint64_t address;

	*go = forward ? window->passed == 0 || window->passed + unit->blocks <= WINDOW_BLOCKS : place < c->cursor;
	if (!*go) {
		c->lost.until = forward ? place : c->lost.until;
		return true;
	}
	if (!where_is(c, unit, &address))
		return true;
	window->passed += unit->blocks;
	return (!forward && window->before - window->passed >= WINDOW_BLOCKS) || add_unit(c, unit, place, address, err);
}

bool lost_units_gather(struct conversion *c, struct error *err)
{
	const bool forward = conversion_to(c)->is_forward;
	struct window window = { .c = c };

	c->lost.until = forward ? UNIT_PLACE_END : c->cursor;
	if (forward)	/* at the end there are none */
		return c->cursor == UNIT_PLACE_END || unit_map_visit_from(c->units, c->cursor, gather_unit, &window, err);
	return unit_map_visit_all(c->units, count_before, &window, err) && unit_map_visit_all(c->units, gather_unit, &window, err);
}

struct lost_unit *lost_unit_at(const struct conversion *c, uint64_t place)
{
	const size_t i = LOWER_BOUND(at, c->lost.n, c->lost.unit[at].place < place);

	return i < c->lost.n && c->lost.unit[i].place == place ? &c->lost.unit[i] : NULL;
}

/* --- their tags, in place ----------------------------------------------------------------------------------------------- */

bool lost_block_complete(const struct conversion *c, const struct lost_unit *unit, struct unit_cipher *cipher, uint32_t i,
			 uint8_t bytes[CRYPT_BLOCK], bool *found, struct error *err)
{
	const struct sided_block block = { cipher, i, unit->tags + (size_t)i * CRYPT_TAG_SIZE, conversion_to(c), NULL, NULL };

	if (torn_read(c->volume, &block, unit->address + (uint64_t)i * CRYPT_BLOCK, bytes, found, err))
		return true;
	*found = false;
	if (err->kind != ERROR_IO)
		return false;
	*err = (struct error){ 0 };
	return true;
}

/* Do the tags fit what is on the disk, plain text or ciphertext? If they fit no block they prove nothing, and are dropped. */
static bool confirm(struct conversion *c, struct lost_unit *unit, struct error *err)
{
	cleanup_unit_cipher struct unit_cipher *cipher = NULL;
	uint8_t bytes[CRYPT_BLOCK];
	bool found = false, ok = unit_cipher_new(c->schedule, unit->u.cipher, "unit", &unit->u, sizeof(unit->u), &cipher, err);

	for (uint32_t i = 0; ok && !found && i < lost_unit_blocks(unit); i++)
		ok = lost_block_complete(c, unit, cipher, i, bytes, &found, err);
	secret_wipe(bytes, sizeof(bytes));
	if (!ok || found)
		return ok;
	free(unit->tags);
	unit->tags = NULL;
	unit->leaf = 0;
	memset(unit->u.nonce, 0, sizeof(unit->u.nonce));
	return true;
}

/* Takes the units of an item as one mirror has it, which may differ from the tree. */
static bool take_item(struct conversion *c, uint64_t leaf, uint64_t index, struct cursor item, struct error *err)
{
	const size_t size = item.left;
	struct error invalid;
	unsigned n;

	if (!crypt_head_read(&item, CRYPT_UNITS, &n, &invalid))
		return true;
	for (unsigned i = 0; i < n; i++) {
		struct crypt_unit unit;
		struct lost_unit *lost;

		if (!crypt_unit_next(&item, size, &unit, &invalid))
			return true;
		lost = lost_unit_at(c, UNIT_PLACE(index, i));
		if (!unit.sealed || !lost || lost->tags || memcmp(&unit.u, &lost->u, offsetof(struct disk_crypt_u, nonce)) != 0)
			continue;
		lost->leaf = leaf;
		if (!keep_tags(lost, &unit, err) || !confirm(c, lost, err))
			return false;
	}
	return true;
}

static bool take_leaf(struct conversion *c, uint64_t leaf, uint8_t *bytes, struct error *err)
{
	unsigned n_mirrors;

	if (!volume_n_mirrors(c->volume, leaf, &n_mirrors, err))
		return false;
	for (unsigned mirror = 0; mirror < n_mirrors; mirror++) {
		struct error invalid;
		struct node node;

		if (!block_mirror_read(c->volume, leaf, mirror, bytes, &node, &invalid) || !node_is_leaf(&node))
			continue;
		for (uint32_t slot = 0; slot < node.n_items; slot++) {
			const struct key key = node_key(&node, slot);
			struct crypt_place at;

			if (crypt_place_of_key(&key, &at) && at.domain == c->header.domain && at.kind == CRYPT_UNITS &&
			    !take_item(c, leaf, at.index, leaf_item(&node, slot), err))
				return false;
		}
	}
	return true;
}

static bool leaf_of(const struct conversion *c, uint64_t place, uint64_t *leaf, struct error *err)
{
	const struct key key = crypt_key(c->header.domain, CRYPT_UNITS, place >> 16);
	cleanup_tree_iter struct tree_iter iter = { 0 };
	struct tree tree;
	bool found;

	if (!tree_open(c->volume, ROOT_TREE_ID, &tree, err) || !tree_find(&tree, &key, &iter, &found, err))
		return false;
	*leaf = found ? iter.path[0]->logical : 0;
	return true;
}

bool lost_units_find_tags(struct conversion *c, struct error *err)
{
	uint8_t *bytes = malloc(c->volume->super.node_size);
	bool ok = bytes || error_memory(err);
	uint64_t last = 0;

	for (size_t i = 0; ok && i < c->lost.n; i++) {
		struct lost_unit *unit = &c->lost.unit[i];
		uint64_t leaf = last;

		ok = !unit->tags || confirm(c, unit, err);
		if (ok && (i == 0 || unit->place >> 16 != unit[-1].place >> 16))
			ok = leaf_of(c, unit->place, &leaf, err);
		if (ok && leaf != last)
			ok = take_leaf(c, leaf, bytes, err);
		last = leaf;
	}
	free(bytes);
	return ok;
}

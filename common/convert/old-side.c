/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "common/convert/old-side.h"

#include <inttypes.h>
#include <stdlib.h>

#include "common/convert/bad-blocks.h"
#include "common/convert/commit.h"
#include "common/sealed/crypt-list.h"
#include "common/sealed/domain-mac.h"
#include "common/sealed/domain-slots.h"
#include "common/sealed/domain.h"
#include "common/sealed/pack.h"
#include "common/util/array.h"
#include "common/util/lower-bound.h"
#include "common/util/take.h"

#define state_error(...) error_set(err, ERROR_STATE, __VA_ARGS__)

/* --- one unit, one block ---------------------------------------------------------------------------- */

struct finding {
	const struct crypt_unit *wanted;
	struct old_unit *old;
	bool found;
};

static bool take_if_wanted(void *context, const struct crypt_unit *unit, uint64_t place, bool *go, struct error *err)
{
	struct finding *finding = context;

	(void)place, (void)err;
	if (unit->offset_in_extent != finding->wanted->offset_in_extent || unit->blocks != finding->wanted->blocks)
		return true;
	finding->old->unit = *unit;
	memcpy(finding->old->tags, unit->tags, (size_t)unit->blocks * CRYPT_TAG_SIZE);
	finding->old->unit.tags = finding->old->tags;
	finding->found = true;
	*go = false;
	return true;
}

bool old_unit_open(const struct conversion *c, const struct crypt_unit *unit, uint64_t address, struct old_unit *old, struct error *err)
{
	struct finding finding = { .wanted = unit, .old = old };
	struct unit_group group;

	old->cipher = NULL;
	if (unit_map_at(c->old.units, address - unit->offset_in_extent, &group) &&
	    !unit_map_visit(c->old.units, &group, take_if_wanted, &finding, err))
		return false;
	if (!finding.found)
		return error_set(err, ERROR_CORRUPT, "the data at %#" PRIx64 " have no tags under the old key", address);
	return unit_cipher_new(c->old.schedule, old->unit.cipher, "unit", &old->unit.u, sizeof(old->unit.u), &old->cipher, err);
}

void old_unit_close(struct old_unit *old)
{
	unit_cipher_free(old->cipher);
	old->cipher = NULL;
}

const struct crypt_bad_block *old_bad_block(const struct conversion *c, uint64_t unit_id, uint32_t block)
{
	const struct crypt_bad_block *at = c->old.bad;
	const size_t n = LOWER_BOUND(i, c->old.n_bad, at[i].unit_id < unit_id || (at[i].unit_id == unit_id && at[i].block < block));

	return n < c->old.n_bad && at[n].unit_id == unit_id && at[n].block == block ? &at[n] : NULL;
}

/* --- taking it over ------------------------------------------------------------------------------------ */

void old_side_take(struct conversion *c)
{
	struct conversion_old *old = &c->old;

	old->header = c->header;
	old->schedule = TAKE(c->schedule);
	old->units = TAKE(c->units);
	old->inlines = TAKE(c->inlines);
	old->source = TAKE(c->flags_member);
	old->bad = TAKE(c->bad.at);
	old->n_bad = c->bad.n;
	free(c->bad.spoil);
	c->bad = (struct conversion_bad){ 0 };
	c->header = (struct crypt_header){ 0 };
	mac_free(c->nonce_mac);
	c->nonce_mac = NULL;
}

bool old_side_wrap(const struct crypt_header *old, const struct secret *volume_key, const struct key_schedule *schedule,
		   const uint8_t op_id[CRYPT_UUID_SIZE], struct disk_crypt_bridge *bridge, struct error *err)
{
	*bridge = (struct disk_crypt_bridge){ .domain = to_le16(old->domain) };
	crypt_head_write(&bridge->head, CRYPT_BRIDGE, 1);
	memcpy(bridge->domain_uuid, old->domain_uuid, sizeof(bridge->domain_uuid));
	memcpy(bridge->kcv, old->kcv, sizeof(bridge->kcv));
	return bridge_wrap(schedule, op_id, bridge->kcv, volume_key, bridge->wrapped, bridge->tag, err);
}

bool old_side_bridge(const struct conversion *c, struct disk_crypt_bridge *bridge, bool *found, struct error *err)
{
	const struct key key = crypt_key(c->header.domain, CRYPT_BRIDGE, 0);
	cleanup_tree_iter struct tree_iter iter = { 0 };
	struct tree tree;

	if (!tree_open(c->volume, ROOT_TREE_ID, &tree, err) || !tree_find(&tree, &key, &iter, found, err))
		return false;
	return !*found || crypt_bridge_read(&iter.item, bridge, err);
}

static bool add_bad(void *context, const struct crypt_bad_block *bad, struct error *err)
{
	struct conversion_old *old = context;

	if (!ARRAY_ROOM(old->bad, old->n_bad, old->bad_room, err))
		return false;
	old->bad[old->n_bad++] = *bad;
	return true;
}

static bool take_key(struct conversion *c, struct error *err)
{
	const struct disk_crypt_bridge *bridge = &c->old.bridge;
	cleanup_secret struct secret *key = NULL;
	uint8_t kcv[CRYPT_MAC_SIZE];

	if (memcmp(bridge->kcv, c->op.state.kcv_old, sizeof(kcv)) != 0 || le16(bridge->domain) == c->header.domain)
		return state_error("the item that leads to the old key belongs to another conversion");
	if (!bridge_unwrap(c->schedule, c->op.state.op_id, bridge->kcv, bridge->wrapped, bridge->tag, &key, err))
		return false;
	if (!key)
		return state_error("the item that leads to the old key fails authentication");
	if (!key_schedule_new(key, bridge->domain_uuid, &c->old.schedule, err) || !key_schedule_kcv(c->old.schedule, kcv, err))
		return false;
	return secret_same(kcv, bridge->kcv, sizeof(kcv)) || state_error("the item that leads to the old key names another sealing");
}

/* The header of the old sealing, as it was when it was rekeyed. */
static bool take_header(struct conversion *c, struct domain *domain, struct error *err)
{
	uint8_t mac[CRYPT_MAC_SIZE];
	bool authentic;

	c->old.header = domain->header;
	if (memcmp(domain->header.domain_uuid, c->old.bridge.domain_uuid, CRYPT_UUID_SIZE) != 0)
		return state_error("sealing %u is not the one that was to be rekeyed", domain->number);
	if (!crypt_header_check(c->old.schedule, &domain->header, &authentic, err) ||
	    !domain_items_mac(c->volume, domain->number, c->old.schedule, mac, err))
		return false;
	domain_slots_warn(domain);
	return (authentic && domain->header.state == CRYPT_STATE_SEALED && secret_same(mac, domain->header.items_mac, sizeof(mac))) ||
	       state_error("the header of sealing %u, which is being rekeyed, fails authentication", domain->number);
}

/* Whose units those of each subvolume are. */
static bool take_sources(struct conversion *c, const struct domain *domain, struct error *err)
{
	uint64_t *ids;

	c->old.source = calloc(c->scan->n_members, sizeof(*c->old.source));
	if (!c->old.source)
		return error_memory(err);
	if (!domain_sources(domain, &c->list, &ids, err))
		return false;
	for (size_t i = 0; i < c->scan->n_members; i++) {
		const struct subvolume *subvolume = subvolume_by_id(&c->list, c->scan->member[i]);
		const uint64_t source = subvolume ? ids[subvolume - c->list.at] : 0;

		c->old.source[i] = source ? source : c->scan->member[i];
	}
	free(ids);
	return true;
}

uint64_t old_side_bytes(const struct conversion *c)
{
	uint64_t bytes = 0;

	for (size_t i = 0; i < c->scan->n_extents; i++) {
		struct unit_group group;

		if (unit_map_at(c->old.units, c->scan->extent[i].logical, &group))
			bytes += c->scan->extent[i].length;
	}
	return bytes;
}

static bool join(struct conversion *c, struct error *err)
{
	struct conversion_old *old = &c->old;

	if (!unit_map_read(c->volume, old->header.domain, &old->units, err))
		return false;
	/* Undoing ends in this phase, too. */
	if (c->phase > CRYPT_PHASE_STRUCTURE || c->cursor == UINT64_MAX) {
		if (!unit_map_join_stored(old->units, c->scan, err))
			return false;
	} else {
		/* Nothing is changed yet. */
		if (!unit_map_join(old->units, c->scan, old->schedule, UNIT_PLACE_END, err))
			return false;
		if (damage_skips(c) || old->n_bad > 0)
			unit_map_join_expected(old->units);
		if (!unit_map_guess(old->units, err))
			return false;
	}
	return old_side_bytes(c) == le64(c->op.state.total) ||
	       state_error("the old tags recognise extents of %" PRIu64 " bytes, but the conversion began with %" PRIu64 " bytes", old_side_bytes(c),
			   le64(c->op.state.total));
}

bool old_side_open(struct conversion *c, struct error *err)
{
	cleanup_domain struct domain *domain = NULL;
	struct conversion_old *old = &c->old;
	bool found;

	if (!old_side_bridge(c, &old->bridge, &found, err))
		return false;
	if (!found)
		return state_error("the item that leads to the old key is missing");
	return take_key(c, err) && domain_read(c->volume, le16(old->bridge.domain), &domain, err) && take_header(c, domain, err) &&
	       bad_blocks_visit(c->volume, domain->number, add_bad, old, err) && take_sources(c, domain, err) && join(c, err) &&
	       inline_map_read(c->volume, domain->number, &old->inlines, err);
}

/* --- the units of the new sealing ------------------------------------------------------------------------- */

struct laying {
	const struct conversion *c;
	const struct scan_extent *extent;
	uint8_t *item;
	old_side_put *put;
	void *context;
	uint32_t used, max;
	unsigned n;
};

static bool put_item(struct laying *l, struct error *err)
{
	const uint32_t used = l->used;
	const unsigned n = l->n;

	l->used = sizeof(struct disk_crypt_head);
	l->n = 0;
	if (n == 0)
		return true;
	if (l->item) {
		struct disk_crypt_head head;

		crypt_head_write(&head, CRYPT_UNITS, n);
		memcpy(l->item, &head, sizeof(head));
	}
	return l->put(l->context, l->item, used, n, err);
}

static bool lay_unit(void *context, const struct crypt_unit *unit, uint64_t place, bool *go, struct error *err)
{
	struct laying *l = context;
	const uint32_t size = (uint32_t)sizeof(struct disk_crypt_unit) + unit->blocks * CRYPT_TAG_SIZE;

	(void)place, (void)go;
	if (l->used + size > l->max && !put_item(l, err))
		return false;
	if (l->item)
		unit_pack_put(l->item + l->used, l->c->scan, l->extent, unit->offset_in_extent, unit->blocks, l->c->header.cipher);
	l->used += size;
	l->n++;
	return true;
}

bool old_side_lay_out(const struct conversion *c, uint8_t *item, old_side_put *put, void *context, struct error *err)
{
	struct laying l = {
		.c = c, .item = item, .put = put, .context = context, .used = sizeof(struct disk_crypt_head),
		.max = crypt_item_max(c->volume->super.node_size),
	};

	for (size_t i = 0; i < c->scan->n_extents; i++) {
		struct unit_group group;

		l.extent = &c->scan->extent[i];
		if (unit_map_at(c->old.units, l.extent->logical, &group) && !unit_map_visit(c->old.units, &group, lay_unit, &l, err))
			return false;
	}
	return put_item(&l, err);
}

/* --- extents that have moved ------------------------------------------------------------------------------- */

struct moved {
	size_t at;
	struct le64 address;
};

struct noting {
	const struct conversion *c;
	uint64_t index;		/* of the item */
	struct moved *moved;
	size_t n;
};

static bool note_unit(void *context, const struct crypt_unit *unit, uint64_t place, bool *go, struct error *err)
{
	struct noting *noting = context;
	const struct conversion *c = noting->c;
	uint64_t address = unit->address;
	struct unit_group group;

	(void)err;
	*go = place >> 16 == noting->index;
	if (!*go || !unit_map_of(c->old.units, unit->unit_id, &group))
		return true;
	if (group.address != 0)
		address = group.address;
	else if (scan_extent_at(c->scan, address))
		address = 0;	/* nothing has it any more, and another extent is there now */
	if (address != unit->address)
		noting->moved[noting->n++] = (struct moved){ unit->at, to_le64(address) };
	return true;
}

static bool edit_moved(const struct noting *noting, struct transaction *tx, struct error *err)
{
	const struct key key = crypt_key(noting->c->old.header.domain, CRYPT_UNITS, noting->index);
	uint8_t *item;
	uint32_t len;

	if (noting->n == 0)
		return true;
	if (!tree_edit_item(tx, ROOT_TREE_ID, &key, &item, &len, err))
		return false;
	for (size_t i = 0; i < noting->n; i++)
		memcpy(item + noting->moved[i].at + offsetof(struct disk_crypt_unit, address), &noting->moved[i].address, sizeof(struct le64));
	return true;
}

bool old_side_note_moved(struct conversion *c, struct error *err)
{
	const size_t room = c->volume->super.node_size / (sizeof(struct disk_crypt_unit) + CRYPT_TAG_SIZE);
	struct noting noting = { .c = c, .moved = calloc(room, sizeof(*noting.moved)) };
	struct transaction *tx = NULL;
	bool ok = noting.moved ? transaction_begin(c->volume, c->allocator, &tx, err) : error_memory(err);
	bool any = false;

	for (; ok && noting.index < c->old.units->n_items; noting.index++) {
		noting.n = 0;
		ok = unit_map_visit_from(c->old.units, UNIT_PLACE(noting.index, 0), note_unit, &noting, err) && edit_moved(&noting, tx, err);
		any |= noting.n > 0;
		if (ok && !conversion_has_room(c, tx, 1, 0, 0))
			ok = conversion_commit_step(c, &tx, CRYPT_PHASE_STRUCTURE, c->cursor, err);
	}
	if (ok && any)
		ok = conversion_commit(c, TAKE(tx), CRYPT_PHASE_STRUCTURE, c->cursor, err);
	if (tx)
		transaction_drop(tx);
	free(noting.moved);
	return ok;
}

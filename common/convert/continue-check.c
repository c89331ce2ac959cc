/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Checks that state, header, members and units are still as they were before a conversion goes on. */
#include "common/convert/continue-check.h"

#include <inttypes.h>
#include <stdlib.h>

#include "common/convert/bad-blocks.h"
#include "common/convert/copy.h"
#include "common/convert/lost-record.h"
#include "common/convert/old-side.h"
#include "common/convert/replay.h"
#include "common/convert/state.h"
#include "common/convert/take-domain.h"
#include "common/sealed/domain-mac.h"
#include "common/sealed/domain-slots.h"
#include "common/util/set64.h"
#include "common/util/take.h"

#define state_error(...) error_set(err, ERROR_STATE, __VA_ARGS__)

/* The header in place may be that of a lost record, which no valid record has. It differs only in its epoch and its direction. */
static void take_back_header(const struct conversion *c, struct crypt_header *header)
{
	if (!c->lost.is_lost || header->epoch != c->header.epoch + 1)
		return;
	header->epoch = c->header.epoch;
	header->state = conversion_to(c)->state;
}

/* Reads the header from the root tree and everything it vouches for, with the key that is already open. */
static bool read_domain(struct conversion *c, struct domain **domain, struct error *err)
{
	uint8_t mac[CRYPT_MAC_SIZE];
	bool authentic = false;

	if (!domain_read(c->volume, c->header.domain, domain, err))
		return err->kind == ERROR_NOT_FOUND ? state_error("the crypt items of the unfinished conversion are missing") : false;
	for (unsigned i = 0; i < 2 && (!authentic || (c->lost.is_lost && (*domain)->header.epoch != c->header.epoch)); i++) {
		struct crypt_header copy = (*domain)->copy[i];
		bool is_good;

		if (!(*domain)->copy_valid[i])
			continue;
		if (!crypt_header_check(c->schedule, &copy, &is_good, err))
			return false;
		if (is_good)
			(*domain)->header = copy;
		authentic |= is_good;
	}
	if (!authentic)
		return error_set(err, ERROR_KEY_HEADER, "the header of sealing %u fails authentication", c->header.domain);
	if (memcmp((*domain)->header.domain_uuid, c->header.domain_uuid, CRYPT_UUID_SIZE) != 0 ||
	    memcmp((*domain)->header.op_id, c->op.state.op_id, CRYPT_UUID_SIZE) != 0)
		return error_set(err, ERROR_KEY_HEADER, "the header of sealing %u belongs to another conversion", c->header.domain);
	take_back_header(c, &(*domain)->header);
	if ((*domain)->header.epoch != c->header.epoch)
		return state_error("the header of sealing %u has epoch %" PRIu64 ", but the conversion has %" PRIu64, c->header.domain,
				   (*domain)->header.epoch, c->header.epoch);
	if (!domain_items_mac(c->volume, c->header.domain, c->schedule, mac, err))
		return false;
	if (!secret_same(mac, (*domain)->header.items_mac, sizeof(mac)))
		return error_set(err, ERROR_KEY_HEADER, "the header of sealing %u does not vouch for its subvolumes", c->header.domain);
	domain_slots_warn(*domain);
	return !c->keys || domain_slots_check_copies(c->keys, *domain, err);
}

/* Units before this place are ciphertext. UNIT_PLACE_END would mean that nothing is being converted. */
uint64_t conversion_boundary(const struct conversion *c)
{
	if (c->phase == CRYPT_PHASE_DATA)
		return c->cursor < UNIT_PLACE_END ? c->cursor : UNIT_PLACE_END - 1;
	return c->phase == CRYPT_PHASE_STRUCTURE ? 0 : UNIT_PLACE_END - 1;
}

struct unit_state {
	struct conversion *c;
	bool placed_only;	/* nothing at or behind the cursor may be sealed */
};

static bool unit_fits_cursor(void *context, const struct crypt_unit *unit, uint64_t place, bool *go, struct error *err)
{
	const struct unit_state *state = context;
	struct conversion *c = state->c;
	const uint64_t boundary = conversion_boundary(c);

	(void)go;
	if (place < boundary && !unit->sealed)
		return state_error("the data recorded at %#" PRIx64 " should be sealed by now, but are not", unit->unit_id);
	if (place >= boundary && unit->sealed && state->placed_only && !c->lost.is_lost)
		return state_error("the data at %#" PRIx64 " are sealed, but the conversion has not reached them", unit->unit_id) ||
		       lost_record_is_sought(c, err);
	return true;
}

/* For an encryption: the units lie over the extents exactly as they were laid out, and are sealed up to the cursor. */
static bool check_units(struct conversion *c, struct error *err)
{
	struct unit_state state = { c, conversion_to(c)->is_sealed };

	/* The stored address is only a hint, but nothing has moved. */
	if (!conversion_join_placed(c, err)) {
		if (err->kind == ERROR_CORRUPT)
			err->kind = ERROR_STATE;
		return false;
	}
	if (c->units->n_items != c->header.n_unit_items)
		return state_error("there are %" PRIu64 " items of tags, but the header says %" PRIu64, c->units->n_items,
			c->header.n_unit_items);
	return unit_map_visit_all(c->units, unit_fits_cursor, &state, err);
}

struct inline_state {
	const struct conversion *c;
	uint64_t n_before, n;
};

static bool count_before(void *context, const struct scan_block *leaf, const struct inline_payload *payload, struct error *err)
{
	struct inline_state *state = context;

	(void)payload, (void)err;

	state->n++;
	if (state->c->phase > CRYPT_PHASE_LEAVES || (state->c->phase == CRYPT_PHASE_LEAVES && leaf->logical < state->c->cursor))
		state->n_before++;
	return true;
}

struct inline_walk {
	const struct inline_state *state;
	uint64_t ordinal;
};

static bool inline_fits_cursor(void *context, const struct crypt_inline_unit *unit, uint64_t place, struct error *err)
{
	struct inline_walk *walk = context;
	const bool before = walk->ordinal++ < walk->state->n_before;

	(void)place;
	if (before != unit->sealed && (before || conversion_to(walk->state->c)->is_sealed))
		return state_error("the inline data of inode %" PRIu64 " are %s, but the conversion %s reached them", unit->inode,
				   unit->sealed ? "sealed" : "not sealed", before ? "has" : "has not");
	return true;
}

static bool check_inlines(struct conversion *c, struct error *err)
{
	struct inline_state state = { .c = c };
	struct inline_walk walk = { .state = &state };

	if (!payloads_visit(c->scan, count_before, &state, err) ||
	    !inline_visit_all(c->volume, c->header.domain, inline_fits_cursor, &walk, err))
		return false;
	if (walk.ordinal != state.n || state.n != c->header.n_inline_units)
		return state_error("there are tags for %" PRIu64 " inline items, but the subvolumes have %" PRIu64, walk.ordinal, state.n);
	return conversion_to(c)->is_sealed || inline_map_read(c->volume, c->header.domain, &c->inlines, err);
}

/* The members of an encryption or rekeying are those it began with. */
static bool take_members(struct conversion *c, struct domain *domain, struct error *err)
{
	uint64_t *ids = calloc(domain->n_members ? domain->n_members : 1, sizeof(*ids));
	bool ok;

	if (!ids)
		return error_memory(err);
	for (size_t i = 0; i < domain->n_members; i++)
		ids[i] = domain->members[i].id;
	ok = scan_run(c->volume, ids, domain->n_members, &c->scan, err);
	free(ids);
	if (!ok)
		return false;
	c->members = domain->members;
	c->n_members = domain->n_members;
	c->flags = domain->inode_flags;
	c->n_flags = domain->n_inode_flags;
	domain->members = NULL;
	domain->inode_flags = NULL;
	domain->n_members = domain->n_inode_flags = 0;
	if (!mac_new(c->schedule, "nonce", NULL, 0, &c->nonce_mac, err))
		return false;
	if (conversion_is_rekey(c) && !old_side_open(c, err))
		return false;
	/* While items are still being placed, there is nothing in them to check. */
	return c->phase == CRYPT_PHASE_STRUCTURE || (check_units(c, err) && check_inlines(c, err));
}

/*
 * A decryption changes no unit: until the crypt items are removed, they are what was sealed. It does not need the index, which may be
 * damaged.
 */
static bool check_seal(struct conversion *c, const struct domain *domain, struct error *err)
{
	const struct seal_input input = { c->volume, c->schedule, &domain->header, domain->members, domain->n_members };
	const struct crypt_seal *index;
	struct crypt_seal item, now;

	if (!seal_index_said(&input, &item, &index, err) || !seal_compute(&input, index, &now, err))
		return false;
	return secret_same(now.seal, domain->header.seal, sizeof(now.seal)) ||
	       state_error("the tags of sealing %u do not match its seal", c->header.domain);
}

static bool take_sealed(struct conversion *c, struct domain *domain, struct error *err)
{
	const uint64_t boundary = conversion_boundary(c);
	const struct domain_view_options none = { 0 };
	bool changed;

	if (!check_seal(c, domain, err))
		return false;
	domain->schedule = TAKE(c->schedule);
	if (!conversion_take_domain(c, domain, boundary, false, &none, &changed, err)) {
		if (!c->schedule) {
			c->schedule = TAKE(domain->schedule);
		}
		return false;
	}
	return true;
}

/* Takes over everything about the members that is not in the records. */
bool continue_take(struct conversion *c, struct error *err)
{
	cleanup_domain struct domain *domain = NULL;
	uint8_t digest[CRYPT_MAC_SIZE];

	if (!read_domain(c, &domain, err))
		return false;
	c->header = domain->header;
	if (!(c->op.state.operation != CRYPT_OP_DECRYPT ? take_members(c, domain, err) : take_sealed(c, domain, err)))
		return false;
	/* Copies have other addresses, and so far nothing was sealed. */
	if (copy_is_pending(c))
		return true;
	if (!conversion_begin_digest(c, digest, err))
		return false;
	return secret_same(digest, c->op.state.begin_digest, sizeof(digest)) ||
	       state_error("the subvolumes have changed since the conversion began");
}

/* --- extents ------------------------------------------------------------------------------------ */

struct counting {
	const struct unit_map *units;
	struct set64 groups;
	uint64_t bytes;
};

/* A half overwritten extent may be unrecognisable, but its record says what it is. */
static bool count_range(void *context, const struct journal_range *range, struct error *err)
{
	struct counting *counting = context;
	struct unit_group group;
	bool added;

	if (!unit_map_of(counting->units, le64(range->u.unit_id), &group) || group.address != 0)
		return true;
	if (!set64_add(&counting->groups, group.unit_id, &added, err))
		return false;
	if (added)
		counting->bytes += group.extent_len;
	return true;
}

bool continue_check_extents(struct conversion *c, const struct replay *replay, struct error *err)
{
	struct counting counting = { .units = c->units };
	bool ok = true;

	/* An extent damaged beyond recognition is where its units say it was sealed. */
	if (c->op.state.operation == CRYPT_OP_DECRYPT && c->units && (damage_skips(c) || c->bad.n > 0))
		unit_map_join_expected(c->units);
	/* At the end of a decryption everything is plain text and no tag is needed any more. */
	if (c->op.state.operation != CRYPT_OP_DECRYPT || !c->units || (c->phase == CRYPT_PHASE_STRUCTURE && !conversion_to(c)->is_sealed))
		return true;
	counting.bytes = unit_map_joined_bytes(c->units);
	for (unsigned i = 0; ok && replay && i < replay->n; i++)
		ok = journal_record_visit(&c->op.journal, &replay->record[i], &(struct journal_visitor){ .on_range = count_range }, &counting, err);
	set64_free(&counting.groups);
	if (ok && counting.bytes != le64(c->op.state.total)) {
		ok = state_error("the tags recognise extents of %" PRIu64 " bytes, but the conversion began with %" PRIu64 " bytes",
				 counting.bytes, le64(c->op.state.total));
		error_hint(err, "if files are damaged, --skip-damaged leaves them as they are");
	}
	return ok;
}

/* --- the end ---------------------------------------------------------------------------------------- */

/* Scans the subvolumes of the domain, whose leaves are read back. */
static bool scan_domain(struct conversion *c, const struct domain *domain, struct error *err)
{
	uint64_t *ids;
	size_t n = 0;
	bool ok;

	if (!domain_sources(domain, &c->list, &ids, err))
		return false;
	for (size_t i = 0; i < c->list.n; i++) {
		if (ids[i] != 0)
			ids[n++] = c->list.at[i].id;
	}
	ok = scan_run(c->volume, ids, n, &c->scan, err);
	free(ids);
	return ok;
}

/* Everything is sealed: takes the header, for the seal that is shown to people, and what has to be read back. */
bool continue_take_finished(struct conversion *c, struct error *err)
{
	cleanup_domain struct domain *domain = NULL;

	if (!read_domain(c, &domain, err))
		return false;
	c->header = domain->header;
	return scan_domain(c, domain, err);
}

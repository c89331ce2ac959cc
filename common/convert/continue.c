/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Going on with an unfinished conversion: everything that must hold is checked before the first write. */
#include <inttypes.h>
#include <stdlib.h>
#include <time.h>

#include "common/convert/plan.h"
#include "common/fs/domain-mac.h"

#define FLAG_ACCEPTED 1u	/* in the state: changes or unsealed data were accepted at the beginning */

#define state_error(...) error_set(err, ERROR_STATE, __VA_ARGS__)

/* --- what the user may ask for ------------------------------------------------------------------- */

static bool check_goal(const struct conversion *c, enum convert_goal goal, struct error *err)
{
	const bool encrypting = c->state.operation == CRYPT_OP_ENCRYPT;
	const bool aborting = encrypting != (c->direction == CRYPT_TO_SEALED);

	if (goal == CONVERT_ABORT) {
		if (aborting)
			return true;	/* goes on aborting */
		if (c->phase >= CRYPT_PHASE_FINISH || conversion_is_cut(c->direction, c->phase, c->cursor)) {
			error_set(err, ERROR_REFUSED, "nothing is left to undo: everything is %s, only cleaning up is left",
				  encrypting ? "sealed" : "plain text");
			return error_hint(err, encrypting ? "`convert --resume` finishes it" : "`convert --decrypt --resume` finishes it");
		}
		if (!encrypting && le32(c->state.flags) & FLAG_ACCEPTED) {
			error_set(err, ERROR_REFUSED, "the decryption accepted changes; sealing them again would not restore what was there");
			return error_hint(err, "`convert --decrypt --resume` finishes it");
		}
		return true;
	}
	if (c->direction == CRYPT_TO_PLAIN && goal != CONVERT_RESUME_DECRYPT) {
		char when[32] = "?";
		const time_t start = (time_t)le64(c->state.start_time);
		struct tm tm;

		if (localtime_r(&start, &tm))
			strftime(when, sizeof(when), "%Y-%m-%d %H:%M", &tm);
		error_set(err, ERROR_REFUSED, "the unfinished %s, begun %s, leads to plain text: that must be asked for by name",
			  encrypting ? "abort of an encryption" : "decryption", when);
		return error_hint(err, "`convert --decrypt --resume`");
	}
	if (c->direction == CRYPT_TO_SEALED && goal == CONVERT_RESUME_DECRYPT) {
		error_set(err, ERROR_REFUSED, "the unfinished conversion leads to ciphertext, not to plain text");
		return error_hint(err, "`convert --resume` goes on, `convert --abort` undoes it");
	}
	return true;
}

/* --- what must still be as it was ---------------------------------------------------------------------- */

static bool check_state(const struct conversion *c, struct error *err)
{
	const struct superblock *super = &c->volume->super;
	bool authentic;

	if (!state_is_authentic(c->schedule, &c->state, &authentic, err))
		return false;
	if (!authentic)
		return state_error("the state of the unfinished conversion fails authentication");
	if (memcmp(c->state.fsid, super->fsid, FSID_SIZE) != 0)
		return state_error("the state of the unfinished conversion is of another filesystem");
	if (le64(c->state.generation) != super->generation)
		return state_error("the filesystem has generation %" PRIu64 ", the unfinished conversion began at %" PRIu64, super->generation,
				   le64(c->state.generation));
	if (le32(c->state.sector_size) != super->sector_size || le32(c->state.node_size) != super->node_size ||
	    le16(c->state.csum_type) != super->csum_type || le64(c->state.n_devices) != super->n_devices)
		return state_error("the state of the unfinished conversion does not fit the superblock");
	if (memcmp(c->state.kcv, c->header.kcv, CRYPT_MAC_SIZE) != 0 || le16(c->state.domain) != c->header.domain)
		return state_error("the state of the unfinished conversion is of another domain");
	return true;
}

/* The header in the root tree, and everything it vouches for, with the key that is open already. */
static bool read_domain(struct conversion *c, struct domain **domain, struct error *err)
{
	uint8_t mac[CRYPT_MAC_SIZE];
	bool authentic = false;

	if (!domain_read(c->volume, c->header.domain, domain, err))
		return err->kind == ERROR_NOT_FOUND ? state_error("the crypt items of the unfinished conversion are missing") : false;
	for (unsigned i = 0; i < 2 && !authentic; i++) {
		if (!(*domain)->copy_valid[i])
			continue;
		(*domain)->header = (*domain)->copy[i];
		if (!crypt_header_check(c->schedule, &(*domain)->header, &authentic, err))
			return false;
	}
	if (!authentic)
		return error_set(err, ERROR_KEY_HEADER, "the header of domain %u fails authentication", c->header.domain);
	if (memcmp((*domain)->header.domain_uuid, c->header.domain_uuid, CRYPT_UUID_SIZE) != 0 ||
	    memcmp((*domain)->header.op_id, c->state.op_id, CRYPT_UUID_SIZE) != 0)
		return error_set(err, ERROR_KEY_HEADER, "the header of domain %u is of another conversion", c->header.domain);
	if ((*domain)->header.epoch != c->header.epoch)
		return state_error("the header of domain %u is of epoch %" PRIu64 ", the conversion of %" PRIu64, c->header.domain,
				   (*domain)->header.epoch, c->header.epoch);
	if (!domain_items_mac(c->volume, c->header.domain, c->schedule, mac, err))
		return false;
	return secret_same(mac, (*domain)->header.items_mac, sizeof(mac)) ||
	       error_set(err, ERROR_KEY_HEADER, "the header of domain %u does not vouch for its key slots and members", c->header.domain);
}

/* Units at places before it are ciphertext. */
static uint64_t boundary_of(const struct conversion *c)
{
	return c->phase == CRYPT_PHASE_DATA ? c->cursor : c->phase == CRYPT_PHASE_STRUCTURE ? 0 : UNIT_PLACE_END;
}

struct unit_state {
	const struct conversion *c;
	bool placed_only;	/* nothing at or behind the cursor may be sealed */
};

static bool unit_fits_cursor(void *context, const struct crypt_unit *unit, uint64_t place, bool *go, struct error *err)
{
	const struct unit_state *state = context;
	const struct conversion *c = state->c;
	const uint64_t boundary = boundary_of(c);

	(void)go;
	if (place < boundary && !unit->sealed)
		return state_error("unit %#" PRIx64 " should be sealed by now and is not", unit->unit_id);
	if (place >= boundary && unit->sealed && state->placed_only)
		return state_error("unit %#" PRIx64 " is sealed, the conversion has not come to it", unit->unit_id);
	return true;
}

/* An encryption: the units lie over the extents exactly as they were laid out, and are sealed up to the cursor. */
static bool check_units(struct conversion *c, struct error *err)
{
	struct unit_state state = { c, c->direction == CRYPT_TO_SEALED };

	if (!unit_map_read(c->volume, c->header.domain, &c->units, err)) {
		if (err->kind == ERROR_CORRUPT)
			err->kind = ERROR_STATE;
		return false;
	}
	if (c->units->n_groups != c->scan->n_extents || c->units->n_items != c->header.n_unit_items)
		return state_error("there are units for %zu extents, the members have %zu", c->units->n_groups, c->scan->n_extents);
	for (size_t i = 0; i < c->scan->n_extents; i++) {
		struct unit_group *group = &c->units->group[i];

		if (group->unit_id != c->scan->extent[i].logical || group->extent_len != c->scan->extent[i].length)
			return state_error("the units at %#" PRIx64 " do not fit the extent %#" PRIx64, group->unit_id, c->scan->extent[i].logical);
		group->address = group->unit_id;	/* the stored one is a hint, and nothing has moved */
	}
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
	if (before != unit->sealed && (before || walk->state->c->direction == CRYPT_TO_SEALED))
		return state_error("the inline unit of inode %" PRIu64 " is %s, the conversion %s come to it", unit->inode,
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
		return state_error("there are %" PRIu64 " inline units, the members have %" PRIu64, walk.ordinal, state.n);
	return c->direction == CRYPT_TO_SEALED || inline_map_read(c->volume, c->header.domain, &c->inlines, err);
}

/* The members of an encryption are those it began with. */
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
	/* While items are still being placed they say nothing that could be wrong. */
	return c->phase == CRYPT_PHASE_STRUCTURE || (check_units(c, err) && check_inlines(c, err));
}

static bool take_sealed(struct conversion *c, struct domain *domain, struct error *err)
{
	const uint64_t boundary = boundary_of(c);
	const struct domain_view_options none = { 0 };
	bool changed;

	domain->schedule = c->schedule;
	c->schedule = NULL;
	if (!conversion_take_domain(c, domain, boundary, false, &none, &changed, err)) {
		if (!c->schedule) {
			c->schedule = domain->schedule;
			domain->schedule = NULL;
		}
		return false;
	}
	return true;
}

/* Everything about the members that the records do not say themselves. */
static bool take_and_check(struct conversion *c, struct error *err)
{
	cleanup_domain struct domain *domain = NULL;
	uint8_t digest[CRYPT_MAC_SIZE];

	if (!read_domain(c, &domain, err))
		return false;
	c->header = domain->header;
	if (!(c->state.operation == CRYPT_OP_ENCRYPT ? take_members(c, domain, err) : take_sealed(c, domain, err)))
		return false;

	const struct digest_input input = {
		.kind = DIGEST_FOUND,
		.scan = c->scan,
		.schedule = c->schedule,
		.flags = c->flags,
		.n_flags = c->n_flags,
		.flags_member = c->flags_member,
	};

	if (!begin_digest(&input, c->state.op_id, digest, err))
		return false;
	return secret_same(digest, c->state.begin_digest, sizeof(digest)) ||
	       state_error("the subvolumes are not what they were when the conversion began");
}

/* The subvolumes of the domain, whose leaves are read back. */
static bool scan_domain(struct conversion *c, const struct domain *domain, struct error *err)
{
	uint64_t *ids = calloc(c->list.n ? c->list.n : 1, sizeof(*ids));
	size_t n = 0;
	bool ok;

	if (!ids)
		return error_memory(err);
	for (size_t i = 0; i < c->list.n; i++) {
		if (domain_has(domain, &c->list, &c->list.at[i]))
			ids[n++] = c->list.at[i].id;
	}
	ok = scan_run(c->volume, ids, n, &c->scan, err);
	free(ids);
	return ok;
}

/* Everything is sealed: the header, for the seal that people are shown, and what has to be read back. */
static bool take_finished(struct conversion *c, struct error *err)
{
	cleanup_domain struct domain *domain = NULL;

	if (!read_domain(c, &domain, err))
		return false;
	c->header = domain->header;
	return scan_domain(c, domain, err);
}

/* --- going on --------------------------------------------------------------------------------------------- */

static bool reserve_places(struct conversion *c, struct error *err)
{
	if (!allocator_open(c->volume, &c->allocator, err))
		return false;
	for (unsigned i = 0; i <= CRYPT_JOURNAL_SLOTS; i++) {
		const struct disk_crypt_range *range = i < CRYPT_JOURNAL_SLOTS ? &c->state.slot[i] : &c->state.keys;

		if (!allocator_reserve(c->allocator, le64(range->logical), le64(range->length), err)) {
			err->kind = ERROR_STATE;
			return false;
		}
	}
	return true;
}

/* What the last records were overwriting when the power went could not be recognised by its tags; now it can. */
static bool join_again(struct conversion *c, struct error *err)
{
	if (c->state.operation != CRYPT_OP_DECRYPT || !c->units)
		return true;
	unit_map_free(c->units);
	c->units = NULL;
	return unit_map_read(c->volume, c->header.domain, &c->units, err) &&
	       unit_map_join(c->units, c->scan, c->schedule, boundary_of(c), err);
}

/* Turns round: one record that says so, and the superblocks. */
static bool turn(struct conversion *c, struct error *err)
{
	struct transaction *tx;

	c->direction = c->direction == CRYPT_TO_SEALED ? CRYPT_TO_PLAIN : CRYPT_TO_SEALED;
	c->header.state = c->direction == CRYPT_TO_SEALED ? CRYPT_STATE_SEALING : CRYPT_STATE_UNSEALING;
	if (!c->inlines && c->phase > CRYPT_PHASE_STRUCTURE &&
	    !inline_map_read(c->volume, c->header.domain, &c->inlines, err))
		return false;
	return transaction_begin(c->volume, c->allocator, &tx, err) && conversion_commit(c, tx, c->phase, c->cursor, NULL, 0, err) &&
	       state_write(c, err);
}

static bool continue_replayed(struct conversion *c, enum convert_goal goal, struct error *err)
{
	struct crypt_range slot[CRYPT_JOURNAL_SLOTS];
	struct replay replay = { 0 };
	bool ok, turns;

	for (unsigned i = 0; i < CRYPT_JOURNAL_SLOTS; i++)
		slot[i] = (struct crypt_range){ le64(c->state.slot[i].logical), le64(c->state.slot[i].length) };
	if (!conversion_open_journal(c, slot, err))
		return false;
	ok = replay_load(c, &replay, err) && check_goal(c, goal, err) && subvolume_list_read(c->volume, &c->list, err) &&
	     reserve_places(c, err) &&
	     (conversion_is_cut(c->direction, c->phase, c->cursor) ||
	      (c->phase >= CRYPT_PHASE_FINISH ? take_finished(c, err) : take_and_check(c, err))) &&
	     replay_check(c, &replay, err) && replay_write(c, &replay, err) && join_again(c, err);
	replay_free(&replay);
	if (!ok)
		return false;
	if (c->scan && !plan_fill(c, err))
		return false;
	turns = goal == CONVERT_ABORT && (c->state.operation == CRYPT_OP_ENCRYPT) == (c->direction == CRYPT_TO_SEALED);
	return (!turns || turn(c, err)) && conversion_run(c, err);
}

/* Only cleaning up is left; the journal may be wiped already. */
static bool continue_finish(struct conversion *c, enum convert_goal goal, struct error *err)
{
	c->direction = c->state.direction;
	c->phase = c->state.phase;
	c->cursor = le64(c->state.cursor);
	c->header.epoch = le64(c->state.epoch);
	c->journal.sequence = le64(c->state.sequence);
	memcpy(c->journal.last_mac, c->state.journal_mac, sizeof(c->journal.last_mac));
	/* An old state put back would name places that may be in use by now: what is wiped must be free. */
	return check_goal(c, goal, err) && reserve_places(c, err) &&
	       (c->direction == CRYPT_TO_PLAIN || (subvolume_list_read(c->volume, &c->list, err) && take_finished(c, err))) &&
	       finish_run(c, err);
}

static void report(struct conversion *c)
{
	struct domain domain = { .header = c->header };

	if (c->direction == CRYPT_TO_PLAIN)
		return;
	domain_tag_text(&domain, c->plan->key_tag);
	memcpy(c->plan->seal_fingerprint, c->header.seal, sizeof(c->plan->seal_fingerprint));
}

static bool go_on(struct conversion *c, enum convert_goal goal, const struct convert_key *key, struct error *err)
{
	cleanup_domain struct domain *domain = NULL;
	struct crypt_state_tail tail;

	if (!state_open(c->volume, key, &tail, &domain, err))
		return false;
	c->header = domain->header;
	c->schedule = domain->schedule;
	domain->schedule = NULL;
	c->state = tail.disk;
	if (!check_state(c, err) ||
	    !(tail.phase >= CRYPT_PHASE_FINISH ? continue_finish(c, goal, err) : continue_replayed(c, goal, err)))
		return false;
	report(c);
	return true;
}

/* A clean mirror beside a torn primary: the conversion had finished, or had not begun. */
static bool restore_primary(struct volume *volume, const struct convert_ui *ui, struct error *err)
{
	const struct conversion c = { .ui = ui };
	const struct disk_superblock disk = volume->super.disk;

	conversion_note(&c, "the primary superblock is written again from copy %u", volume->super_used);
	return volume_write_supers(volume, &disk, err);
}

/* A decryption that only the superblocks still tell of. */
static bool clear_without_key(struct volume *volume, const struct crypt_state_tail *tail, unsigned copy, enum convert_goal goal,
			      bool *cleared, struct error *err)
{
	const struct conversion c = { .volume = volume, .state = tail->disk, .direction = tail->direction, .phase = tail->phase };

	if (!state_needs_no_key(volume, tail, copy, cleared, err))
		return false;
	if (!*cleared)
		return true;
	if (!check_goal(&c, goal, err))
		return false;

	struct disk_superblock disk = volume->super.disk;

	memset(disk.tail, 0, sizeof(disk.tail));
	disk.incompat_flags = to_le64(le64(disk.incompat_flags) & ~INCOMPAT_CRYPT_UNFINISHED);
	return volume_write_supers(volume, &disk, err);
}

bool convert_continue(struct volume *volume, enum convert_goal goal, const struct convert_key *key, const struct convert_ui *ui,
		      struct convert_plan *plan, struct error *err)
{
	struct conversion c = { .volume = volume, .ui = ui, .plan = plan };
	struct crypt_state_tail tail;
	struct error unread;	/* a tail beside a good one */
	const struct super_copy *copy = state_newest(volume, &tail, &unread);
	bool ok, cleared;

	if (!copy) {
		if (volume->copy[0].exists && !volume->copy[0].valid)
			return restore_primary(volume, ui, err);
		if (volume->super.incompat & INCOMPAT_CRYPT_UNFINISHED)
			return state_error("the state of the unfinished conversion cannot be read");
		return error_set(err, ERROR_REFUSED, "there is no unfinished conversion");
	}
	if (!clear_without_key(volume, &tail, (unsigned)(copy - volume->copy), goal, &cleared, err))
		return false;
	if (cleared)
		return true;
	ok = go_on(&c, goal, key, err);
	conversion_close(&c);
	return ok;
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "common/convert/key-change.h"

#include <inttypes.h>
#include <stdlib.h>

#include "common/convert/found-record.h"
#include "common/convert/key-change-inside.h"
#include "common/convert/preflight.h"
#include "common/convert/wipe.h"
#include "common/sealed/domain-mac.h"
#include "common/sealed/domain-slots.h"
#include "common/sealed/domain-write.h"
#include "common/util/take.h"

/* It is never 0, which a cursor of this phase is where an unsealing has removed everything. */
#define CURSOR 1u

/* Flags of the state. */
#define WIPES (CRYPT_STATE_WIPE_METADATA | CRYPT_STATE_WIPE_FREE)

void changing_close(struct changing *c)
{
	operation_close(&c->op);
	allocator_close(c->allocator);
	c->allocator = NULL;
}

/* Puts these slots into the root tree, as a record. kept: numbers under which nothing is changed. */
static bool commit_slots(struct changing *c, const struct disk_crypt_slot *slots, size_t n, uint32_t kept, bool is_first, struct error *err)
{
	const struct domain_items items = { .slots = slots, .n_slots = n, .slots_kept = kept };
	struct transaction *tx;

	if (!transaction_begin(c->volume, c->allocator, &tx, err))
		return false;
	if (!domain_write(tx, c->volume, c->domain->schedule, &items, &c->header, err)) {
		transaction_drop(tx);
		return false;
	}
	return is_first ? operation_commit_first(&c->op, tx, &c->at, err) : operation_commit(&c->op, tx, &c->at, false, NULL, err);
}

bool changing_finish(struct changing *c, struct error *err)
{
	uint64_t unwiped;

	if (c->at.phase < CRYPT_PHASE_FINISH) {
		c->at.phase = CRYPT_PHASE_FINISH;
		if (!operation_write_state(&c->op, &c->at, err))
			return false;
	}
	return (le32(c->op.state.flags) & WIPES ? wipe_all(&c->op, c->ui, c->at.direction, &unwiped, err) : wipe_journal(&c->op, err)) &&
	       operation_clear(&c->op, &c->at, true, err);
}

/*
 * The old ones, for which the header vouches, and then the new ones. What is wrong with a slot that this change removes or replaces is given up
 * with the first step: nothing could put it back.
 */
static bool write_copies(struct changing *c, const struct key_change *change, struct error *err)
{
	struct disk_crypt_slot *const all = calloc(DOMAIN_KEYS_SLOTS_MAX, sizeof(*all));
	bool ok = all || error_memory(err);
	size_t n = ok ? domain_right_slots(c->domain, all) : 0;

	for (unsigned i = 0; i < CRYPT_SLOTS_MAX; i++)
		if (domain_slot_is(c->domain, i) != DOMAIN_SLOT_RIGHT && !(change->kept >> i & 1))
			memset(c->header.slot_hash[i], 0, CRYPT_SLOT_HASH_SIZE);
	for (size_t i = 0; ok && i < change->n_slots; i++)
		all[n++] = change->slots[i];
	ok = ok && operation_write_keys(&c->op, all, n, err);
	free(all);
	return ok;
}

/*
 * In metadata groups, whose free space is wiped by whoever removes a key later, with what a crash leaves here. Only if they have no room, in
 * data groups.
 */
static bool find_places(struct changing *c, uint64_t work, struct operation_places *places, struct error *err)
{
	const uint32_t node_size = c->volume->super.node_size;

	if (!allocator_open_metadata(c->volume, &c->allocator, err))
		return false;
	if (preflight_places(c->allocator, node_size, work, places, err))
		return true;
	allocator_close(TAKE(c->allocator));
	return err->kind == ERROR_NO_SPACE && allocator_open(c->volume, &c->allocator, err) &&
	       preflight_places(c->allocator, node_size, work, places, err);
}

bool changing_begin(struct changing *c, uint32_t flags, uint64_t work, struct error *err)
{
	struct operation_places places;

	if (!preflight_features(c->volume, err) || !wipe_check_free(c->volume, c->ui, err) || !domain_check_finished(c->volume, c->domain, err) ||
	    !find_places(c, work, &places, err) || !crypto_random(c->header.op_id, sizeof(c->header.op_id), err))
		return false;
	c->op = (struct operation){ .volume = c->volume, .header = &c->header, .schedule = c->domain->schedule };
	operation_begin(&c->op, CRYPT_OP_KEYS, &places);
	c->op.state.flags = to_le32(flags | operation_wanted_flags(c->ui));
	c->at = (struct journal_point){ .direction = CRYPT_TO_SEALED, .phase = CRYPT_PHASE_STRUCTURE, .cursor = CURSOR };
	return operation_open_journal(&c->op, err);
}

static bool change(struct changing *c, const struct key_change *change, struct error *err)
{
	return changing_begin(c, change->wipe ? CRYPT_STATE_WIPE_METADATA : 0, 0, err) && write_copies(c, change, err) &&
	       commit_slots(c, change->slots, change->n_slots, change->kept, true, err) && changing_finish(c, err);
}

bool key_change(struct volume *volume, struct domain *domain, const struct key_change *wanted, const struct convert_ui *ui, struct error *err)
{
	struct changing c = { .volume = volume, .domain = domain, .header = domain->header, .ui = ui };
	const bool ok = change(&c, wanted, err);

	changing_close(&c);
	return ok;
}

/* --- after a crash ------------------------------------------------------------------------------------------------- */

static bool check_goal(const struct changing *c, enum convert_goal goal, struct error *err)
{
	const bool forward = crypt_is_forward(CRYPT_OP_KEYS, c->at.direction);

	if (goal == CONVERT_ABORT && forward && c->at.phase >= CRYPT_PHASE_FINISH) {
		error_set(err, ERROR_REFUSED, "there is nothing to undo: the key slots are changed, only the cleanup is left");
		return error_hint(err, "`convert --resume` finishes it");
	}
	if (goal != CONVERT_ABORT && !forward) {
		error_set(err, ERROR_REFUSED, "the unfinished change of key slots is being undone: it can only be finished");
		return error_hint(err, "`convert --abort` finishes it");
	}
	if (goal == CONVERT_RESUME_DECRYPT) {
		error_set(err, ERROR_REFUSED, "what is unfinished is a change of key slots, not an unsealing");
		return error_hint(err, "`convert --resume` goes on, `convert --abort` undoes it");
	}
	return true;
}

/* Is the header in the root tree the one of this epoch, and does it vouch for what is there? */
static bool check_tree(struct changing *c, struct error *err)
{
	cleanup_domain struct domain *found = NULL;
	uint8_t mac[CRYPT_MAC_SIZE];
	bool authentic;

	/* What an undone restore has put back is what was found, right or wrong. */
	if (changing_restores(c) && !crypt_is_forward(CRYPT_OP_KEYS, c->at.direction))
		return true;
	if (!domain_read(c->volume, c->header.domain, &found, err) && err->kind != ERROR_NOT_FOUND)
		return false;
	for (unsigned i = 0; found && i < 2; i++) {
		struct crypt_header *const copy = &found->copy[i];

		if (!found->copy_valid[i])
			continue;
		if (!crypt_header_check(c->domain->schedule, copy, &authentic, err))
			return false;
		if (!authentic || copy->epoch != c->header.epoch || memcmp(copy->op_id, c->op.state.op_id, sizeof(copy->op_id)) != 0)
			continue;
		if (!domain_items_mac(c->volume, copy->domain, c->domain->schedule, mac, err))
			return false;
		c->header = found->header = *copy;
		if (!secret_same(mac, copy->items_mac, sizeof(mac)))
			return error_set(err, ERROR_KEY_HEADER, "the header of sealing %u does not vouch for its subvolumes", copy->domain);
		domain_slots_warn(found);
		return domain_slots_check_copies(c->domain, found, err);
	}
	return error_set(err, ERROR_STATE, "no authentic header of sealing %u has epoch %" PRIu64,
			 c->header.domain, c->header.epoch);
}

/* Is it to be undone, but has not turned round yet? */
static bool turns_round(const struct changing *c, enum convert_goal goal)
{
	return goal == CONVERT_ABORT && crypt_is_forward(CRYPT_OP_KEYS, c->at.direction);
}

struct old_slots {
	struct disk_crypt_slot at[CRYPT_SLOTS_MAX];
	size_t n;
	uint32_t kept;		/* the change did not touch them */
};

/*
 * Those in the copies for which the header there vouches: only a hash that anybody can compute covers them. One that was wrong before the change,
 * and was not to be replaced, is not among them, but then the new header says the same about it.
 */
static bool find_old_slots(const struct changing *c, struct old_slots *old, struct error *err)
{
	const struct domain *const copies = c->domain;
	uint32_t found = 0;
	bool is_whole = copies->unfinished;

	*old = (struct old_slots){ 0 };
	for (size_t i = 0; i < copies->n_slots; i++) {
		const struct crypt_slot *const slot = &copies->slots[i];
		bool is_old;

		if (!crypt_header_has_this(&copies->header, &slot->disk, &is_old, err))
			return false;
		if (!is_old || found >> slot->number & 1)
			continue;
		found |= 1u << slot->number;
		old->at[old->n++] = slot->disk;
	}
	for (unsigned i = 0; i < CRYPT_SLOTS_MAX; i++) {
		const bool same = memcmp(c->header.slot_hash[i], copies->header.slot_hash[i], CRYPT_SLOT_HASH_SIZE) == 0;

		if (!(found >> i & 1) && same)
			old->kept |= 1u << i;
		is_whole &= found >> i & 1 || same || !crypt_header_has_slot(&copies->header, i);
	}
	if (is_whole)
		return true;
	error_set(err, ERROR_KEY_HEADER, "the copies of the old key slots are damaged; the change cannot be undone");
	return error_hint(err, "`convert --resume` finishes it");
}

static bool may_turn(const struct changing *c, struct error *err)
{
	struct old_slots old;

	return changing_restores(c) || find_old_slots(c, &old, err);
}

/* Puts the old slots back. */
static bool turn(struct changing *c, const struct replay *replay, struct error *err)
{
	struct old_slots old;

	if (changing_restores(c))
		return found_record_put_back(&c->op, c->allocator, replay, &c->at, err);
	if (!find_old_slots(c, &old, err))
		return false;
	c->at.direction = CRYPT_TO_PLAIN;
	return commit_slots(c, old.at, old.n, old.kept, false, err) && operation_write_state(&c->op, &c->at, err);
}

static bool continue_replayed(struct changing *c, enum convert_goal goal, struct error *err)
{
	const struct replay_owner none = { 0 };
	struct replay replay = { 0 };
	bool ok;

	ok = operation_open_journal(&c->op, err) && replay_load(&c->op, &none, &replay, err);
	c->at = ok ? replay.at : c->at;
	ok = ok && check_goal(c, goal, err) && operation_reserve(&c->op, &c->allocator, err) && check_tree(c, err) &&
	     (!turns_round(c, goal) || may_turn(c, err)) && replay_check(&c->op, &replay, err) && operation_claim(&c->op, err) &&
	     replay_write(&c->op, &replay, err) && (!turns_round(c, goal) || turn(c, &replay, err));
	replay_free(&replay);
	return ok && changing_finish(c, err);
}

/* The journal may be wiped already. */
static bool continue_finish(struct changing *c, enum convert_goal goal, struct error *err)
{
	c->op.journal.sequence = le64(c->op.state.sequence);
	memcpy(c->op.journal.last_mac, c->op.state.journal_mac, sizeof(c->op.journal.last_mac));
	return check_goal(c, goal, err) && operation_reserve(&c->op, &c->allocator, err) && check_tree(c, err) && operation_claim(&c->op, err) && changing_finish(c, err);
}

bool key_change_continue(struct volume *volume, const struct crypt_state_tail *tail, struct domain *domain, enum convert_goal goal,
			 const struct convert_ui *ui, struct convert_plan *plan, struct error *err)
{
	struct changing c = {
		.volume = volume, .domain = domain, .header = domain->header, .ui = ui,
		.at = { .direction = tail->direction, .phase = tail->phase, .cursor = tail->cursor },
	};
	bool ok;

	c.op = (struct operation){ .volume = volume, .header = &c.header, .schedule = domain->schedule, .state = tail->disk };
	c.header.epoch = tail->epoch;
	c.op.state.flags = to_le32(le32(c.op.state.flags) | operation_wanted_flags(ui));
	ok = operation_fits(&c.op, err) && (tail->phase >= CRYPT_PHASE_FINISH ? continue_finish : continue_replayed)(&c, goal, err);
	plan->keys_changed = true;
	plan->undone = crypt_is_forward(CRYPT_OP_KEYS, c.at.direction) ? UNDONE_NOTHING : UNDONE_KEYS;
	changing_close(&c);
	return ok;
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Continues an unfinished conversion. Everything that must hold is checked before the first write. */
#include <inttypes.h>
#include <stdlib.h>

#include "common/convert/bad-blocks.h"
#include "common/convert/check-units.h"
#include "common/convert/commit.h"
#include "common/convert/continue-check.h"
#include "common/convert/conversion.h"
#include "common/convert/copy.h"
#include "common/convert/differing.h"
#include "common/convert/false-state.h"
#include "common/convert/finish.h"
#include "common/convert/goal.h"
#include "common/convert/key-change.h"
#include "common/convert/keyless.h"
#include "common/convert/legacy.h"
#include "common/convert/lost-record.h"
#include "common/convert/memory.h"
#include "common/convert/plan-room.h"
#include "common/convert/plan.h"
#include "common/convert/purge.h"
#include "common/convert/reattached.h"
#include "common/convert/replay-data.h"
#include "common/convert/run.h"
#include "common/convert/state.h"
#include "common/convert/status.h"
#include "common/sealed/scan-bad.h"
#include "common/util/take.h"
#include "common/volume/still-ours.h"
#include "common/volume/tolerance.h"

#define state_error(...) error_set(err, ERROR_STATE, __VA_ARGS__)

/* --- what the user may ask for ------------------------------------------------------------------- */

static bool check_goal(const struct conversion *c, enum convert_goal goal, struct error *err)
{
	const struct crypt_state_tail at = {
		.disk = c->op.state, .operation = c->op.state.operation, .direction = c->direction, .phase = c->phase, .cursor = c->cursor,
	};

	return convert_goal_fits(&at, goal, err);
}

bool convert_check_goal(struct volume *volume, enum convert_goal goal, struct error *err)
{
	struct crypt_state_tail tail;
	struct error unread = { 0 };

	return !state_newest(volume, &tail, &unread) || !state_is_unanimous(volume, &tail) || tail.operation == CRYPT_OP_KEYS ||
	       convert_goal_fits(&tail, goal, err);
}

/* --- going on --------------------------------------------------------------------------------------------- */

/*
 * Once the crypt items are cut off, no header is left whose epoch would show that a missing record is already in place. Such a record could
 * only free blocks, so the number in the block groups counts.
 */
static void take_bytes_used(struct conversion *c)
{
	uint64_t used = 0;

	for (size_t i = 0; i < allocator_n_groups(c->allocator); i++)
		used += allocator_group(c->allocator, i)->used;
	superblock_set_bytes_used(&c->volume->super, used);
}

/* What the last records were overwriting when the power failed could not be recognised by its tags. Now it can. */
static bool join_again(struct conversion *c, struct error *err)
{
	if (c->op.state.operation != CRYPT_OP_DECRYPT || !c->units)
		return true;
	unit_map_free(c->units);
	c->units = NULL;
	return unit_map_read(c->volume, c->header.domain, &c->units, err) &&
	       unit_map_join(c->units, c->scan, c->schedule, conversion_boundary(c), err) && continue_check_extents(c, NULL, err);
}

/* Is it to be undone, but has not turned round yet? */
static bool turns_round(const struct conversion *c, enum convert_goal goal)
{
	return goal == CONVERT_ABORT && crypt_is_forward(c->op.state.operation, c->direction);
}

/* Turns round: writes one record that says so, and the superblocks. */
static bool turn(struct conversion *c, struct error *err)
{
	struct transaction *tx;

	c->direction = conversion_to(c)->other->direction;
	c->header.state = conversion_to(c)->state;
	if (!c->inlines && c->phase > CRYPT_PHASE_STRUCTURE &&
	    !inline_map_read(c->volume, c->header.domain, &c->inlines, err))
		return false;
	return transaction_begin(c->volume, c->allocator, &tx, err) && conversion_commit(c, tx, c->phase, c->cursor, err) &&
	       conversion_write_state(c, err);
}

/* For the report: what an abort undoes, and where it turned round. */
static void note_undone(struct conversion *c, enum convert_goal goal)
{
	const struct crypt_state_tail at = {
		.direction = c->direction, .phase = c->phase, .cursor = c->cursor, .n_unit_items = le64(c->op.state.n_unit_items),
	};

	if (goal != CONVERT_ABORT)
		return;
	if (c->op.state.operation == CRYPT_OP_DECRYPT && le32(c->op.state.flags) & CRYPT_STATE_RESTORE)
		conversion_note(c, "the header and the key slots stay those of the header backup with which the unsealing began");
	if (le32(c->op.state.flags) & CRYPT_STATE_COPY)
		conversion_note(c, "what was copied because other subvolumes share it stays copied, and takes its room");
	c->plan->undone = conversion_is_rekey(c) ? UNDONE_REKEYING :
			  c->op.state.operation == CRYPT_OP_ENCRYPT ? UNDONE_SEALING : UNDONE_UNSEALING;
	c->plan->undone_here = turns_round(c, goal);
	c->plan->undone_percent = state_percent(&at);
}

static bool take(struct conversion *c, struct error *err)
{
	return (c->phase >= CRYPT_PHASE_FINISH || conversion_is_rekeyed(c) ? continue_take_finished(c, err) : continue_take(c, err)) && bad_blocks_read(c, err) &&
	       bad_blocks_tell(c, err);
}

/*
 * After the cut nothing says which subvolumes were unsealed, so all of them are checked. Their blocks were compared before the cut, and
 * what went bad since then cannot be undone: the conversion finishes and reports it.
 */
static bool look_for_unread(struct conversion *c, struct error *err)
{
	uint64_t *ids = reallocarray(NULL, c->list.n + 1, sizeof(*ids));
	cleanup_scan struct scan *scan = NULL;
	bool ok = ids || error_memory(err);
	struct error why = { 0 };	/* also that of a mirror beside a good one */
	size_t n = 0;

	/* A dead subvolume was not among them, and may be dropped by half. */
	for (size_t i = 0; ok && i < c->list.n; i++)
		if (!c->list.at[i].deleted)
			ids[n++] = c->list.at[i].id;
	if (ok && !scan_run_over(c->volume, ids, n, &scan, &why)) {
		ok = error_is_damage(&why);
		*err = c->not_whole = why;
	} else if (ok && scan_has_lost(scan)) {
		error_set(&c->not_whole, ERROR_CORRUPT, "subvolume %" PRIu64 ": %s", scan->member[scan->bad[0].member], scan->bad[0].what);
	} else if (ok && c->list.n_lost > 0) {
		error_set(&c->not_whole, ERROR_CORRUPT, "subvolume %" PRIu64 ": %s", c->list.lost[0].id, c->list.lost[0].what);
	}
	error_hint(&c->not_whole, "`btrfs check` lists all damage; `btrfs-crypt export` saves everything else");
	free(ids);
	return ok;
}

/* If a subvolume that is being converted is among the damaged ones, the begin digest tells. */
static bool read_list(struct conversion *c, struct error *err)
{
	if (!subvolume_list_read_over(c->volume, &c->list, err))
		return false;
	for (size_t i = 0; i < c->list.n_lost; i++)
		conversion_note(c, "subvolume %" PRIu64 ": %s", c->list.lost[i].id, c->list.lost[i].what);
	return true;
}

/* With the last records laid over the trees in memory: everything that must hold before the first write, and what is known of the damage. */
static bool check_all(struct conversion *c, struct replay *replay, enum convert_goal goal, struct error *err)
{
	if (!conversion_replay_load(c, replay, err) || !check_goal(c, goal, err) || !read_list(c, err) || !operation_reserve(&c->op, &c->allocator, err))
		return false;
	if (conversion_is_cut(c->direction, c->phase, c->cursor) ? !look_for_unread(c, err) : !take(c, err) || !csums_kept(c, err))
		return false;
	/* The conversion stops before the first block of which nobody knows which copy is right, unless it was told what to do. */
	if (conversion_is_first_time(c) && c->phase <= CRYPT_PHASE_DATA && !differing_find(c, err))
		return false;
	if (copy_is_pending(c) && conversion_to(c)->is_sealed && !turns_round(c, goal) && (!copy_plan_make(c->scan, &c->copy, err) || !plan_keepers(c, err)))
		return false;
	return continue_check_extents(c, replay, err) && replay_check(&c->op, replay, err) &&
	       lost_record_look(c, replay, turns_round(c, goal), err) &&
	       plan_check_bad_blocks(c, c->bad.n - c->bad.n_stored + c->lost.n_damaged, err);
}

/* The first writes: the last records, what was found of a lost one, and the damage that was found on the way. */
static bool catch_up(struct conversion *c, struct replay *replay, struct error *err)
{
	return operation_claim(&c->op, err) && replay_write(&c->op, replay, err) && join_again(c, err) && lost_record_take(c, err) && bad_blocks_keep(c, err);
}

static bool continue_replayed(struct conversion *c, enum convert_goal goal, struct error *err)
{
	struct replay replay = { 0 };
	bool ok;

	if (!conversion_open_journal(c, err))
		return false;
	ok = check_all(c, &replay, goal, err) && conversion_hold_memory(c, err) && conversion_may_begin(c, err) && catch_up(c, &replay, err);
	replay_free(&replay);
	if (!ok)
		return false;
	if (conversion_is_cut(c->direction, c->phase, c->cursor))
		take_bytes_used(c);
	if (c->scan && !plan_fill(c, err))
		return false;
	note_undone(c, goal);
	if (turns_round(c, goal) && (!lost_record_finish(c, err) || !turn(c, err)))
		return false;
	return conversion_run(c, err);
}

/* Only cleaning up is left. The journal may be wiped already. */
static bool continue_finish(struct conversion *c, enum convert_goal goal, struct error *err)
{
	c->direction = c->op.state.direction;
	c->phase = c->op.state.phase;
	c->cursor = le64(c->op.state.cursor);
	c->header.epoch = le64(c->op.state.epoch);
	c->op.journal.sequence = le64(c->op.state.sequence);
	memcpy(c->op.journal.last_mac, c->op.state.journal_mac, sizeof(c->op.journal.last_mac));
	note_undone(c, goal);
	/* An old state that was put back would name places that may be in use by now. What is wiped must be free. */
	if (!check_goal(c, goal, err) || !lost_record_number_fits(c, err) || !operation_reserve(&c->op, &c->allocator, err) || !read_list(c, err))
		return false;
	if (!conversion_to(c)->is_sealed ? !look_for_unread(c, err) : !take(c, err) || !csums_kept(c, err))
		return false;
	return conversion_hold_memory(c, err) && conversion_may_begin(c, err) && operation_claim(&c->op, err) && finish_run(c, err);
}

static bool go_on(struct conversion *c, enum convert_goal goal, const struct key_source *key, struct error *err)
{
	cleanup_domain struct domain *domain = NULL;
	struct crypt_state_tail tail;

	if (!state_open(c->volume, key, &tail, &domain, err))
		return false;
	conversion_forget_secrets(c);
	if (tail.operation == CRYPT_OP_KEYS)
		return key_change_continue(c->volume, &tail, domain, goal, c->ui, c->plan, err);
	c->header = domain->header;
	c->schedule = TAKE(domain->schedule);
	if (goal == CONVERT_ABORT ? tail.operation == CRYPT_OP_DECRYPT : side_to(tail.operation, tail.direction)->is_sealed)
		c->keys = domain;
	conversion_resume(c, &tail.disk);
	if (!operation_fits(&c->op, err))
		return false;
	/* This takes effect with the next state that is written. */
	c->op.state.flags = to_le32(le32(c->op.state.flags) | operation_wanted_flags(c->ui));
	if (!(tail.phase >= CRYPT_PHASE_FINISH ? continue_finish(c, goal, err) : continue_replayed(c, goal, err)))
		return false;
	if (conversion_to(c)->is_sealed)
		conversion_report(c);
	return true;
}

/* A clean mirror beside a torn primary: the conversion had finished, or had not begun. */
static bool restore_primary(struct volume *volume, const struct convert_ui *ui, struct error *err)
{
	const struct conversion c = { .ui = ui };
	const struct disk_superblock disk = volume->super.disk;
	char damaged[COPY_TEXT_SIZE], used[COPY_TEXT_SIZE];

	conversion_note(&c, "rewriting %s from %s", super_copy_text(volume, volume_damaged_primary(volume), damaged),
			super_copy_text(volume, &volume->copy[volume->super_used], used));
	return volume_still_ours(volume, err) && volume_write_supers(volume, &disk, err);
}

/* Nothing is unfinished: a mirror said so, but the key proved it wrong. */
static bool drop_state(struct volume *volume, const struct convert_ui *ui, struct error *err)
{
	const struct conversion c = { .ui = ui };
	const struct super_copy *const decisive = &volume->copy[volume_decisive_copy(volume)];
	const struct disk_superblock disk = decisive->super.disk;
	char text[COPY_TEXT_SIZE];

	conversion_note(&c, "no conversion is unfinished: a copy of the superblock wrongly says so; all copies are rewritten from %s",
			super_copy_text(volume, decisive, text));
	return volume_still_ours(volume, err) && volume_write_supers(volume, &disk, err);
}

/* A decryption that only the superblocks still record. */
static bool clear_without_key(struct volume *volume, const struct crypt_state_tail *tail, unsigned copy, enum convert_goal goal,
			      bool *cleared, struct error *err)
{
	struct conversion c = { .volume = volume, .op.state = tail->disk, .direction = tail->direction, .phase = tail->phase };

	if (!state_needs_no_key(volume, tail, copy, cleared, err))
		return false;
	if (!*cleared)
		return true;

	struct disk_superblock disk = volume->super.disk;

	superblock_clear_state(&disk);
	if (tail->operation == CRYPT_OP_KEYS)
		return volume_still_ours(volume, err) && volume_write_supers(volume, &disk, err);

	const bool ok = check_goal(&c, goal, err) && read_list(&c, err) && look_for_unread(&c, err) &&
			volume_still_ours(volume, err) && volume_write_supers(volume, &disk, err) && finish_tell(&c, err);

	conversion_close(&c);
	return ok;
}

bool convert_continue(struct volume *volume, enum convert_goal goal, const struct key_source *key, const struct convert_ui *ui,
		      struct convert_plan *plan, struct error *err)
{
	struct conversion c = { .volume = volume, .ui = ui, .plan = plan };
	struct crypt_state_tail tail;
	struct error unread = { 0 };	/* a tail beside a good one */
	const struct super_copy *copy = state_newest(volume, &tail, &unread);
	bool ok, cleared, is_false;

	if (!copy) {
		if (volume_damaged_primary(volume))
			return restore_primary(volume, ui, err);
		if (volume_is_unfinished(volume))
			return state_unreadable(volume, &unread, err);
		return error_set(err, ERROR_REFUSED, "there is no unfinished conversion");
	}
	if (!reattached_check(volume, &tail, err))
		return false;
	if (state_all_are(volume, CRYPT_OP_PURGE))
		return convert_purge_continue(volume, goal, ui, plan, err);
	if (tail.operation == CRYPT_OP_LEGACY)
		return convert_legacy_continue(volume, goal, key, ui, plan, err);
	if (!clear_without_key(volume, &tail, (unsigned)(copy - volume->copy), goal, &cleared, err))
		return false;
	if (cleared)
		return true;
	if (!state_is_false(volume, tail.domain, key, &is_false, err))
		return false;
	if (is_false)
		return drop_state(volume, ui, err);
	ok = go_on(&c, goal, key, err);
	if (!ok)
		state_hint(volume, err);
	conversion_close(&c);
	return ok;
}

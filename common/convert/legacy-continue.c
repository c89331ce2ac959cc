/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Goes on with the decryption of the format of 2016, or undoes it. Everything that must hold is checked before the first write. */
#include <inttypes.h>
#include <stdlib.h>

#include "common/convert/goal.h"
#include "common/convert/legacy-run.h"
#include "common/convert/plan.h"
#include "common/convert/replay.h"
#include "common/convert/state.h"
#include "common/convert/status.h"
#include "common/util/take.h"

/* --- the key ------------------------------------------------------------------------------------------------------------------ */

struct opening {
	const struct secret *key;
	struct key_schedule *schedule;
};

static bool open_copy(void *context, struct volume *volume, const struct crypt_state_tail *tail, const struct key_schedule **schedule,
		      struct error *err)
{
	struct opening *const opening = context;
	uint8_t kcv[CRYPT_MAC_SIZE];

	(void)volume;
	key_schedule_free(TAKE(opening->schedule));
	if (tail->operation != CRYPT_OP_LEGACY)
		return error_set(err, ERROR_STATE, "the state of the unfinished conversion fails authentication");
	if (!key_schedule_new_legacy(opening->key, tail->disk.op_id, &opening->schedule, err) || !key_schedule_kcv(opening->schedule, kcv, err))
		return false;
	*schedule = opening->schedule;
	return secret_same(kcv, tail->disk.kcv, sizeof(kcv)) || error_set(err, ERROR_KEY, "Key was rejected by service");
}

static bool find_state(struct volume *volume, const struct key_source *key, struct crypt_state_tail *tail, struct key_schedule **schedule,
		       struct error *err)
{
	struct opening opening = { .key = key->volume_key };
	bool ok;

	if (!key->volume_key)
		return error_set(err, ERROR_KEY, "no key was given");
	ok = state_find(volume, &(struct state_opener){ open_copy, &opening }, tail, err);
	*schedule = TAKE(opening.schedule);
	return ok;
}

bool convert_legacy_state(struct volume *volume, const struct key_source *key, struct crypt_state_tail *tail, struct error *err)
{
	cleanup_key_schedule struct key_schedule *schedule = NULL;

	return find_state(volume, key, tail, &schedule, err);
}

/* --- what there is ------------------------------------------------------------------------------------------------------------ */

static bool check_goal(const struct legacy_run *run, enum convert_goal goal, struct error *err)
{
	const struct crypt_state_tail at = {
		.disk = run->op.state, .operation = CRYPT_OP_LEGACY, .direction = run->at.direction, .phase = run->at.phase, .cursor = run->at.cursor,
	};

	return convert_goal_fits(&at, goal, err);
}

/* Is it to be undone, but has not turned round yet? */
static bool turns_round(const struct legacy_run *run, enum convert_goal goal)
{
	return goal == CONVERT_ABORT && !legacy_is_undoing(run);
}

static void note_undone(struct legacy_run *run, enum convert_goal goal)
{
	const struct crypt_state_tail at = {
		.operation = CRYPT_OP_LEGACY, .direction = run->at.direction, .phase = run->at.phase, .cursor = run->at.cursor,
		.n_unit_items = le64(run->op.state.n_unit_items),
	};

	run->plan->decrypted = true;
	if (goal != CONVERT_ABORT)
		return;
	run->plan->undone = UNDONE_DECRYPTION;
	run->plan->undone_here = turns_round(run, goal);
	run->plan->undone_percent = state_percent(&at);
}

/* Those whose root items have the operation's id. */
static bool members(const struct legacy_run *run, uint64_t **ids, size_t *n, struct error *err)
{
	*n = 0;
	*ids = calloc(run->list.n + 1, sizeof(**ids));
	if (!*ids)
		return error_memory(err);
	for (size_t i = 0; i < run->list.n; i++) {
		if (legacy_root_has_id(&run->list.at[i].root, run->op.state.op_id))
			(*ids)[(*n)++] = run->list.at[i].id;
	}
	return true;
}

/* After the last record only cleaning up is left, in either direction. */
static bool is_last(const struct legacy_run *run)
{
	return legacy_is_undoing(run) ? run->at.phase == CRYPT_PHASE_LEAVES && run->at.cursor == UINT64_MAX :
					run->at.phase == CRYPT_PHASE_STRUCTURE && run->at.cursor == 0;
}

static bool take(struct legacy_run *run, const struct secret *key, struct error *err)
{
	struct conversion c;
	uint64_t *ids, ignored;
	bool ok, is_as_begun;
	size_t n;

	if (!subvolume_list_read(run->volume, &run->list, err) || !members(run, &ids, &n, err))
		return false;
	ok = n > 0 || is_last(run) || error_set(err, ERROR_STATE, "no root item has the id of the unfinished decryption");
	if (n == 0) {
		free(ids);
		return ok;
	}
	ok = legacy_scan(run, ids, n, err) && legacy_find(run->volume, subvolume_by_id(&run->list, ids[0]), &run->legacy, err) &&
	     (run->legacy.is_converting = false, legacy_check_readable(&run->legacy, ids[0], err));
	free(ids);
	if (!ok)
		return false;
	if (!legacy_is_as_begun(run, &is_as_begun, err))
		return false;
	if (!is_as_begun)
		return error_set(err, ERROR_STATE, "the metadata of the subvolumes are not what they were when the decryption began");
	/* The IVs are needed until the data are plain text, and then they go. */
	if (run->at.phase != CRYPT_PHASE_STRUCTURE &&
	    (!legacy_ciphers_new(&run->legacy, key, &run->ciphers, err) || !legacy_extents_find(run, &ignored, err)))
		return false;
	c = (struct conversion){ .volume = run->volume, .plan = run->plan, .list = run->list, .scan = run->scan };
	ok = plan_fill(&c, err);
	run->plan->data_bytes = le64(run->op.state.total);
	return ok;
}

/* --- going on ----------------------------------------------------------------------------------------------------------------- */

static bool turn(struct legacy_run *run, struct error *err)
{
	struct transaction *tx;

	run->at.direction = CRYPT_TO_SEALED;
	return transaction_begin(run->volume, run->allocator, &tx, err) && legacy_commit(run, tx, run->at.phase, run->at.cursor, NULL, err);
}

/* As when a record is committed: should it be lost from here on, that is known. */
static bool tell_durable(void *context, const struct replay *replay, struct error *err)
{
	struct legacy_run *const run = context;

	return operation_write_state(&run->op, &replay->at, err);
}

static bool continue_replayed(struct legacy_run *run, enum convert_goal goal, const struct secret *key, struct error *err)
{
	const struct replay_owner owner = { .context = run, .durable = tell_durable };
	struct replay replay = { 0 };
	bool ok;

	ok = legacy_open_journal(run, err) && replay_load(&run->op, &owner, &replay, err);
	run->at = ok ? replay.at : run->at;
	ok = ok && check_goal(run, goal, err) && operation_reserve(&run->op, &run->allocator, err) && take(run, key, err) &&
	     replay_check(&run->op, &replay, err);
	if (ok && run->ui && run->ui->forget_secrets)
		run->ui->forget_secrets(run->ui->context);
	ok = ok && operation_claim(&run->op, err) && replay_write(&run->op, &replay, err);
	replay_free(&replay);
	if (!ok)
		return false;
	note_undone(run, goal);
	if (!run->scan)
		return legacy_run_finish(run, err);
	return (!turns_round(run, goal) || turn(run, err)) && legacy_run_all(run, err);
}

/* Only cleaning up is left. The journal may be wiped already. */
static bool continue_finish(struct legacy_run *run, enum convert_goal goal, struct error *err)
{
	run->op.journal.sequence = le64(run->op.state.sequence);
	memcpy(run->op.journal.last_mac, run->op.state.journal_mac, sizeof(run->op.journal.last_mac));
	note_undone(run, goal);
	return check_goal(run, goal, err) && operation_reserve(&run->op, &run->allocator, err) && operation_claim(&run->op, err) &&
	       legacy_run_finish(run, err);
}

bool convert_legacy_continue(struct volume *volume, enum convert_goal goal, const struct key_source *key, const struct convert_ui *ui,
			     struct convert_plan *plan, struct error *err)
{
	struct legacy_run run = { .volume = volume, .ui = ui, .plan = plan };
	struct crypt_state_tail tail;
	bool ok = find_state(volume, key, &tail, &run.schedule, err);

	if (ok) {
		run.at = (struct journal_point){ .direction = tail.direction, .phase = tail.phase, .cursor = tail.cursor, .epoch = tail.epoch };
		run.header.epoch = tail.epoch;
		memcpy(run.header.op_id, tail.disk.op_id, sizeof(run.header.op_id));
		memcpy(run.header.kcv, tail.disk.kcv, sizeof(run.header.kcv));
		run.op = (struct operation){ .volume = volume, .header = &run.header, .schedule = run.schedule, .state = tail.disk, .verity = VERITY_KEEP };
		run.op.state.flags = to_le32(le32(run.op.state.flags) | operation_wanted_flags(ui));
		ok = operation_fits(&run.op, err) && (tail.phase >= CRYPT_PHASE_FINISH ? continue_finish(&run, goal, err) :
										  continue_replayed(&run, goal, key->volume_key, err));
	}
	legacy_run_close(&run);
	return ok;
}

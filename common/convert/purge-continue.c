/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Goes on with a purge, or undoes it. Everything that must hold is checked before the first write. */
#include <inttypes.h>
#include <stdlib.h>

#include "common/convert/found-record.h"
#include "common/convert/goal.h"
#include "common/convert/purge-inside.h"
#include "common/convert/state.h"
#include "common/util/take.h"

static bool open_copy(void *context, struct volume *volume, const struct crypt_state_tail *tail, const struct key_schedule **schedule,
		      struct error *err)
{
	(void)volume;
	*schedule = context;
	return tail->operation == CRYPT_OP_PURGE || error_set(err, ERROR_STATE, "the state of the unfinished conversion is that of another operation");
}

/* What a state of this kind never has. */
static bool check_state(const struct crypt_state_tail *tail, struct error *err)
{
	if (tail->keys.length == 0 && (tail->phase == CRYPT_PHASE_STRUCTURE || tail->phase >= CRYPT_PHASE_FINISH))
		return true;
	return error_set(err, ERROR_STATE, "the state of the unfinished removal of a sealing has phase %u and %" PRIu64 " bytes for key slots",
			 tail->phase, tail->keys.length);
}

static bool check_goal(const struct purging *p, enum convert_goal goal, struct error *err)
{
	const struct crypt_state_tail at = {
		.disk = p->op.state, .operation = CRYPT_OP_PURGE, .direction = p->at.direction, .phase = p->at.phase, .cursor = p->at.cursor,
	};

	return convert_goal_fits(&at, goal, err);
}

static bool is_forward(const struct purging *p)
{
	return crypt_is_forward(CRYPT_OP_PURGE, p->at.direction);
}

static bool continue_replayed(struct purging *p, enum convert_goal goal, struct error *err)
{
	const struct replay_owner none = { 0 };
	struct replay replay = { 0 };
	bool ok = operation_open_journal(&p->op, err) && purging_check_records(p, err) && replay_load(&p->op, &none, &replay, err);

	p->at = ok ? replay.at : p->at;
	ok = ok && check_goal(p, goal, err) && operation_reserve(&p->op, &p->allocator, err) && replay_check(&p->op, &replay, err) &&
	     operation_claim(&p->op, err) && replay_write(&p->op, &replay, err) &&
	     (goal != CONVERT_ABORT || !is_forward(p) || found_record_put_back(&p->op, p->allocator, &replay, &p->at, err));
	replay_free(&replay);
	return ok && purging_finish(p, err);
}

/* Only cleaning up is left, in which nothing but free space is written: so the items must be gone, or there. */
static bool check_items(const struct purging *p, struct error *err)
{
	uint16_t *numbers = NULL;
	bool is_there = false;
	size_t n = 0;

	if (!domain_numbers(p->volume, &numbers, &n, err))
		return false;
	for (size_t i = 0; i < n; i++)
		is_there |= numbers[i] == p->header.domain;
	free(numbers);
	return is_there != is_forward(p) || error_set(err, ERROR_STATE, is_there ? "sealing %u should be removed by now, but is not"
									       : "sealing %u should be there again, but is not", p->header.domain);
}

/* The journal may be wiped already. */
static bool continue_finish(struct purging *p, enum convert_goal goal, struct error *err)
{
	p->op.journal.sequence = le64(p->op.state.sequence);
	memcpy(p->op.journal.last_mac, p->op.state.journal_mac, sizeof(p->op.journal.last_mac));
	return check_items(p, err) && check_goal(p, goal, err) && operation_reserve(&p->op, &p->allocator, err) && operation_claim(&p->op, err) &&
	       purging_finish(p, err);
}

static void take_state(struct purging *p, const struct crypt_state_tail *tail)
{
	p->header = (struct crypt_header){ .domain = tail->domain, .cipher = tail->cipher, .epoch = tail->epoch };
	memcpy(p->header.domain_uuid, tail->disk.domain_uuid, sizeof(p->header.domain_uuid));
	memcpy(p->header.op_id, tail->disk.op_id, sizeof(p->header.op_id));
	memcpy(p->header.kcv, tail->disk.kcv, sizeof(p->header.kcv));
	memcpy(p->plan->purged_uuid, tail->disk.domain_uuid, sizeof(p->plan->purged_uuid));
	p->op.state = tail->disk;
	p->op.state.flags = to_le32(le32(tail->disk.flags) | operation_wanted_flags(p->ui));
	p->at = (struct journal_point){ .direction = tail->direction, .phase = tail->phase, .cursor = tail->cursor };
}

bool convert_purge_continue(struct volume *volume, enum convert_goal goal, const struct convert_ui *ui, struct convert_plan *plan,
			    struct error *err)
{
	struct purging p = { .volume = volume, .ui = ui, .plan = plan };
	struct crypt_state_tail tail;
	bool ok = purging_prepare(&p, err) && state_find(volume, &(struct state_opener){ open_copy, p.schedule }, &tail, err) && check_state(&tail, err);

	plan->purged = true;
	if (ok) {
		take_state(&p, &tail);
		ok = operation_fits(&p.op, err) && (tail.phase >= CRYPT_PHASE_FINISH ? continue_finish : continue_replayed)(&p, goal, err);
		plan->undone = is_forward(&p) ? UNDONE_NOTHING : UNDONE_PURGE;
	}
	purging_close(&p);
	return ok;
}

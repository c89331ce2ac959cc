/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The order of the phases, in both directions. */
#include "common/convert/run.h"

#include "common/convert/bad-blocks.h"
#include "common/convert/commit.h"
#include "common/convert/conversion.h"
#include "common/convert/copy.h"
#include "common/convert/csum-update.h"
#include "common/convert/data-back.h"
#include "common/convert/data.h"
#include "common/convert/finish.h"
#include "common/convert/index.h"
#include "common/convert/leaves.h"
#include "common/convert/mirrors.h"
#include "common/convert/rekey-data.h"
#include "common/convert/roots.h"
#include "common/convert/state.h"
#include "common/convert/structure.h"

/* Enters the next phase and records it in the superblocks, so that a resume need not look further back. */
static bool enter(struct conversion *c, enum crypt_phase phase, uint64_t cursor, struct error *err)
{
	c->phase = phase;
	c->cursor = cursor;
	return conversion_write_state(c, err) && (phase == CRYPT_PHASE_FINISH || conversion_may_go_on(c, err));
}

/* Checks that the device has what was written, while there are units, tags and digests to tell. */
static bool check_device(struct conversion *c, struct error *err)
{
	/* An encryption that is undone before it reached the data wrote none, and its units are incomplete. */
	const bool reads_data = le32(c->op.state.flags) & CRYPT_STATE_READ_BACK && conversion_has_touched(c);

	return (!reads_data || (data_read_back(c, err) && bad_blocks_keep(c, err))) && mirrors_check(c, err);
}

static bool run_to_sealed(struct conversion *c, struct error *err)
{
	const bool draws = conversion_draws(c);

	if (copy_is_pending(c) && !copy_run(c, err))
		return false;
	if (c->phase == CRYPT_PHASE_STRUCTURE) {
		if (!structure_continue(c, err) || !enter(c, CRYPT_PHASE_DATA, 0, err))
			return false;
	}
	if (c->phase == CRYPT_PHASE_DATA) {
		if (draws && !c->units && !conversion_join_placed(c, err))
			return false;
		if (!(conversion_is_rekey(c) ? data_rekey(c, err) : draws ? data_seal(c, err) : data_reseal(c, err)) ||
		    !enter(c, CRYPT_PHASE_LEAVES, 0, err))
			return false;
	}
	if (c->phase == CRYPT_PHASE_LEAVES) {
		if (!leaves_convert(c, err) || !csum_gaps_clear(c, err) ||
		    !(draws ? enter(c, CRYPT_PHASE_INDEX, 0, err) : check_device(c, err) && roots_reseal(c, err)))
			return false;
	}
	if (c->phase == CRYPT_PHASE_INDEX && !conversion_is_rekeyed(c) && !(check_device(c, err) && index_fill(c, err) && roots_seal(c, err)))
		return false;
	if (conversion_is_rekeyed(c) && !structure_cut_old(c, err))
		return false;
	/* Also if the last record reached the disk and this state did not. */
	return enter(c, CRYPT_PHASE_FINISH, 0, err);
}

static bool run_to_plain(struct conversion *c, struct error *err)
{
	if (copy_is_pending(c) && !copy_settle(c, err))
		return false;
	/* The cut removes the index with the rest. */
	if (c->phase == CRYPT_PHASE_INDEX && !enter(c, CRYPT_PHASE_LEAVES, UINT64_MAX, err))
		return false;
	if (c->phase == CRYPT_PHASE_LEAVES) {
		if (!leaves_convert(c, err) || !enter(c, CRYPT_PHASE_DATA, UNIT_PLACE_END, err))
			return false;
	}
	if (c->phase == CRYPT_PHASE_DATA) {
		if (!data_unseal(c, err) || !enter(c, CRYPT_PHASE_STRUCTURE, UINT64_MAX, err))
			return false;
	}
	if (c->phase == CRYPT_PHASE_STRUCTURE && c->cursor != 0 && !check_device(c, err))
		return false;
	if (c->phase == CRYPT_PHASE_STRUCTURE && !structure_cut(c, err))
		return false;
	return enter(c, CRYPT_PHASE_FINISH, 0, err);
}

bool conversion_run(struct conversion *c, struct error *err)
{
	return (conversion_to(c)->is_sealed ? run_to_sealed(c, err) : run_to_plain(c, err)) && finish_run(c, err);
}

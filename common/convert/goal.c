/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "common/convert/goal.h"

#include <time.h>

#include "common/convert/conversion.h"
#include "common/convert/status.h"

/* What an operation does, and what it ends in. */
struct goal_words {
	const char *doing, *ends;
};

static const struct goal_words words_of[] = {
	[CRYPT_OP_ENCRYPT] = { "a sealing", "sealed" },
	[CRYPT_OP_DECRYPT] = { "an unsealing", "plain text" },
	[CRYPT_OP_REKEY] = { "a rekeying", "sealed with the new key" },
	[CRYPT_OP_LEGACY] = { "a decryption", "plain text" },
	[CRYPT_OP_PURGE] = { "the removal of a sealing", "removed" },
};

bool convert_goal_fits(const struct crypt_state_tail *at, enum convert_goal goal, struct error *err)
{
	const struct goal_words *words = &words_of[at->operation];
	const bool aborting = !crypt_is_forward(at->operation, at->direction), to_sealed = side_to(at->operation, at->direction)->is_sealed;

	if (goal == CONVERT_ABORT) {
		if (aborting)
			return true;	/* continue the abort */
		if (at->phase >= CRYPT_PHASE_FINISH || conversion_is_cut(at->direction, at->phase, at->cursor) || rekey_is_made(at->operation, at->direction, at->phase, at->cursor)) {
			error_set(err, ERROR_REFUSED, "there is nothing to undo: everything is %s, only the cleanup is left", words->ends);
			return error_hint(err, "`convert %s` finishes it", convert_options_to_go_on(at->operation, at->direction));
		}
		if (at->operation == CRYPT_OP_DECRYPT && le32(at->disk.flags) & CRYPT_STATE_ACCEPTED) {
			error_set(err, ERROR_REFUSED, "the unsealing accepted changes; sealing again would not restore what was sealed "
				"before");
			return error_hint(err, "`convert --decrypt --resume` finishes it");
		}
		if (at->operation == CRYPT_OP_LEGACY && at->phase == CRYPT_PHASE_STRUCTURE) {
			error_set(err, ERROR_REFUSED, "it cannot be undone any more: the data are plain text, and the IVs that encrypted them are being "
				  "removed");
			return error_hint(err, "`convert --decrypt --resume` finishes it");
		}
		return true;
	}
	if (aborting) {
		error_set(err, ERROR_REFUSED, "the unfinished conversion is an abort of %s: it can only be finished", words->doing);
		return error_hint(err, "`convert --abort` finishes it");
	}
	if (!to_sealed && goal != CONVERT_RESUME_DECRYPT) {
		char when[32] = "?";
		const time_t start = (time_t)le64(at->disk.start_time);
		struct tm tm;

		if (gmtime_r(&start, &tm))
			strftime(when, sizeof(when), "%Y-%m-%d %H:%M:%S UTC", &tm);
		error_set(err, ERROR_REFUSED, "the unfinished %s, begun %s, ends in plain text and must be confirmed",
			  at->operation == CRYPT_OP_LEGACY ? "decryption" : "unsealing", when);
		return error_hint(err, "`convert --decrypt --resume` confirms it");
	}
	if (to_sealed && goal == CONVERT_RESUME_DECRYPT) {
		error_set(err, ERROR_REFUSED, at->operation == CRYPT_OP_PURGE ? "what is unfinished is the removal of a sealing, not an unsealing" :
			  "the unfinished conversion ends in sealed data, not in plain text");
		return error_hint(err, "`convert --resume` goes on, `convert --abort` undoes it");
	}
	return true;
}

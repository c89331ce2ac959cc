/* SPDX-License-Identifier: GPL-2.0-or-later */
/* An unfinished conversion in words. */
#include "cmd/unfinished.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "common/util/escape.h"

struct unfinished_words unfinished_words(const struct crypt_state_tail *state)
{
	const bool to_plain = state->direction == CRYPT_TO_PLAIN;
	const bool forward = to_plain == (state->operation == CRYPT_OP_DECRYPT);
	struct unfinished_words words = {
		.operation = state->operation == CRYPT_OP_ENCRYPT ? "encrypt" : "decrypt",
		.direction = to_plain ? (forward ? "to plain text" : "back to plain text") : (forward ? "to sealed" : "back to sealed"),
		/* What leads to plain text has to be asked for by name; an abort cannot be undone. */
		.resume = !forward ? "--abort" : to_plain ? "--decrypt --resume" : "--resume",
		/* Of a decryption the crypt items may be gone already; where changes were accepted, nothing could put them back. */
		.can_undo = forward && state->phase < CRYPT_PHASE_FINISH && !(to_plain && state->phase == CRYPT_PHASE_STRUCTURE && state->cursor == 0) &&
			    !(to_plain && le32(state->disk.flags) & CRYPT_STATE_ACCEPTED),
	};
	const time_t start = state->start_time;
	struct tm tm;

	if (!gmtime_r(&start, &tm) || !strftime(words.started, sizeof(words.started), "%Y-%m-%d %H:%M:%S UTC", &tm))
		strcpy(words.started, "unknown");
	return words;
}

bool unfinished_error(const struct superblock *super, const char *image, struct error *err)
{
	struct crypt_state_tail state;
	struct error ignored;
	char name[128];

	/* A state that does not read leaves the text as it was: that a conversion is unfinished. */
	if (!(super->incompat & INCOMPAT_CRYPT_UNFINISHED) || !crypt_state_read(super->disk.tail, &state, &ignored))
		return false;

	const struct unfinished_words words = unfinished_words(&state);

	escape_text(image, strlen(image), name, sizeof(name));
	error_set(err, ERROR_UNFINISHED, "%s: an unfinished conversion is present: %s, %s, started %s", name, words.operation,
		  words.direction, words.started);
	return error_hint(err, "btrfs-crypt convert %s finishes it, %s--status says more", words.resume,
			  words.can_undo ? "--abort undoes it, " : "");
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
/* An unfinished conversion in words: the same in `convert --status` and in every error of kind ERROR_UNFINISHED. */
#ifndef CMD_UNFINISHED_H
#define CMD_UNFINISHED_H

#include "common/volume/volume.h"
#include "format/crypt.h"

struct unfinished_words {
	const char *operation;	/* "encrypt" or "decrypt" */
	const char *direction;	/* "to sealed", "back to plain text", ... */
	const char *resume;	/* options that finish it */
	bool can_undo;		/* not where it is being undone already, or only cleaning up is left */
	char started[32];
};

struct unfinished_words unfinished_words(const struct crypt_state_tail *state);

/* Replaces the text of an ERROR_UNFINISHED by one that says what is unfinished; as found, not authenticated.  Always false. */
bool unfinished_error(const struct superblock *super, const char *image, struct error *err);

#endif /* CMD_UNFINISHED_H */

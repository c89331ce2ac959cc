/* SPDX-License-Identifier: GPL-2.0-or-later */
/* An unfinished conversion in words: the same in `convert --status` and in every error of kind ERROR_UNFINISHED. */
#ifndef CMD_UNFINISHED_H
#define CMD_UNFINISHED_H

#include "cmd/row.h"
#include "common/convert/convert.h"
#include "common/sealed/domain.h"

struct unfinished_words {
	const char *operation;	/* "encrypt" or "decrypt" */
	const char *direction;	/* "to sealed", "back to plain text", ... */
	const char *doing;	/* both for people: "sealing", "undoing an unsealing", ... */
	const char *resume;	/* options that finish it */
	bool can_undo;		/* not where it is being undone already, or only cleaning up is left */
	char started[32];
};

struct unfinished_words unfinished_words(const struct crypt_state_tail *state);

/* Replaces the text of an ERROR_UNFINISHED by one that says what is unfinished; as found, not authenticated.  Always false. */
bool unfinished_error(const struct volume *volume, const char *image, struct error *err);

/* What commands that read meanwhile say of it; all zero where there is none. */
struct unfinished {
	bool is_there;
	struct convert_status status;
	struct unfinished_words words;
	struct domain *domain;		/* NULL: its members are not in the trees yet, or no more */
};

/* As found, not authenticated.  A state that cannot be read is there all the same, with nothing else. */
bool unfinished_read(struct volume *volume, struct unfinished *unfinished, struct error *err) must_use;
void unfinished_free(struct unfinished *unfinished);
#define cleanup_unfinished __attribute__((cleanup(unfinished_free)))	/* initialise with { 0 } */

/* One warning: what is unfinished, and the commands that go on. */
void unfinished_warn(const struct unfinished *unfinished, const char *image);

/* Is this subvolume being converted?  NULL: not known. */
bool unfinished_has(const struct unfinished *unfinished, const struct subvolume_list *list, const struct subvolume *subvolume);

/* The subvolumes that are being converted, as plan->member; none where nothing says which, or no more. Lays the last records over the trees. */
bool unfinished_members(struct volume *volume, struct convert_plan *plan, struct error *err) must_use;

/* What it is, as lines of text or members. */
void unfinished_put_status(const struct convert_status *status, const struct row *row);
/* In a line about something that is being converted: in JSON the same as "conversion", in text how far it is, if before is not NULL. */
void unfinished_put(const struct unfinished *unfinished, const char *before, const struct row *row);

#endif /* CMD_UNFINISHED_H */

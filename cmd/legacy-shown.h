/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What list, show and stat say about a subvolume in the format of 2016, or in one of the layouts before and after it. */
#ifndef CMD_LEGACY_SHOWN_H
#define CMD_LEGACY_SHOWN_H

#include "cmd/row.h"
#include "common/legacy/legacy-key.h"

struct legacy_shown {
	struct legacy legacy;	/* layout LEGACY_NONE: there is nothing to show */
	bool has_key;		/* it was looked for in the keyrings */
	struct keyring_found key;
};
/*
 * Does nothing for a list without a volume (of a mounted filesystem). flagged_only: only the root item tells, which costs nothing. Looks for
 * the key unless --no-keyring was given.
 */
bool legacy_shown_read(const struct subvolume_list *list, const struct subvolume *subvolume, bool flagged_only, struct legacy_shown *shown,
		       struct error *err) must_use;

/* "ctr(aes)@btrfs:61e0d004 (594790215) (format of 2016)"; in JSON encryption, its parts, and keyring_state and what belongs to it. */
void legacy_shown_put(const struct row *row, const char *before, const struct legacy_shown *shown);
/* Warns if the xattr has another algorithm than the root item. */
void legacy_shown_warn(const struct legacy_shown *shown);

#endif /* CMD_LEGACY_SHOWN_H */

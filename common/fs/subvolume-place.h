/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What says where a subvolume is: its ROOT_BACKREF, the ROOT_REF of the subvolume above, and an entry of a directory in that. */
#ifndef COMMON_FS_SUBVOLUME_PLACE_H
#define COMMON_FS_SUBVOLUME_PLACE_H

#include "common/fs/subvolume.h"

/*
 * Why an existing subvolume is not where it is said to be: a text for people. NULL if its ROOT_BACKREF and the ROOT_REF of the subvolume
 * above agree.
 */
bool subvolume_refs_wrong(const struct subvolume_list *list, const struct subvolume *subvolume, const char **wrong, struct error *err) must_use;

/*
 * The same, and NULL only if the directory has both items of its entry. *unlisted: the index of the directory has no entry of it, so
 * whoever lists the directory does not meet it. Not for the top level, and not for one that is deleted.
 */
bool subvolume_place_wrong(const struct subvolume_list *list, const struct subvolume *subvolume, const char **wrong, bool *unlisted,
			   struct error *err) must_use;

/* Could it be a snapshot? Then it may have empty places of nested subvolumes, which no other subvolume has. */
bool subvolume_may_be_snapshot(const struct subvolume *subvolume);

#endif /* COMMON_FS_SUBVOLUME_PLACE_H */

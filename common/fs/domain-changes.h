/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What is not as it was sealed, inode by inode: what the index can say where the digest of a tree differs. */
#ifndef COMMON_FS_DOMAIN_CHANGES_H
#define COMMON_FS_DOMAIN_CHANGES_H

#include "common/fs/domain-view.h"

/* path: escaped; of an inode that is in no subvolume, the domain's subvolumes and its number. */
typedef bool change_tell(void *context, const char *path, const char *what, struct error *err);

/*
 * differs: of each subvolume in view.  Tells each inode of theirs that has no entry (it was changed, or added); each that has an entry which nothing in
 * view matches (it is missing); and, where neither says what is wrong with a subvolume, that it cannot be told.
 * Every subvolume of the domain must be in view for the second; else it is left out.  accepts: what cannot be told is accepted as a whole.
 */
bool domain_changes_tell(const struct domain_view *view, const bool *differs, bool accepts, change_tell *tell, void *context,
			 struct error *err) must_use;

#endif /* COMMON_FS_DOMAIN_CHANGES_H */

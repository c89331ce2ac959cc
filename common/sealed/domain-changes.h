/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Lists what has changed since sealing, inode by inode: what the index can tell when the digest of a tree differs. */
#ifndef COMMON_SEALED_DOMAIN_CHANGES_H
#define COMMON_SEALED_DOMAIN_CHANGES_H

#include "common/sealed/domain-view.h"

/* path: escaped. For an inode that is in no subvolume: the domain's subvolumes and its number. */
typedef bool change_tell(void *context, const char *path, const char *what, struct error *err);

/*
 * differs: for each subvolume in view. Reports each of their inodes that has no entry (it was changed or added); each inode with an entry
 * that nothing in view matches (it is missing); and, if neither explains what is wrong with a subvolume, that it cannot be determined. The
 * second needs every subvolume of the domain in view, and is skipped otherwise. accepts: what cannot be determined is accepted as a whole.
 */
bool domain_changes_tell(const struct domain_view *view, const bool *differs, bool accepts, change_tell *tell, void *context,
			 struct error *err) must_use;

#endif /* COMMON_SEALED_DOMAIN_CHANGES_H */

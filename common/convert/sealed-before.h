/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Was a subvolume sealed already, although its root item and its extents no longer say so? Sealing it again would take ciphertext for the
 * data to keep, and unsealing the first sealing would remove its key.
 */
#ifndef COMMON_CONVERT_SEALED_BEFORE_H
#define COMMON_CONVERT_SEALED_BEFORE_H

#include "common/sealed/scan.h"

/*
 * Is there a sealing with a missing member? Only such a member can be what is hidden: the other sealings still have all that was sealed
 * with them.
 */
bool sealed_before_is_possible(const struct subvolume_list *list, bool *possible, struct error *err) must_use;

/*
 * Checks the members of the scan, without a key: ERROR_REFUSED. An extent is recognised by its length and the first 8 bytes of its
 * ciphertext, wherever it is, and by those of each further unit where it was sealed or last seen. Of small files only inode, offset, length
 * and place are known. So if a subvolume has the place or the number of a missing member, it is refused when at least half of its extents,
 * or of its files in leaves, match those that were sealed with that member.
 */
bool sealed_before_check(const struct subvolume_list *list, const struct scan *scan, struct error *err) must_use;

#endif /* COMMON_CONVERT_SEALED_BEFORE_H */

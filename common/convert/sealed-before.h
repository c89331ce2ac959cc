/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Was it sealed already, although nothing in its root item or its extents says so any more?  Sealed once more, ciphertext would be taken for what is to
 * be kept, and unsealing the first sealing would take the key of it away.
 */
#ifndef COMMON_CONVERT_SEALED_BEFORE_H
#define COMMON_CONVERT_SEALED_BEFORE_H

#include "common/fs/scan.h"

/* Is there a sealing of which a member is gone?  What is hidden is of one of those: the others still have all that was sealed with them. */
bool sealed_before_is_possible(const struct subvolume_list *list, bool *possible, struct error *err) must_use;

/*
 * Asks for the members of the scan, without a key: ERROR_REFUSED.  Extents are known by their length and the first 8 bytes of their ciphertext, wherever
 * they are, and by those of each further unit where they were sealed or seen last.  Of others nothing is known but inode, offset and length, and
 * where they were: where a subvolume stands in the place, or has the number, of a member that is gone, at least half of its extents, or of its files in
 * leaves, are as those that were sealed with that.
 */
bool sealed_before_check(const struct subvolume_list *list, const struct scan *scan, struct error *err) must_use;

#endif /* COMMON_CONVERT_SEALED_BEFORE_H */

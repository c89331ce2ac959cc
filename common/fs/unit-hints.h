/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What units say of where they are and of what, which nothing vouches for: wrong ones do no harm, and are told. */
#ifndef COMMON_FS_UNIT_HINTS_H
#define COMMON_FS_UNIT_HINTS_H

#include "common/fs/scan.h"
#include "format/crypt.h"

struct unit_hints {		/* begins with { 0 } */
	size_t n_wrong;		/* extents */
	uint64_t logical;	/* of the last of them */
};

/*
 * The hints of a unit of this extent.  first: the 8 bytes that its ciphertext begins with, where they are known to be right; else NULL.  An extent that
 * a kernel has moved is not where it was seen last, and a subvolume that is gone has no files: neither is wrong.
 */
bool unit_hints_check(struct unit_hints *hints, const struct scan *scan, const struct scan_extent *extent, const struct crypt_unit *unit,
		      const uint8_t *first, struct error *err) must_use;
void unit_hints_tell(const struct unit_hints *hints, const struct volume *volume);

#endif /* COMMON_FS_UNIT_HINTS_H */

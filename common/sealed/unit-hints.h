/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What units say about their place and file. Nothing vouches for it: wrong hints do no harm and are reported. */
#ifndef COMMON_SEALED_UNIT_HINTS_H
#define COMMON_SEALED_UNIT_HINTS_H

#include "common/sealed/scan.h"
#include "format/crypt.h"

struct unit_hints {		/* begins with { 0 } */
	size_t n_wrong;		/* extents */
	uint64_t logical;	/* of the last one */
};

/*
 * Checks the hints of a unit of this extent. first: the first 8 bytes of its ciphertext if they are known to be right, otherwise NULL.
 * Hints are not wrong if a kernel has moved the extent since it was last seen, or if their subvolume is gone.
 */
bool unit_hints_check(struct unit_hints *hints, const struct scan *scan, const struct scan_extent *extent, const struct crypt_unit *unit,
		      const uint8_t *first, struct error *err) must_use;
void unit_hints_tell(const struct unit_hints *hints, const struct volume *volume);

#endif /* COMMON_SEALED_UNIT_HINTS_H */

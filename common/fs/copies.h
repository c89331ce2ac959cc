/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Data without checksums that have several copies: whether these agree and, where they do not, which one to believe. */
#ifndef COMMON_FS_COPIES_H
#define COMMON_FS_COPIES_H

#include "common/volume/volume.h"

/* Sectors [from, to), logical, that are not the same in all copies. */
struct copies_finding {
	uint64_t from, to;
	bool is_known;		/* which copy is right */
	const char *text;	/* "have no checksum, and mirrors 1 and 2 differ (...): ..." */
};
typedef void copies_tell(void *context, const struct copies_finding *finding);

/*
 * bytes are what volume_read_any() gave of a range in one chunk, len whole sectors of it; what is to be believed takes their place.  Each sector is
 * known to be right in the copies of devices that missed no commit beside those that did; in more than half of the copies, where these are the
 * same; in the copies that no sector near it speaks against, where all others are bad in every sector near them that has a checksum.
 * Else the one with the fewest bad sectors near it is taken, and is_known false.  What parity says is a copy, too: one of RAID5, two of
 * RAID6; old if it is computed from a device that missed commits.  Of one copy it is only said whether it may be old.
 */
bool copies_compare(struct volume *volume, const struct chunk *chunk, uint64_t logical, uint8_t *bytes, size_t len, copies_tell *tell,
		    void *context, struct error *err) must_use;

#endif /* COMMON_FS_COPIES_H */

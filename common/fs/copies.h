/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Compares the copies of data without checksums and, if they differ, decides which one to believe. */
#ifndef COMMON_FS_COPIES_H
#define COMMON_FS_COPIES_H

#include "common/volume/volume.h"

/* Sectors [from, to), logical, that differ between copies. */
struct copies_finding {
	uint64_t from, to;
	bool is_known;		/* it is known which copy is right */
	unsigned mirror;	/* the one that is used */
	const char *text;	/* "have no checksum, and mirrors 1 and 2 differ (...): ..." */
};
typedef void copies_tell(void *context, const struct copies_finding *finding);

struct copies {
	struct volume *volume;
	const struct chunk *chunk;
	copies_tell *tell;
	void *context;
	bool is_exact;		/* a finding has no sector that is the same in all copies; else it may go over a few of them */
};

/*
 * bytes: what volume_read_any() returned for a range in one chunk, len whole sectors. They are replaced by what is to be believed. A sector
 * is known to be right in the copies of devices that missed no commit, if others did; in more than half of the copies, if these agree; or
 * in the copies that no nearby sector contradicts, if all others are bad in every nearby sector that has a checksum. Otherwise the copy
 * with the fewest bad sectors nearby is taken, and is_known is false. What parity yields is a copy too: one for RAID5, two for RAID6; it is
 * old if it is computed from a device that missed commits. For a single copy, only its possible age is reported. A copy that cannot be read
 * does not count.
 */
bool copies_compare(const struct copies *copies, uint64_t logical, uint8_t *bytes, size_t len, struct error *err) must_use;

#endif /* COMMON_FS_COPIES_H */

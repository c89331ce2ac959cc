/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Writing to chunks with parity (RAID5, RAID6). A row is a stripe of 64 KiB of each device; a column of it, one sector of each, is what belongs
 * together: any sector of it that is lost comes from the others. So a write must leave parity right for the sectors that it does not write, also
 * if one of them has gone bad and only parity still has it:
 *
 *   of the sectors that are not written            parity becomes
 *   (parity is the sum of the data: most columns)  the sum, which is what adding the difference makes
 *   all match their checksums, or have none        the sum of what is there and what is written: parity, or what is overwritten, was wrong
 *   one is wrong, and parity has it                the sum with the right one in its place, which still comes from parity afterwards
 *   one is wrong, and parity does not have it      the difference is added; nothing is lost that was not lost before
 *
 * A crash in the middle leaves columns whose parity is of neither state (the "write hole"). Their data can still be read, but if another sector
 * of such a column is bad, it is lost. So whoever writes in place does this:
 *
 *   1. before anything depends on it, volume_settle_parity(..., PARITY_KEEP) and a flush, of all that will be written: sectors that only parity
 *      has are written where they belong. From then on, parity is not needed to read anything of those columns;
 *   2. writes;
 *   3. after a crash, writes it again, then volume_settle_parity(..., PARITY_MAKE): parity is made from the data, which now match their checksums.
 *
 * Free space that takes whole rows (volume_stripe_row()) has no neighbours, and can be written without these steps, as the journal is.
 */
#ifndef COMMON_VOLUME_PARITY_WRITE_H
#define COMMON_VOLUME_PARITY_WRITE_H

#include "common/volume/volume.h"

/* For mirror.c: volume_write() and volume_read_back(), of a range inside a chunk with parity. */
bool parity_write(struct volume *volume, const struct chunk *chunk, uint64_t logical, const uint8_t *bytes, size_t len, struct error *err) must_use;
bool parity_read_back(struct volume *volume, const struct chunk *chunk, uint64_t logical, const uint8_t *bytes, size_t len,
		      struct error *err) must_use;

/* What becomes of a column whose parity is not the sum of its data, once the data that parity has were written where they belong: */
enum parity_doubt {
	PARITY_KEEP,	/* parity is made only if all of its data are known to be right; otherwise it may still tell something */
	PARITY_MAKE,	/* it is made from the data as they are on the medium; a warning names those that match no checksum and that parity has not */
};
/*
 * Brings every column of [logical, +len), which may span chunks, in order as described above. *changed: something was written, and must be flushed.
 * Does nothing where there is no parity, and in rows with a superblock.
 */
bool volume_settle_parity(struct volume *volume, uint64_t logical, uint64_t len, enum parity_doubt doubt, bool *changed, struct error *err) must_use;

/*
 * The smallest range around logical that can be written without a regard for what is beside it: a whole row if there is parity, otherwise a
 * sector. ERROR_CORRUPT if it is in no chunk.
 */
bool volume_stripe_row(const struct volume *volume, uint64_t logical, uint64_t *start, uint64_t *len, struct error *err) must_use;

#endif /* COMMON_VOLUME_PARITY_WRITE_H */

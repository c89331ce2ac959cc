/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Data without checksums whose copies differ, and which files show. Sealing writes one plain text to all mirrors, so it must know the
 * right one beforehand, or be told what to do. Blocks that no file shows are not listed: preallocated ones, those that a file no longer
 * uses, those behind its end. They rightly differ, and what any copy has there can be sealed.
 */
#ifndef COMMON_CONVERT_DIFFERING_H
#define COMMON_CONVERT_DIFFERING_H

#include "common/convert/conversion.h"

/*
 * Compares the copies, and fills c->differing: before the first write, because as soon as part of the data is sealed, the checksums near
 * them no longer tell which mirror is bad.
 */
bool differing_find(struct conversion *c, struct error *err) must_use;
/*
 * The same before a sealing begins, with a report: ERROR_CORRUPT if nobody knows of some block which copy is right, and nobody said what to
 * do. With dry_run such blocks are counted in the plan.
 */
bool differing_check(struct conversion *c, bool dry_run, struct error *err) must_use;

/* False: the copies of the block at address do not differ, or no file shows it. *mirror: the copy to seal; is it known to be right? */
bool differing_at(const struct conversion *c, uint64_t address, unsigned *mirror, bool *is_known);

#endif /* COMMON_CONVERT_DIFFERING_H */

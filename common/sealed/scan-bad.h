/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a scan skipped: items that cannot be followed, tree blocks that cannot be read. */
#ifndef COMMON_SEALED_SCAN_BAD_H
#define COMMON_SEALED_SCAN_BAD_H

#include "common/sealed/scan.h"

#define SCAN_BAD_MAX 65536u	/* more are an error: such a tree is as good as unknown */

/* Adds one. inode 0: a tree block. */
bool scan_bad_add(struct scan *scan, uint64_t inode, uint32_t member, const struct error *what, struct error *err) must_use;
/* Lists damage of an item if the scan skips it. Otherwise it is the error, with the path. */
bool scan_survive(struct scan *scan, bool over, uint64_t inode, uint32_t member, const struct error *what, struct error *err) must_use;
void scan_bad_sort(struct scan *scan);
/* The end of a scan: are blocks and extents consistent with each other? */
bool scan_check(struct scan *scan, bool over, struct error *err) must_use;
void scan_bad_free(struct scan *scan);

/* Is something belonging to the inode among it, in any member? */
bool scan_is_bad(const struct scan *scan, uint64_t inode);
/* Are there tree blocks that could not be read? */
static inline bool scan_has_lost(const struct scan *scan) { return scan->n_bad > 0 && scan->bad[0].inode == 0; }

/* For two contradicting extents: does the extent tree know one of this length there? False also if it cannot say. */
bool scan_extent_is_known(struct volume *volume, uint64_t logical, uint64_t length);

#endif /* COMMON_SEALED_SCAN_BAD_H */

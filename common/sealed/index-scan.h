/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Every version of every inode of a scan, as entries of the index. Each tree block is read once, however many members share it. Works
 * through ranges of inode numbers, so that no more than INDEX_PASS_BYTES are needed at a time.
 */
#ifndef COMMON_SEALED_INDEX_SCAN_H
#define COMMON_SEALED_INDEX_SCAN_H

#include "common/sealed/inode-version.h"
#include "common/sealed/scan.h"

#define INDEX_PASS_BYTES (64u << 20)

struct index_found {
	struct crypt_index_entry entry;
	uint32_t member;	/* index of the lowest member that has it */
	uint8_t kind;
};

/* Called in order of inode, then MAC, once for each entry. */
typedef bool index_visit(void *context, const struct index_found *found, struct error *err);

/* canonical: DIGEST_SEALED.  pass_bytes: INDEX_PASS_BYTES, or less in tests. */
bool index_scan_visit(const struct scan *scan, struct canonical *canonical, size_t pass_bytes, index_visit *visit, void *context,
		      struct error *err) must_use;

/* The most memory that index_scan_visit() uses at a time, known before it is called. */
bool index_scan_bytes(const struct scan *scan, size_t pass_bytes, uint64_t *bytes, struct error *err) must_use;

/* The most entries that one leaf can add, whichever leaves hold the rest of its inodes. */
uint64_t index_entries_most(const struct node *leaf);

#endif /* COMMON_SEALED_INDEX_SCAN_H */

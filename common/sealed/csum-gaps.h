/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Searches what files show for data without checksums of which something is sought. */
#ifndef COMMON_SEALED_CSUM_GAPS_H
#define COMMON_SEALED_CSUM_GAPS_H

#include "common/fs/copies.h"
#include "common/sealed/extent-part.h"

/* finding: what the search found out about [from, to); NULL if it asks for no more than the missing checksums. */
typedef bool csum_gap_visit(void *context, uint64_t from, uint64_t to, const struct copies_finding *finding, struct error *err);
/* Visits each run of sectors of [logical, +len) that has no checksums. */
bool csum_gaps_visit(struct volume *volume, uint64_t logical, uint64_t len, csum_gap_visit *visit, void *context, struct error *err) must_use;

/* What was found, and one item of a file that refers to it. */
struct csum_gap {
	const struct tree *subvolume;
	const struct inode *inode;
	uint64_t number;		/* of the inode */
	const struct file_extent *item;
	uint64_t file_offset;		/* of the item */
	uint64_t from, to;		/* logical */
	const struct copies_finding *finding;
};

struct csum_gap_search {
	const struct scan *scan;
	bool skips_nodatasum;	/* inodes that need no checksums do not count */
	bool over;	/* parts of files or of the csum tree that cannot be read are skipped; otherwise they are an error */
	/* Visits what is sought of a part of an extent, as csum_gaps_visit() does. */
	bool (*look)(struct volume *volume, uint64_t logical, uint64_t len, csum_gap_visit *visit, void *context, struct error *err);
	/* Called for whatever an item of type REG refers to, in the order of the leaves: twice if two items do. */
	bool (*found)(void *context, const struct csum_gap *gap, struct error *err);
	void *context;
};
bool csum_gaps_search(const struct csum_gap_search *search, struct error *err) must_use;

#endif /* COMMON_SEALED_CSUM_GAPS_H */

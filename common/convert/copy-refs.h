/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copying in progress, for the files that do it: who refers to what. copy.h says how it goes. */
#ifndef COMMON_CONVERT_COPY_REFS_H
#define COMMON_CONVERT_COPY_REFS_H

#include "common/convert/conversion.h"
#include "common/convert/copy-plan.h"
#include "common/tree/extent-refs.h"

struct copying {
	struct conversion *c;
	struct copy_plan *plan;
	struct transaction *tx;
	uint64_t data_written;		/* since the last record */
	uint8_t *buffer;		/* COPY_BUFFER bytes of data */
	struct plain *plain;
	uint64_t looked_at;		/* the last block that copy_parent() returned, */
	bool looked_full;		/* and whether it had FULL_BACKREF */
	bool is_simple_quota;
	uint64_t quota_since;		/* the generation that simple quotas count from */
};

#define COPY_BUFFER ((size_t)CRYPT_UNIT_BLOCKS_MAX * CRYPT_BLOCK)

bool copying_begin(struct copying *k, struct error *err) must_use;
void copying_end(struct copying *k);	/* drops the transaction, if there still is one */

/* The block of the set that was at this address when the plan was made. *is_full: its children are referred to by its address. */
bool copy_parent(struct copying *k, uint64_t logical, uint8_t level, struct block **block, bool *is_full, struct error *err) must_use;

struct copy_file_extent {
	bool has_disk;		/* otherwise the rest is not set */
	uint64_t inode, logical, length;
	uint64_t ref_offset;	/* as references give it */
};
bool copy_file_extent(const struct copying *k, const struct node *leaf, uint32_t slot, struct copy_file_extent *file, struct error *err) must_use;
/* Its reference, by the address of the leaf or, if that is 0, by the tree. */
struct extent_ref copy_data_ref(const struct copy_file_extent *file, uint64_t leaf, uint64_t tree);

#endif /* COMMON_CONVERT_COPY_REFS_H */

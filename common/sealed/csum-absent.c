/* SPDX-License-Identifier: GPL-2.0-or-later */
/* First finds the extents that lack checksums, in the order of the csum tree. If there are any, finds the files that must have them. */
#include "common/sealed/csum-absent.h"

#include <stdlib.h>

#include "common/fs/csum-lookup.h"
#include "common/fs/path.h"
#include "common/volume/tolerance.h"

typedef bool gap_visit(void *context, uint64_t from, uint64_t to, struct error *err);

struct gaps {
	uint64_t next;		/* everything before it has been seen */
	uint32_t sector_size;
	gap_visit *visit;
	void *context;
};

static bool end_gap(struct gaps *gaps, uint64_t to, struct error *err)
{
	return gaps->next >= to || gaps->visit(gaps->context, gaps->next, to, err);
}

static bool has_csums(void *context, uint64_t logical, size_t n_sectors, const uint8_t *csums, struct error *err)
{
	struct gaps *gaps = context;

	(void)csums;
	if (!end_gap(gaps, logical, err))
		return false;
	gaps->next = logical + (uint64_t)n_sectors * gaps->sector_size;
	return true;
}

/* Visits each run of sectors of [logical, +len) that has no checksums. */
static bool visit_gaps(struct volume *volume, uint64_t logical, uint64_t len, gap_visit *visit, void *context, struct error *err)
{
	struct gaps gaps = { .next = logical, .sector_size = volume->super.sector_size, .visit = visit, .context = context };

	return csum_lookup(volume, logical, len, has_csums, &gaps, err) && end_gap(&gaps, logical + len, err);
}

struct finding {
	const struct tree *subvolume;	/* NULL: none */
	uint64_t inode, logical;
	struct extent_part part;
};

struct absent {
	const struct scan *scan;
	csum_absent_visit *visit;
	void *context;
	bool over;
	uint8_t *lacks;			/* one bit per extent of the scan */
	bool any;
	/* The item being checked. */
	const struct tree *subvolume;
	const struct file_extent *item;
	uint64_t inode, file_offset;
	/* The inode that was looked up last, and the result. */
	const struct tree *asked_in;
	uint64_t asked;
	bool needs_csums;
	struct finding found;
};

static bool tell(struct absent *a, struct error *err)
{
	const struct finding f = a->found;

	a->found.subvolume = NULL;
	return !f.subvolume || a->visit(a->context, f.subvolume, f.inode, &f.part, f.logical, err);
}

static bool gap_of_item(void *context, uint64_t from, uint64_t to, struct error *err)
{
	struct absent *a = context;
	const uint64_t begin = a->item->disk_bytenr;
	struct extent_part part;

	if (!extent_part_of(a->item, a->file_offset, from - begin, to - begin, &part))
		return true;
	if (a->found.subvolume == a->subvolume && a->found.inode == a->inode && part.first <= a->found.part.last + 1 &&
	    part.first >= a->found.part.first) {
		a->found.part.last = part.last;
		return true;
	}
	if (!tell(a, err))
		return false;
	a->found = (struct finding){ a->subvolume, a->inode, from, part };
	return true;
}

static bool ask_inode(struct absent *a, struct error *err)
{
	struct inode inode;

	if (a->asked_in == a->subvolume && a->asked == a->inode)
		return true;
	a->asked_in = NULL;
	if (!inode_get(a->subvolume, a->inode, &inode, err))
		return false;
	a->needs_csums = !(inode.flags & INODE_NODATASUM);
	a->asked_in = a->subvolume;
	a->asked = a->inode;
	return true;
}

/*
 * Checks only the part that the item refers to, because an extent may be cut into thousands of items. A
 * compressed extent is small and is checked as a whole.
 */
static bool gaps_of_item(struct absent *a, const struct file_extent *item, struct error *err)
{
	const bool whole = item->compression != COMPRESS_NONE;

	return visit_gaps(a->scan->volume, item->disk_bytenr + (whole ? 0 : item->offset), whole ? item->disk_num_bytes : item->num_bytes, gap_of_item,
			  a, err);
}

static bool look_at_item(struct absent *a, const struct key *key, struct cursor item, struct error *err)
{
	const struct scan *scan = a->scan;
	const struct scan_extent *extent;
	struct file_extent read;
	size_t i;

	if (!file_extent_read(&item, key->offset, scan->volume->super.sector_size, &read, err))
		return false;
	if (read.type != FILE_EXTENT_REG || !file_extent_has_disk(&read))
		return true;
	extent = scan_extent_at(scan, read.disk_bytenr);
	if (!extent)
		return true;
	i = (size_t)(extent - scan->extent);
	if (!(a->lacks[i / 8] & 1u << i % 8))
		return true;
	a->inode = key->objectid;
	a->file_offset = key->offset;
	a->item = &read;
	return ask_inode(a, err) && (!a->needs_csums || gaps_of_item(a, &read, err));
}

static bool passes(const struct absent *a, const struct error *err)
{
	return a->over && error_is_damage(err);
}

static bool look_at_leaves(struct absent *a, struct error *err)
{
	const struct scan *scan = a->scan;
	const struct block_expect expect = { .level = 0 };

	for (size_t i = 0; i < scan->n_blocks; i++) {
		cleanup_block struct block *leaf = NULL;

		if (scan->block[i].level != 0)
			continue;
		if (!block_get(scan->volume, scan->block[i].logical, &expect, &leaf, err))
			return false;
		a->subvolume = &scan->tree[scan->block[i].member];
		for (uint32_t slot = 0; slot < leaf->node.n_items; slot++) {
			const struct key key = node_key(&leaf->node, slot);

			if (key.type == KEY_EXTENT_DATA && !look_at_item(a, &key, leaf_item(&leaf->node, slot), err) && !passes(a, err))
				return false;
		}
	}
	return tell(a, err);
}

struct looking {
	struct absent *absent;
	size_t extent;
};

static bool gap_of_extent(void *context, uint64_t from, uint64_t to, struct error *err)
{
	const struct looking *looking = context;

	(void)from, (void)to, (void)err;
	looking->absent->lacks[looking->extent / 8] |= (uint8_t)(1u << looking->extent % 8);
	looking->absent->any = true;
	return true;
}

bool csum_absent(const struct scan *scan, bool over, csum_absent_visit *visit, void *context, struct error *err)
{
	struct absent a = { .scan = scan, .over = over, .visit = visit, .context = context, .lacks = calloc(scan->n_extents / 8 + 1, 1) };
	bool ok = a.lacks || error_memory(err);

	for (size_t i = 0; ok && i < scan->n_extents; i++) {
		struct looking looking = { &a, i };

		ok = visit_gaps(scan->volume, scan->extent[i].logical, scan->extent[i].length, gap_of_extent, &looking, err) || passes(&a, err);
	}
	ok = ok && (!a.any || look_at_leaves(&a, err));
	free(a.lacks);
	return ok;
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
/* First finds the extents with something of what is sought, in the order of the csum tree. If there are any, finds the files that show it. */
#include "common/sealed/csum-gaps.h"

#include <stdlib.h>

#include "common/fs/data-check.h"
#include "common/fs/path.h"
#include "common/volume/tolerance.h"

struct gaps {
	const struct volume *volume;
	csum_gap_visit *visit;
	void *context;
};

static bool visit_gap(void *context, uint64_t logical, size_t n_sectors, const uint8_t *csums, struct error *err)
{
	const struct gaps *gaps = context;

	return csums || gaps->visit(gaps->context, logical, logical + (uint64_t)n_sectors * gaps->volume->super.sector_size, NULL, err);
}

bool csum_gaps_visit(struct volume *volume, uint64_t logical, uint64_t len, csum_gap_visit *visit, void *context, struct error *err)
{
	struct gaps gaps = { volume, visit, context };

	return csum_runs(volume, logical, len, visit_gap, &gaps, err);
}

struct searching {
	const struct csum_gap_search *search;
	uint8_t *has;			/* one bit per extent of the scan */
	bool any;
	size_t extent;			/* the one being looked at */
	struct csum_gap gap;		/* of the item being looked at */
	struct inode inode;		/* that was looked up last, */
	const struct tree *asked_in;	/* in this subvolume; NULL: none */
};

static bool gap_of_item(void *context, uint64_t from, uint64_t to, const struct copies_finding *finding, struct error *err)
{
	struct searching *s = context;

	s->gap.from = from;
	s->gap.to = to;
	s->gap.finding = finding;
	return s->search->found(s->search->context, &s->gap, err);
}

static bool ask_inode(struct searching *s, uint64_t number, struct error *err)
{
	if (s->asked_in == s->gap.subvolume && s->gap.number == number)
		return true;
	s->asked_in = NULL;
	if (!inode_get(s->gap.subvolume, number, &s->inode, err))
		return false;
	s->asked_in = s->gap.subvolume;
	s->gap.number = number;
	return true;
}

/*
 * Looks only at the part that the item refers to, because an extent may be cut into thousands of items. A
 * compressed extent is small and is looked at as a whole.
 */
static bool look_at_item(struct searching *s, const struct key *key, struct cursor item, struct error *err)
{
	const struct scan *scan = s->search->scan;
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
	if (!(s->has[i / 8] & 1u << i % 8))
		return true;
	s->gap.item = &read;
	s->gap.file_offset = key->offset;

	const bool whole = read.compression != COMPRESS_NONE;

	if (!ask_inode(s, key->objectid, err))
		return false;
	return (s->search->skips_nodatasum && s->inode.flags & INODE_NODATASUM) ||
	       s->search->look(scan->volume, read.disk_bytenr + (whole ? 0 : read.offset), whole ? read.disk_num_bytes : read.num_bytes, gap_of_item, s,
			       err);
}

static bool passes(const struct csum_gap_search *search, const struct error *err)
{
	return search->over && error_is_damage(err);
}

static bool look_at_leaves(struct searching *s, struct error *err)
{
	const struct scan *scan = s->search->scan;
	const struct block_expect expect = { .level = 0 };

	for (size_t i = 0; i < scan->n_blocks; i++) {
		cleanup_block struct block *leaf = NULL;

		if (scan->block[i].level != 0)
			continue;
		if (!block_get(scan->volume, scan->block[i].logical, &expect, &leaf, err))
			return false;
		s->gap.subvolume = &scan->tree[scan->block[i].member];
		for (uint32_t slot = 0; slot < leaf->node.n_items; slot++) {
			const struct key key = node_key(&leaf->node, slot);

			if (key.type == KEY_EXTENT_DATA && !look_at_item(s, &key, leaf_item(&leaf->node, slot), err) &&
			    !passes(s->search, err))
				return false;
		}
	}
	return true;
}

static bool gap_of_extent(void *context, uint64_t from, uint64_t to, const struct copies_finding *finding, struct error *err)
{
	struct searching *s = context;

	(void)from, (void)to, (void)finding, (void)err;
	s->has[s->extent / 8] |= (uint8_t)(1u << s->extent % 8);
	s->any = true;
	return true;
}

bool csum_gaps_search(const struct csum_gap_search *search, struct error *err)
{
	const struct scan *scan = search->scan;
	struct searching s = { .search = search, .has = calloc(scan->n_extents / 8 + 1, 1) };
	bool ok = s.has || error_memory(err);

	s.gap.inode = &s.inode;
	for (; ok && s.extent < scan->n_extents; s.extent++) {
		const struct scan_extent *extent = &scan->extent[s.extent];

		ok = search->look(scan->volume, extent->logical, extent->length, gap_of_extent, &s, err) || passes(search, err);
	}
	ok = ok && (!s.any || look_at_leaves(&s, err));
	free(s.has);
	return ok;
}

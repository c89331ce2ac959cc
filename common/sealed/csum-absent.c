/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Merges what is adjacent in a file, wherever it is on disk. */
#include "common/sealed/csum-absent.h"

#include "common/sealed/csum-gaps.h"

struct absent {
	csum_absent_visit *visit;
	void *context;
	const struct tree *subvolume;	/* of what was found last; NULL: nothing */
	uint64_t inode, logical;
	struct extent_part part;
};

static bool tell(struct absent *a, struct error *err)
{
	const struct tree *subvolume = a->subvolume;

	a->subvolume = NULL;
	return !subvolume || a->visit(a->context, subvolume, a->inode, &a->part, a->logical, err);
}

static bool absent_in(void *context, const struct csum_gap *gap, struct error *err)
{
	const uint64_t begin = gap->item->disk_bytenr;
	struct absent *a = context;
	struct extent_part part;

	if (!extent_part_of(gap->item, gap->file_offset, gap->from - begin, gap->to - begin, &part))
		return true;
	if (a->subvolume == gap->subvolume && a->inode == gap->number && part.first <= a->part.last + 1 && part.first >= a->part.first) {
		a->part.last = part.last;
		return true;
	}
	if (!tell(a, err))
		return false;
	a->subvolume = gap->subvolume;
	a->inode = gap->number;
	a->logical = gap->from;
	a->part = part;
	return true;
}

bool csum_absent(const struct scan *scan, bool over, csum_absent_visit *visit, void *context, struct error *err)
{
	struct absent absent = { .visit = visit, .context = context };
	const struct csum_gap_search search = {
		.scan = scan, .over = over, .skips_nodatasum = true, .look = csum_gaps_visit, .found = absent_in, .context = &absent,
	};

	return csum_gaps_search(&search, err) && tell(&absent, err);
}

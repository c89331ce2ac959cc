/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Looks at what no domain claims for signs of sealing: tags and marks. */
#include "common/fs/domain-strays.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/fs/domain-names.h"
#include "common/fs/scan.h"

struct outside {
	const struct subvolume **at;
	size_t n;
};

static bool has_id(const uint64_t *ids, size_t n, uint64_t id)
{
	for (size_t low = 0, high = n; low < high;) {
		const size_t i = low + (high - low) / 2;

		if (ids[i] == id)
			return true;
		if (ids[i] < id)
			low = i + 1;
		else
			high = i;
	}
	return false;
}

/* What another domain has is no stray, also where its tag alone says so; nor what a member item of a damaged one names. */
static bool find_outside(const struct subvolume_list *list, uint16_t domain, const uint64_t *ids, size_t n, struct outside *outside, struct error *err)
{
	cleanup_seals struct seals seals = { 0 };

	*outside = (struct outside){ .at = calloc(list->n + 1, sizeof(*outside->at)) };
	if (!outside->at)
		return error_memory(err);
	if (!seals_read(list, &seals, err)) {
		free(outside->at);
		return false;
	}
	for (size_t i = 0; i < list->n; i++) {
		const struct seal *seal = seal_of(&seals, &list->at[i]);

		if (!has_id(ids, n, list->at[i].id) && (seal->claim == DOMAIN_NONE || (seal->claim == DOMAIN_TAG && seal->domain == domain)))
			outside->at[outside->n++] = &list->at[i];
	}
	return true;
}

bool strays_by_tag(const struct subvolume_list *list, uint16_t domain, const uint64_t *ids, size_t n, stray_tell *tell, void *context,
		   struct error *err)
{
	struct outside outside;
	bool ok = true;

	if (!find_outside(list, domain, ids, n, &outside, err))
		return false;
	for (size_t i = 0; ok && i < outside.n; i++) {
		const struct root *root = &outside.at[i]->root;
		char tag[ROOT_TAG_TEXT_SIZE], what[160];

		if (!root_has_our_tag(root) || !root_tag_text(root, tag))
			continue;
		snprintf(what, sizeof(what), "its root item has the tag %s, but it belongs to nothing that is sealed", tag);
		ok = tell(context, outside.at[i], what, err);
	}
	free(outside.at);
	return ok;
}

/* What cannot be followed may be part of it; a block that cannot be read may hold anything. */
static bool tell_bad(const struct subvolume_list *list, const struct scan *scan, stray_tell *tell, void *context, struct error *err)
{
	for (size_t i = 0; i < scan->n_bad; i++) {
		const struct scan_bad *bad = &scan->bad[i];
		const uint64_t id = scan->member[bad->member];
		const struct subvolume *subvolume = subvolume_by_id(list, id);

		if (bad->inode == 0)
			return error_set(err, ERROR_CORRUPT, "subvolume %" PRIu64 ": %s", id, bad->what);
		if (bad->marked && subvolume &&
		    !tell(context, subvolume, "it has an extent with the mark of sealing that cannot be followed, but belongs to nothing that is sealed", err))
			return false;
	}
	return true;
}

static bool tell_marked(const struct subvolume_list *list, const struct scan *scan, stray_tell *tell, void *context, struct error *err)
{
	uint64_t told = 0;

	for (size_t i = 0; i < scan->n_extents; i++) {
		const uint64_t id = scan->member[scan->extent[i].member];
		const struct subvolume *subvolume = subvolume_by_id(list, id);

		if (!scan->extent[i].marked || !subvolume || told == id)
			continue;
		told = id;
		if (!tell(context, subvolume, "it has extents with the mark of sealing, but belongs to nothing that is sealed", err))
			return false;
	}
	return true;
}

bool strays_by_mark(const struct subvolume_list *list, uint16_t domain, const uint64_t *ids, size_t n, stray_tell *tell, void *context, struct error *err)
{
	cleanup_scan struct scan *scan = NULL;
	struct outside outside;
	uint64_t *others = NULL;
	bool ok = find_outside(list, domain, ids, n, &outside, err);

	if (!ok)
		return false;
	others = reallocarray(NULL, outside.n + 1, sizeof(*others));
	ok = others || error_memory(err);
	for (size_t i = 0; ok && i < outside.n; i++)
		others[i] = outside.at[i]->id;
	ok = ok && (outside.n == 0 || (scan_run_over(list->volume, others, outside.n, &scan, err) &&
					 tell_bad(list, scan, tell, context, err) && tell_marked(list, scan, tell, context, err)));
	free(others);
	free(outside.at);
	return ok;
}

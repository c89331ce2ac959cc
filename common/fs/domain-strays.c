/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Looks at what no domain claims for signs of sealing: tags and marks. */
#include "common/fs/domain-strays.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/fs/domain-names.h"
#include "common/fs/payloads.h"
#include "common/util/lower-bound.h"

struct outside {
	const struct subvolume **at;
	size_t n;
};

static bool has_id(const uint64_t *ids, size_t n, uint64_t id)
{
	const size_t i = LOWER_BOUND(at, n, ids[at] < id);

	return i < n && ids[i] == id;
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

struct contents {
	const struct subvolume_list *list;
	const struct scan *scan;
	const struct stray_key *key;
	stray_tell *tell;
	void *context;
	uint64_t told;		/* the last one */
	bool is_over;		/* who was told wants no more */
};

static bool tell_of(struct contents *contents, size_t member, const char *what, struct error *err)
{
	const uint64_t id = contents->scan->member[member];
	const struct subvolume *subvolume = subvolume_by_id(contents->list, id);

	if (!subvolume || contents->told == id)
		return true;
	contents->told = id;
	contents->is_over = !contents->tell(contents->context, subvolume, what, err);
	return !contents->is_over;
}

static bool tell_extents(struct contents *contents, struct error *err)
{
	for (size_t i = 0; i < contents->scan->n_extents; i++) {
		const struct scan_extent *extent = &contents->scan->extent[i];

		if (extent->marked && !tell_of(contents, extent->member, "it has extents with the mark of sealing, but belongs to nothing that is sealed", err))
			return false;
	}
	return true;
}

/* May be anywhere: a kernel moves what is not sealed to it, too. */
static bool tell_opened(struct contents *contents, struct error *err)
{
	for (size_t i = 0; contents->key->seeker && i < contents->scan->n_extents; i++) {
		const struct scan_extent *extent = &contents->scan->extent[i];
		const struct unit_wanted wanted = {
			.address = extent->logical, .length = extent->length, .inode = extent->inode, .file_offset = extent->file_offset,
			.marked = extent->marked,
		};
		struct unit_group group;
		bool found, confirmed;

		if (!unit_find(contents->key->seeker, &wanted, UNIT_BY_ANY_TAG, &group, &found, &confirmed, err) ||
		    (confirmed && !tell_of(contents, extent->member, "it has data that were sealed here, but belongs to nothing that is sealed", err)))
			return false;
	}
	return true;
}

#define TELLING_BYTES 8u

static bool tell_payload(void *context, const struct scan_block *leaf, const struct inline_payload *payload, struct error *err)
{
	struct contents *contents = context;
	struct crypt_inline_unit unit;
	bool found;

	/* What is shorter may by chance be just the ciphertext of another file of the same number: of one byte, once in 256 times. */
	if (payload->bytes.left < TELLING_BYTES)
		return true;
	return inline_map_find(contents->key->inlines, contents->key->schedule, payload, true, &unit, NULL, &found, err) &&
	       (!found || tell_of(contents, leaf->member, "it has files that were sealed here, but belongs to nothing that is sealed", err));
}

/* What is damaged there is no matter of this one. */
static bool tell_payloads(struct contents *contents, struct error *err)
{
	struct mode_memory memory = { 0 };

	for (size_t i = 0; i < contents->scan->n_blocks; i++) {
		const struct scan_block *at = &contents->scan->block[i];
		const struct block_expect expect = { .level = 0 };
		cleanup_block struct block *block = NULL;
		struct error what = { 0 };

		if (at->level != 0)
			continue;
		if (!block_get(contents->scan->volume, at->logical, &expect, &block, &what) ||
		    !payloads_of_leaf(contents->scan, at, block, &memory, tell_payload, contents, &what)) {
			if (contents->is_over || !error_is_damage(&what))
				return *err = what, false;
		}
	}
	return true;
}

bool strays_by_content(const struct subvolume_list *list, uint16_t domain, const uint64_t *ids, size_t n, const struct stray_key *key,
		       stray_tell *tell, void *context, struct error *err)
{
	cleanup_scan struct scan *scan = NULL;
	struct contents contents = { .list = list, .key = key, .tell = tell, .context = context };
	struct outside outside;
	uint64_t *others = NULL;
	bool ok = find_outside(list, domain, ids, n, &outside, err);

	if (!ok)
		return false;
	others = reallocarray(NULL, outside.n + 1, sizeof(*others));
	ok = others || error_memory(err);
	for (size_t i = 0; ok && i < outside.n; i++)
		others[i] = outside.at[i]->id;
	ok = ok && (outside.n == 0 || scan_run_over(list->volume, others, outside.n, &scan, err));
	contents.scan = scan;
	ok = ok && (!scan || (tell_bad(list, scan, tell, context, err) && tell_extents(&contents, err) && tell_opened(&contents, err) &&
			   tell_payloads(&contents, err)));
	free(others);
	free(outside.at);
	return ok;
}

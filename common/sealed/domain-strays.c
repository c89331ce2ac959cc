/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Searches everything that no domain claims for signs of sealing: tags and marks. */
#include "common/sealed/domain-strays.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/sealed/domain-names.h"
#include "common/sealed/payloads.h"
#include "common/util/sorted64.h"
#include "common/volume/tolerance.h"

struct strays {
	const struct subvolume_list *list;
	const struct subvolume **at;
	size_t n;
	/* Those with the tag of another domain, ascending. Marks are normal there; only the key can tell whose the data are. */
	uint64_t *foreign;
	size_t n_foreign;
};

void strays_close(struct strays *strays)
{
	if (!strays)
		return;
	free(strays->at);
	free(strays->foreign);
	free(strays);
}

/* The header alone shows the tag of a domain that cannot be read. */
static bool has_foreign_tag(struct volume *volume, uint16_t domain, const struct root *root, bool *has, struct error *err)
{
	uint16_t *numbers = NULL;
	size_t n = 0;
	bool ok = !root_has_our_tag(root) || domain_numbers(volume, &numbers, &n, err);

	*has = false;
	for (size_t i = 0; ok && i < n && !*has; i++)
		ok = numbers[i] == domain || domain_header_has_tag(volume, numbers[i], root, has, err);
	free(numbers);
	return ok;
}

static bool take_outside(struct strays *strays, const struct subvolume *subvolume, const struct seal *seal, uint16_t domain, struct error *err)
{
	bool is_foreign = seal->claim == DOMAIN_TAG && seal->domain != domain;

	if (seal->claim > DOMAIN_TAG)
		return true;
	if (seal->claim == DOMAIN_NONE && !has_foreign_tag(strays->list->volume, domain, &subvolume->root, &is_foreign, err))
		return false;
	strays->at[strays->n++] = subvolume;
	if (is_foreign)
		strays->foreign[strays->n_foreign++] = subvolume->id;
	return true;
}

/* What another domain has is not a stray. Neither is a subvolume that a member item of a damaged domain names. */
bool strays_open(const struct subvolume_list *list, uint16_t domain, const uint64_t *ids, size_t n, struct strays **strays, struct error *err)
{
	cleanup_seals struct seals seals = { 0 };
	struct strays *s = calloc(1, sizeof(*s));
	bool ok;

	if (!s)
		return error_memory(err);
	*s = (struct strays){ .list = list, .at = calloc(list->n + 1, sizeof(*s->at)), .foreign = calloc(list->n + 1, sizeof(*s->foreign)) };
	ok = s->at && s->foreign ? seals_read(list, &seals, err) : error_memory(err);
	for (size_t i = 0; ok && i < list->n; i++)
		ok = sorted64_find(ids, n, list->at[i].id) || take_outside(s, &list->at[i], seal_of(&seals, &list->at[i]), domain, err);
	if (ok)
		*strays = s;
	else
		strays_close(s);
	return ok;
}

bool strays_by_tag(const struct strays *strays, stray_tell *tell, void *context, struct error *err)
{
	for (size_t i = 0; i < strays->n; i++) {
		const struct root *root = &strays->at[i]->root;
		char tag[ROOT_TAG_TEXT_SIZE], what[160];

		if (!root_has_our_tag(root) || !root_tag_text(root, tag) || sorted64_find(strays->foreign, strays->n_foreign, strays->at[i]->id))
			continue;
		snprintf(what, sizeof(what), "its root item has the tag %s, but it belongs to no sealing", tag);
		if (!tell(context, strays->at[i], what, err))
			return false;
	}
	return true;
}

struct contents {
	const struct strays *strays;
	const struct scan *scan;
	const struct stray_key *key;
	stray_tell *tell;
	void *context;
	uint64_t told;		/* last one reported */
	bool is_over;		/* the caller wants no more */
};

static bool tell_of(struct contents *contents, size_t member, const char *what, struct error *err)
{
	const uint64_t id = contents->scan->member[member];
	const struct subvolume *subvolume = subvolume_by_id(contents->strays->list, id);

	if (!subvolume || contents->told == id)
		return true;
	contents->told = id;
	contents->is_over = !contents->tell(contents->context, subvolume, what, err);
	return !contents->is_over;
}

static bool is_foreign(const struct contents *contents, size_t member)
{
	return sorted64_find(contents->strays->foreign, contents->strays->n_foreign, contents->scan->member[member]);
}

/* An extent that cannot be followed may belong to it. */
static bool tell_bad(struct contents *contents, struct error *err)
{
	for (size_t i = 0; i < contents->scan->n_bad; i++) {
		const struct scan_bad *bad = &contents->scan->bad[i];

		if (bad->inode != 0 && bad->marked && !is_foreign(contents, bad->member) &&
		    !tell_of(contents, bad->member, "it has an extent with the mark of sealing that cannot be followed, but belongs to "
		    	"no sealing",
			     err))
			return false;
	}
	return true;
}

static bool tell_extents(struct contents *contents, struct error *err)
{
	for (size_t i = 0; i < contents->scan->n_extents; i++) {
		const struct scan_extent *extent = &contents->scan->extent[i];

		if (extent->marked && !is_foreign(contents, extent->member) &&
		    !tell_of(contents, extent->member, "it has extents with the mark of sealing, but belongs to no sealing", err))
			return false;
	}
	return true;
}

/* The data may be at any address, because a kernel also moves what does not belong to the sealing. */
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
		    (confirmed && !tell_of(contents, extent->member, "it has data that were sealed here, but belongs to no sealing", err)))
			return false;
	}
	return true;
}

#define TELLING_BYTES 8u

static bool tell_payload(void *context, const struct scan_block *leaf, const struct inline_payload *payload, struct error *err)
{
	struct contents *contents = context;
	const struct inline_search search = { contents->key->inlines, contents->key->schedule, payload, PAYLOAD_SEALED, NULL };
	struct crypt_inline_unit unit;
	bool found;

	/* A short payload may equal the ciphertext of another file with the same number by chance: with one byte, once in 256 times. */
	if (payload->bytes.left < TELLING_BYTES)
		return true;
	return inline_map_find(&search, &unit, &found, err) &&
	       (!found || tell_of(contents, leaf->member, "it has files that were sealed here, but belongs to no sealing", err));
}

/* Other damage in these subvolumes does not matter here. */
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

/* --- what cannot be read ------------------------------------------------------------------------------------------ */

/* Finds the subvolumes whose root can be read. others has room for all ids. */
static bool find_readable(const struct strays *strays, uint64_t *others, size_t *n, stray_tell *lost, void *context, struct error *err)
{
	struct volume *volume = strays->list->volume;

	*n = 0;
	for (size_t i = 0; i < strays->n; i++) {
		const uint64_t id = strays->at[i]->id;
		cleanup_block struct block *root = NULL;
		struct block_expect expect = { 0 };
		struct error what = { 0 };
		struct tree tree;
		bool ok = tree_open(volume, id, &tree, &what);

		if (ok) {
			expect = (struct block_expect){ .level = tree.level, .generation = tree.generation };
			ok = block_get(volume, tree.logical, &expect, &root, &what);
		}
		if (ok)
			others[(*n)++] = id;
		else if (!error_is_damage(&what))
			return *err = what, false;
		else if (!lost(context, strays->at[i], what.text, err))
			return false;
	}
	return true;
}

static bool tell_lost(const struct strays *strays, const struct scan *scan, stray_tell *lost, void *context, struct error *err)
{
	for (size_t i = 0; i < scan->n_bad && scan->bad[i].inode == 0; i++) {
		const struct subvolume *subvolume = subvolume_by_id(strays->list, scan->member[scan->bad[i].member]);

		if (!lost(context, subvolume, scan->bad[i].what, err))
			return false;
	}
	return true;
}

/* Sets *scan to NULL if there are none. */
static bool scan_outside(const struct strays *strays, stray_tell *lost, void *context, struct scan **scan, struct error *err)
{
	uint64_t *others = reallocarray(NULL, strays->n + 1, sizeof(*others));
	size_t n = 0;
	bool ok = others ? find_readable(strays, others, &n, lost, context, err) : error_memory(err);

	ok = ok && (n == 0 || (scan_run_over(strays->list->volume, others, n, scan, err) && tell_lost(strays, *scan, lost, context, err)));
	free(others);
	return ok;
}

bool strays_lost(const struct strays *strays, stray_tell *lost, void *context, struct error *err)
{
	cleanup_scan struct scan *scan = NULL;

	return scan_outside(strays, lost, context, &scan, err);
}

bool strays_by_content(const struct strays *strays, const struct stray_key *key, stray_tell *tell, stray_tell *lost, void *context, struct error *err)
{
	cleanup_scan struct scan *scan = NULL;
	struct contents contents = { .strays = strays, .key = key, .tell = tell, .context = context };

	if (!scan_outside(strays, lost, context, &scan, err))
		return false;
	contents.scan = scan;
	return !scan || (tell_bad(&contents, err) && tell_extents(&contents, err) && tell_opened(&contents, err) && tell_payloads(&contents, err));
}

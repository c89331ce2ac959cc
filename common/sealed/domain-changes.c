/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Compares the versions of inodes that exist with those that were sealed. */
#include "common/sealed/domain-changes.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/fs/path.h"
#include "common/sealed/extent-part.h"
#include "common/sealed/index-iter.h"
#include "common/sealed/index-scan.h"
#include "common/sealed/scan-bad.h"
#include "common/util/array.h"

#define UNTOLD "files are missing, or exchanged with another subvolume that was sealed with it; nothing tells which ones"

/* Changed inodes are remembered, so that a second subvolume that shares them can be told from one that lacks something. */
#define REMEMBERED_MAX 4096u

#define WHOLE_INODE (1u << INODE_ENTRY_FILE | 1u << INODE_ENTRY_DIRECTORY)	/* the kinds that have the inode item */

struct unknown {
	uint32_t member;
	unsigned kinds;		/* bits */
};

/* When the inode was made. No later change alters that, so it tells a version of a file from another file with the same number. */
struct making {
	uint32_t member;
	bool is_read, is_known;
	uint64_t generation;
	struct inode_time otime;
};

enum origin { CHANGED, ADDED, CHANGED_OR_ADDED };

struct comparing {
	const struct domain_view *view;
	const bool *differs;
	bool accepts;
	change_tell *tell;
	void *context;
	struct canonical *canonical;
	struct index_iter sealed;
	bool all_in_view;
	bool any_gone;		/* a subvolume that was sealed no longer exists */
	bool *told;		/* per subvolume: something was reported of it */

	/* The inode being compared. */
	bool any;
	uint64_t inode;
	uint32_t member;	/* the lowest member in which this inode was found */
	struct unknown *unknown;	/* versions without an entry, in each subvolume that is the lowest to have them */
	size_t n_unknown, unknown_room;
	struct making *intact;	/* subvolumes in which its inode item is as it was sealed: the lowest that has each version */
	size_t n_intact, intact_room;
	uint64_t n_sealed, n_missing, n_found;	/* its entries; those of them that nothing matches; its versions that exist */

	struct crypt_index_entry remembered[REMEMBERED_MAX];
	size_t n_remembered;
};

static bool tell_inode(struct comparing *c, uint32_t member, const char *what, struct error *err)
{
	const struct domain_view *view = c->view;
	char *label = file_label(view->list, &view->scan->tree[member], c->inode);
	bool ok;

	if (!label)
		return error_memory(err);
	c->told[member] = true;
	ok = c->tell(c->context, label, what, err);
	free(label);
	return ok;
}

static void read_making(const struct comparing *c, struct making *making)
{
	struct error ignored = { 0 };
	struct inode inode;

	if (making->is_read)
		return;
	making->is_read = true;
	making->is_known = inode_get(&c->view->scan->tree[making->member], c->inode, &inode, &ignored);
	if (!making->is_known)
		return;
	making->generation = inode.generation;
	making->otime = inode.otime;
}

static bool is_same_making(const struct making *a, const struct making *b)
{
	return a->is_known && b->is_known && a->generation == b->generation && a->otime.sec == b->otime.sec && a->otime.nsec == b->otime.nsec;
}

/*
 * An entry does not say in which subvolume its inode was sealed, and each subvolume may have another file with the same number. So a version
 * without an entry was not necessarily sealed, although the number was.
 */
static enum origin find_origin(struct comparing *c, const struct unknown *unknown)
{
	struct making making = { .member = unknown->member };

	if (c->n_sealed == 0)
		return ADDED;
	/* Every subvolume had its root directory. If the inode item is as it was, the inode was sealed. */
	if (c->view->domain->n_members == 1 || c->inode == FIRST_FREE_ID || !(unknown->kinds & WHOLE_INODE))
		return CHANGED;
	read_making(c, &making);
	for (size_t i = 0; i < c->n_intact; i++) {
		read_making(c, &c->intact[i]);
		if (is_same_making(&making, &c->intact[i]))
			return CHANGED;
	}
	/* It is none of the files that were sealed with this number if all of them are as they were. */
	if (c->n_missing == 0)
		return making.is_known ? ADDED : CHANGED_OR_ADDED;
	return unknown->kinds & (1u << INODE_ENTRY_FILE | 1u << INODE_ENTRY_NAMES) ? CHANGED_OR_ADDED : CHANGED;
}

static bool tell_unknown(struct comparing *c, const struct unknown *unknown, struct error *err)
{
	static const struct { enum inode_entry_kind kind; const char *what; } part[] = {
		{ INODE_ENTRY_FILE, "its names, mode, owner, times, attributes or contents" },
		{ INODE_ENTRY_NAMES, "its name or place" },
		{ INODE_ENTRY_DIRECTORY, "its mode, owner, times or attributes" },
		{ INODE_ENTRY_LISTING, "what it lists" },
	};
	enum origin origin;
	char what[160];
	size_t len;

	/* An inode that cannot be followed was already reported with its damage. */
	if (scan_is_bad(c->view->scan, c->inode)) {
		c->told[unknown->member] = true;
		return true;
	}
	origin = find_origin(c, unknown);
	if (origin == ADDED)
		return tell_inode(c, unknown->member, "was added since it was sealed", err);
	len = (size_t)snprintf(what, sizeof(what), "was changed %ssince it was sealed", origin == CHANGED ? "" : "or added ");
	for (size_t i = 0, n = 0; i < sizeof(part) / sizeof(part[0]); i++) {
		if (unknown->kinds & 1u << part[i].kind)
			len += (size_t)snprintf(what + len, sizeof(what) - len, "%s%s", n++ ? "; " : ": ", part[i].what);
	}
	return tell_inode(c, unknown->member, what, err);
}

static bool tell_missing(struct comparing *c, struct error *err)
{
	char label[64];

	if (c->n_found > 0)
		return tell_inode(c, c->member, "one of its sealed versions is no longer in any subvolume", err);
	snprintf(label, sizeof(label), "inode %" PRIu64, c->inode);
	return c->tell(c->context, label, c->any_gone ? "is missing, or was in a subvolume that no longer exists" :
		       "is missing: it was sealed, but is no longer in any subvolume", err);
}

/* Reports the inode: everything about it is known. */
static bool finish_inode(struct comparing *c, struct error *err)
{
	if (!c->any)
		return true;
	c->any = false;
	for (size_t i = 0; i < c->n_unknown; i++) {
		if (!tell_unknown(c, &c->unknown[i], err))
			return false;
	}
	return c->n_unknown > 0 || c->n_missing == 0 || !c->all_in_view || tell_missing(c, err);
}

static bool begin_inode(struct comparing *c, uint64_t inode, struct error *err)
{
	if (c->any && c->inode == inode)
		return true;
	if (!finish_inode(c, err))
		return false;
	c->any = true;
	c->inode = inode;
	c->n_unknown = c->n_intact = 0;
	c->n_sealed = c->n_missing = c->n_found = 0;
	return true;
}

/* Counts the entries before the version that was found next. Nothing matches them. */
static bool pass_missing(struct comparing *c, const struct crypt_index_entry *until, struct error *err)
{
	while (c->sealed.valid && (!until || index_entry_compare(&c->sealed.entry, until) < 0)) {
		if (!begin_inode(c, c->sealed.entry.inode, err))
			return false;
		c->n_sealed++;
		c->n_missing++;
		if (!index_iter_next(&c->sealed, err))
			return false;
	}
	return true;
}

static bool add_unknown(struct comparing *c, const struct index_found *found, struct error *err)
{
	for (size_t i = 0; i < c->n_unknown; i++) {
		if (c->unknown[i].member == found->member) {
			c->unknown[i].kinds |= 1u << found->kind;
			return true;
		}
	}
	if (!ARRAY_ROOM(c->unknown, c->n_unknown, c->unknown_room, err))
		return false;
	c->unknown[c->n_unknown++] = (struct unknown){ found->member, 1u << found->kind };
	return true;
}

static bool add_intact(struct comparing *c, uint32_t member, struct error *err)
{
	if (!ARRAY_ROOM(c->intact, c->n_intact, c->intact_room, err))
		return false;
	c->intact[c->n_intact++] = (struct making){ .member = member };
	return true;
}

static bool compare(void *context, const struct index_found *found, struct error *err)
{
	struct comparing *c = context;

	if (!pass_missing(c, &found->entry, err) || !begin_inode(c, found->entry.inode, err))
		return false;
	if (c->sealed.valid && index_entry_compare(&c->sealed.entry, &found->entry) == 0) {
		if (c->n_found++ == 0)
			c->member = found->member;
		c->n_sealed++;
		return (!(1u << found->kind & WHOLE_INODE) || add_intact(c, found->member, err)) && index_iter_next(&c->sealed, err);
	}
	c->n_found++;
	if (!add_unknown(c, found, err))
		return false;
	if (c->n_remembered < REMEMBERED_MAX)
		c->remembered[c->n_remembered++] = found->entry;
	return true;
}

/* Sets *shares if the member has a version that was already reported for another subvolume, which shares it. */
static bool shares_changes(struct comparing *c, uint32_t member, bool *shares, struct error *err)
{
	const struct tree *tree = &c->view->scan->tree[member];
	struct error gap = { 0 }, *over = scan_has_lost(c->view->scan) ? &gap : NULL;
	struct orphan_memory orphans = { .over_damage = over };
	const struct inode_versions from = { c->canonical, &orphans, tree, over };

	*shares = false;
	for (size_t i = 0; i < c->n_remembered && !*shares; i++) {
		const struct crypt_index_entry *told = &c->remembered[i];
		enum inode_entry_kind kinds[INODE_ENTRIES_MAX];
		struct inode_version version;
		unsigned n;

		if (!inode_version_read(&from, told->inode, INODE_PARTS_ALL, &version, err))
			return false;
		n = inode_version_items(&version) ? inode_entry_kinds(&version, kinds) : 0;
		for (unsigned k = 0; k < n && !*shares; k++) {
			struct crypt_index_entry entry;

			if (!inode_version_entry(c->canonical, &version, kinds[k], &entry, err))
				return false;
			*shares = index_entry_compare(&entry, told) == 0;
		}
	}
	return true;
}

static bool tell_rest(struct comparing *c, struct error *err)
{
	for (uint32_t m = 0; m < c->view->scan->n_members; m++) {
		bool shares;
		char *label;
		bool ok;

		if (!c->differs[m] || c->told[m])
			continue;
		if (!shares_changes(c, m, &shares, err))
			return false;
		label = file_label(c->view->list, &c->view->scan->tree[m], 0);
		if (!label)
			return error_memory(err);
		ok = c->tell(c->context, label, shares ? "shares a change that was made in another subvolume" :
			     c->accepts ? UNTOLD ", so that all of it is accepted as it is" : UNTOLD, err);
		free(label);
		if (!ok)
			return false;
	}
	return true;
}

/* Checks whether the members and their existing snapshots are all the subvolumes that there are. */
static bool look_around(struct comparing *c, struct error *err)
{
	const struct domain_view *view = c->view;
	uint64_t *sources;
	size_t n = 0, n_members = 0;

	if (!domain_sources(view->domain, view->list, &sources, err))
		return false;
	for (size_t i = 0; i < view->list->n; i++) {
		n += sources[i] != 0;
		n_members += sources[i] != 0 && sources[i] == view->list->at[i].id;
	}
	free(sources);
	c->all_in_view = view->n_ids >= n;
	c->any_gone = n_members < view->domain->n_members;
	return true;
}

bool domain_changes_tell(const struct domain_view *view, const bool *differs, bool accepts, change_tell *tell, void *context, struct error *err)
{
	const struct canonical_input input = {
		.kind = DIGEST_SEALED,
		.volume = view->scan->volume,
		.schedule = view->domain->schedule,
		.units = view->units,
		.inlines = view->inlines,
		.over = true,
	};
	cleanup_canonical struct canonical canonical = { 0 };
	struct comparing *c = calloc(1, sizeof(*c));
	bool ok;

	if (!c)
		return error_memory(err);
	c->view = view;
	c->differs = differs;
	c->accepts = accepts;
	c->tell = tell;
	c->context = context;
	c->canonical = &canonical;
	c->told = calloc(view->scan->n_members, sizeof(*c->told));
	ok = (c->told || error_memory(err)) && look_around(c, err) && canonical_open(&input, &canonical, err) &&
	     index_iter_begin(&c->sealed, view->scan->volume, view->domain->header.domain, err) &&
	     index_scan_visit(view->scan, &canonical, INDEX_PASS_BYTES, compare, c, err) && pass_missing(c, NULL, err) &&
	     finish_inode(c, err) && tell_rest(c, err);
	index_iter_close(&c->sealed);
	free(c->told);
	free(c->unknown);
	free(c->intact);
	free(c);
	return ok;
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
/* btrfs-crypt timeline: all times of all inodes, and what differs between snapshots. */
#include <inttypes.h>
#include <stdlib.h>
#include <uuid/uuid.h>

#include "cmd/command.h"
#include "cmd/image-options.h"
#include "cmd/image.h"
#include "cmd/operands.h"
#include "cmd/print.h"
#include "cmd/source.h"
#include "cmd/timeline-print.h"
#include "common/fs/inode-compare.h"
#include "common/fs/inode-names.h"
#include "common/fs/snapshot-chain.h"
#include "common/fs/walk.h"
#include "common/util/array.h"
#include "common/util/plural.h"
#include "common/util/set64.h"

static struct {
	int recursive;
	char *since;
} opt;

static const struct poptOption options[] = {
	{ "recursive", 'R', POPT_ARG_NONE, &opt.recursive, 0, "nested subvolumes as well", NULL },
	{ "changed-since", 'c', POPT_ARG_STRING, &opt.since, 0, "only what was created, changed or deleted since this snapshot", "SNAPSHOT" },
	INCLUDE(options_image), INCLUDE(options_format),
	POPT_TABLEEND
};

/* --- everything --------------------------------------------------------------------------------------------- */

struct telling {
	const struct subvolume_list *list;
	const struct member_places *places;
	uint64_t n_bad, n_too_long;	/* parts that are damaged, or have paths that are too long */
	struct set64 closed;	/* subvolumes that are sealed */
	size_t *skip;		/* how much of a path belongs to the nested subvolumes above: one for each of n_nested */
	size_t n_nested, n_room;
};

static bool enter(struct telling *telling, size_t skip, struct error *err)
{
	if (!ARRAY_ROOM(telling->skip, telling->n_nested, telling->n_room, err))
		return false;
	telling->skip[telling->n_nested++] = skip;
	return true;
}

/* What is lost in a subvolume is missing only if nested ones are told as well. */
static bool note_subvolume(struct telling *telling, const struct subvolume *subvolume, struct error *err)
{
	bool closed;

	if (!subvolume)
		return true;
	if (opt.recursive)
		telling->n_bad += lost_places_count(&telling->places->lost, subvolume->id);
	return source_warn_place(telling->places, subvolume, err) && source_note_sealed(telling->list, subvolume, &closed, err) &&
	       (!closed || set64_add(&telling->closed, subvolume->id, NULL, err));
}

static bool tell_entry(void *context, const struct walk_entry *entry, bool *descend, struct error *err)
{
	struct telling *telling = context;
	const bool is_nested = entry->is_subvolume && entry->depth > 0;

	if (entry->is_stub) {	/* no inode: nothing has a time */
		telling->n_bad += opt.recursive && print_empty_wrong(&telling->places->lost, entry, "/");
		return true;
	}
	if (is_nested && !opt.recursive) {
		*descend = false;
		return true;
	}
	/* Everything in a subvolume is named by its path there. */
	if (is_nested && (!enter(telling, entry->path_len, err) || !note_subvolume(telling, subvolume_by_id(telling->list, entry->tree->id), err)))
		return false;
	if (entry->is_made_up)	/* its times are lost */
		return true;

	size_t skip = telling->n_nested ? telling->skip[telling->n_nested - 1] : 0;

	skip += skip > 0 && skip < entry->path_len;	/* the slash */

	const struct moment moment = {
		.subvolume = subvolume_by_id(telling->list, entry->tree->id),
		.root = entry->tree->id,
		.number = entry->number,
		.path = entry->path + skip,
		.path_len = entry->path_len - skip,
		.inode = &entry->inode,
		.is_closed = set64_has(&telling->closed, entry->tree->id),
	};

	moment_print(&moment);
	return true;
}

static bool tell_leave(void *context, const struct walk_entry *entry, struct error *err)
{
	struct telling *telling = context;

	(void)err;
	if (entry->is_subvolume && entry->depth > 0 && telling->n_nested > 0 && telling->skip[telling->n_nested - 1] == entry->path_len)
		telling->n_nested--;
	return true;
}

static void tell_bad(void *context, const struct report *report)
{
	struct telling *telling = context;

	telling->n_bad += report->kind != REPORT_REFUSED;
	telling->n_too_long += report->kind == REPORT_REFUSED;
	print_damage(report, "/");
}

static bool tell_all(const struct subvolume_list *list, const struct member_places *places, const struct subvolume *subvolume, struct error *err)
{
	static const struct walk_visitor visitor = { .entry = tell_entry, .leave = tell_leave, .report = tell_bad };
	const struct file_id start = { subvolume->id, FIRST_FREE_ID };
	struct telling telling = { .list = list, .places = places };
	const bool ok = note_subvolume(&telling, subvolume, err) && walk(list->volume, &start, &visitor, &telling, err);

	free(telling.skip);
	set64_free(&telling.closed);
	if (ok && telling.n_bad == 0 && telling.n_too_long > 0)
		return error_set(err, ERROR_REFUSED, "subvolume %" PRIu64 ": paths are too long, the timeline is not complete", subvolume->id);
	if (!ok || telling.n_bad == 0)
		return ok;
	return error_set(err, ERROR_CORRUPT, "subvolume %" PRIu64 ": %" PRIu64 " part%s damaged, the timeline is not complete", subvolume->id,
			 telling.n_bad, plural_is(telling.n_bad));
}

/* --- differences ---------------------------------------------------------------------------------------------- */

struct comparing {
	const struct subvolume *before_subvolume, *after_subvolume;
	struct tree before_tree, after_tree;
	bool is_closed;		/* one of the two is sealed */
};

static bool tell_name(void *context, const uint8_t *path, size_t len, struct error *err)
{
	struct moment *moment = context;

	(void)err;
	moment->path = path;
	moment->path_len = len;
	moment_print(moment);
	return true;
}

static bool tell_pair(void *context, uint64_t number, const struct inode *before, const struct inode *after, struct error *err)
{
	const struct comparing *comparing = context;

	/* A file without a link only lives until it is closed, or until the next mount: a deleted file keeps the names it had. */
	if (before && after && before->n_links > 0 && after->n_links == 0)
		after = NULL;

	const struct subvolume *subvolume = after ? comparing->after_subvolume : comparing->before_subvolume;
	struct moment moment = {
		.subvolume = subvolume,
		.root = subvolume->id,
		.number = number,
		.inode = after ? after : before,
		.before = after ? before : NULL,
		.is_closed = comparing->is_closed,
		.change = !before ? MOMENT_CREATED : after ? MOMENT_CHANGED : MOMENT_DELETED,
	};
	uint64_t n_names;

	if (before && after && !inode_differs(before, after))
		return true;
	if (!inode_names(after ? &comparing->after_tree : &comparing->before_tree, number, tell_name, &moment, &n_names, err))
		return false;
	return n_names > 0 || tell_name(&moment, NULL, 0, err);
}

static bool tell_changes(const struct subvolume_list *list, const struct subvolume *since, const struct subvolume *subvolume, bool is_closed,
			 struct error *err)
{
	struct comparing comparing = { .before_subvolume = since, .after_subvolume = subvolume, .is_closed = is_closed };

	return tree_open(list->volume, since->id, &comparing.before_tree, err) &&
	       tree_open(list->volume, subvolume->id, &comparing.after_tree, err) &&
	       inode_compare(&comparing.before_tree, &comparing.after_tree, tell_pair, &comparing, err);
}

static bool has_uuids(const struct subvolume *subvolume)
{
	return subvolume->root.has_v2 && !subvolume->root.is_short;
}

/* Was any subvolume in the chain of from received from one in the chain of to? */
static bool was_received(const struct subvolume_list *list, const uint32_t *chain, uint32_t from, uint32_t to)
{
	for (size_t i = 0; i < list->n; i++) {
		const struct subvolume *source;

		if (chain[i] != from || !has_uuids(&list->at[i]) || uuid_is_null(list->at[i].root.received_uuid))
			continue;
		source = subvolume_by_uuid(list, list->at[i].root.received_uuid);
		if (source && chain[source - list->at] == to)
			return true;
	}
	return false;
}

/* Inode numbers mean the same files only in snapshots of each other, and in what was sent and received from them. */
static bool check_origin(const struct subvolume_list *list, const struct subvolume *a, const struct subvolume *b, struct error *err)
{
	char name_a[160], name_b[160];
	uint32_t *chain = NULL;
	bool ok;

	if (!has_uuids(a) || !has_uuids(b))	/* from a kernel that gave none: nobody knows */
		return true;
	ok = snapshot_chains(list, &chain, err);
	if (ok) {
		const uint32_t of_a = chain[a - list->at], of_b = chain[b - list->at];

		if (of_a != of_b && !was_received(list, chain, of_a, of_b) && !was_received(list, chain, of_b, of_a) &&
		    (uuid_is_null(a->root.received_uuid) || uuid_compare(a->root.received_uuid, b->root.received_uuid) != 0)) {
			ok = error_set(err, ERROR_REFUSED, "subvolumes %s and %s have no common origin: the same inode numbers mean different files",
				       subvolume_name(list, a->id, name_a), subvolume_name(list, b->id, name_b));
			error_hint(err, "btrfs-crypt list -u -q -R shows what is a snapshot of what");
		}
	}
	free(chain);
	return ok;
}

static bool run(const char *const *operand, struct error *err)
{
	cleanup_subvolume_list struct subvolume_list list = { 0 };
	cleanup_member_places struct member_places places = { 0 };
	cleanup_volume struct volume *volume = NULL;
	const struct subvolume *subvolume, *since = NULL;
	bool since_closed = false, closed;

	if (opt.since && opt.recursive)
		return error_set(err, ERROR_USAGE, "--changed-since and --recursive exclude each other: snapshots do not hold nested subvolumes");
	if (!image_open(operand[0], TREES_ANYHOW, &volume, err) || !subvolumes_read(volume, &list, err) || !member_places_read(&list, &places, err) ||
	    (opt.since && (!subvolume_operand(&list, opt.since, &since, err) || !source_note_sealed(&list, since, &since_closed, err))))
		return false;
	for (size_t i = 1; operand[i]; i++) {
		if (!subvolume_operand(&list, operand[i], &subvolume, err) ||
		    (since && !check_origin(&list, since, subvolume, err)) ||
		    !(since ? source_note_sealed(&list, subvolume, &closed, err) &&
			       tell_changes(&list, since, subvolume, since_closed || closed, err)
			    : tell_all(&list, &places, subvolume, err)))
			return false;
	}
	return true;
}

const struct command cmd_timeline = {
	.name = "timeline",
	.operands = "IMAGE SUBVOL...",
	.summary = "print all times of all files of subvolumes, or what differs from a snapshot",
	.options = options,
	.run = run,
};

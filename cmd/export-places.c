/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Finds operands by their names, and their snapshots by the chain to which they belong. */
#include "cmd/export-places.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "cmd/export-proof.h"
#include "cmd/operands.h"
#include "cmd/print.h"
#include "cmd/source-path.h"
#include "cmd/source.h"
#include "common/fs/lost-names.h"
#include "common/fs/snapshot-chain.h"
#include "common/fs/walk.h"
#include "common/util/array.h"
#include "common/util/escape.h"

/* What the steps below share. */
struct taking {
	const struct subvolume_list *list;
	struct export_sources *sources;
	struct export_places *places;
	bool alone;	/* this place and no other */
};

/* Appends the components of path. A component that could lead elsewhere becomes bad-name. */
static void join(char *prefix, const uint8_t *path, size_t len)
{
	while (len > 0) {
		const uint8_t *const slash = memchr(path, '/', len);
		const size_t n = slash ? (size_t)(slash - path) : len;
		const bool is_bad = (n == 2 && path[0] == '.' && path[1] == '.') || memchr(path, '\0', n);

		if (n > 0 && !(n == 1 && path[0] == '.')) {
			if (*prefix)
				strcat(prefix, "/");
			strncat(prefix, is_bad ? "bad-name" : (const char *)path, is_bad ? SIZE_MAX : n);
		}
		path += n + (slash != NULL);
		len -= n + (slash != NULL);
	}
}

/* A single directory is the top of what is exported. Of several, each is at its place in the image. */
static bool make_prefix(struct export_place *place, const struct subvolume *subvolume, const char *path, bool alone, bool is_directory,
			struct error *err)
{
	char *const whole = calloc(1, 8 * (subvolume->path_len + strlen(path)) + 64);

	place->prefix = whole;
	if (!whole)
		return error_memory(err);
	if (alone && is_directory)
		return true;
	place->is_nowhere = subvolume->deleted || (subvolume->path_len == 0 && subvolume->id != FS_TREE_ID);
	if (!alone && place->is_nowhere)
		snprintf(whole, 64, "subvolume-%" PRIu64, subvolume->id);
	else if (!alone)
		join(whole, subvolume->path, subvolume->path_len);
	join(whole, (const uint8_t *)path, strlen(path));
	if (alone) {
		const char *const name = strrchr(whole, '/');

		if (name)
			memmove(whole, name + 1, strlen(name));
	}
	return true;
}

static bool add_place(struct export_places *places, struct export_place **place, struct error *err)
{
	if (!ARRAY_ROOM(places->at, places->n, places->capacity, err))
		return false;
	*place = &places->at[places->n++];
	**place = (struct export_place){ 0 };
	return true;
}

/* The place taken last was taken before, perhaps by another name of its subvolume. */
static bool is_taken(const struct export_places *places)
{
	const struct export_place *const last = &places->at[places->n - 1];

	for (const struct export_place *at = places->at; at < last; at++) {
		if (at->start.subvolume == last->start.subvolume && at->start.inode == last->start.inode && strcmp(at->prefix, last->prefix) == 0)
			return true;
	}
	return false;
}

/* Beside others, a subvolume that is being converted is left out when its turn comes. */
static bool is_left_out(const struct taking *taking, struct error *err)
{
	if (err->kind != ERROR_UNFINISHED || taking->alone)
		return false;
	*err = (struct error){ 0 };
	return true;
}

static bool read_start(const struct tree *tree, uint64_t number, const char *path, struct inode *inode, struct error *err)
{
	struct error told_later;
	char name[256];

	if (number == EMPTY_SUBVOLUME_INODE || inode_get_or_directory(tree, number, number == FIRST_FREE_ID, inode, &told_later, err))
		return true;
	escape_text(path, strlen(path), name, sizeof(name));
	return path[0] ? error_prefix(err, "%s", name) : false;
}

static bool take_found(struct taking *taking, const struct subvolume *subvolume, const char *path, const struct file_id *start,
		       struct error *err)
{
	struct extent_source *source;
	struct inode inode = { .mode = S_IFDIR };
	struct export_place *place = NULL;
	struct tree tree;

	if (!add_place(taking->places, &place, err))
		return false;
	place->start = *start;
	const bool ok = tree_open(taking->list->volume, start->subvolume, &tree, err) &&
	       read_start(&tree, start->inode, path, &inode, err) &&
	       make_prefix(place, subvolume, path, taking->alone, S_ISDIR(inode.mode), err) &&
	       (export_sources_get(taking->sources, start->subvolume, MUST_OPEN, &source, err) || is_left_out(taking, err)) &&
	       export_sources_prove_path(taking->sources, subvolume->id, path, start->subvolume, &place->name_differs, err);
	if (ok && is_taken(taking->places))
		free(taking->places->at[--taking->places->n].prefix);
	return ok;
}

static bool take_place(struct taking *taking, const struct subvolume *subvolume, const char *given, struct error *err)
{
	struct file_id start;
	char *path = NULL;	/* the names as they are in the image */
	const bool ok = path_operand(taking->list, subvolume->id, given, &path, &start, err) &&
			take_found(taking, subvolume, path, &start, err);

	free(path);
	return ok;
}

static void note_absent(const struct subvolume *subvolume, const char *given)
{
	char *const path = escape_new(subvolume->path, subvolume->path_len);

	printf_note("%s (id %" PRIu64 "): has no %s", path ? path : "", subvolume->id, given);
	free(path);
}

/* The same place in all other subvolumes of the chain. */
static bool take_snapshots(struct taking *taking, const uint32_t *chain, const struct subvolume *of, const char *given, struct error *err)
{
	const uint32_t wanted = chain[of - taking->list->at];

	for (size_t i = 0; i < taking->list->n; i++) {
		const struct subvolume *const other = &taking->list->at[i];
		const size_t n_before = taking->places->n;

		if (chain[i] != wanted || other == of || take_place(taking, other, given, err))
			continue;
		if (err->kind != ERROR_NOT_FOUND || taking->places->n > n_before)
			return false;
		*err = (struct error){ 0 };
		note_absent(other, given);
	}
	return true;
}

static bool is_below(const char *path, const char *above)
{
	const size_t len = strlen(above);

	return len == 0 ? path[0] : strncmp(path, above, len) == 0 && path[len] == '/';
}

/* Which places are inside another? A nested subvolume is entered if it is such a place itself. */
static void find_within(struct export_places *places, bool recursive)
{
	for (size_t i = 0; i < places->n; i++) {
		struct export_place *const at = &places->at[i];

		for (size_t j = 0; j < places->n && !at->is_within && !at->is_nowhere; j++) {
			const struct export_place *const above = &places->at[j];

			at->is_within = !above->is_nowhere && is_below(at->prefix, above->prefix) &&
					(recursive || at->start.subvolume == above->start.subvolume || at->start.inode == FIRST_FREE_ID);
		}
		places->n_within += at->is_within;
	}
}

bool export_places_enters(const struct export_places *places, uint64_t subvolume)
{
	for (size_t i = 0; places->n_within > 0 && i < places->n; i++) {
		const struct export_place *const at = &places->at[i];

		if (at->is_within && at->start.inode == FIRST_FREE_ID && at->start.subvolume == subvolume)
			return true;
	}
	return false;
}

/* Is path, below prefix, where the place is in the export? */
static bool is_path_of(const struct export_place *at, const char *prefix, const char *path)
{
	const size_t len = strlen(prefix);

	return is_below(at->prefix, prefix) && strcmp(at->prefix + len + (len > 0), path) == 0;
}

void export_places_meet(const struct export_places *places, const char *prefix, const struct walk_entry *entry)
{
	for (size_t i = 0; places->n_within > 0 && i < places->n; i++) {
		struct export_place *const at = &places->at[i];

		at->is_reached |= at->is_within && at->start.subvolume == entry->tree->id && at->start.inode == entry->number &&
				  is_path_of(at, prefix, (const char *)entry->path);
	}
}

const struct export_place *export_places_next_unmet(const struct export_places *places)
{
	struct export_place *next = NULL;

	for (size_t i = 0; places->n_within > 0 && i < places->n; i++) {
		struct export_place *const at = &places->at[i];

		if (at->is_within && !at->is_reached && (!next || strlen(at->prefix) < strlen(next->prefix)))
			next = at;
	}
	if (next)
		next->is_reached = true;
	return next;
}

bool export_places_take(const struct subvolume_list *list, struct export_sources *sources, const char *const *operand, bool with_snapshots,
			bool recursive, struct export_places *places, struct error *err)
{
	struct taking taking = { .list = list, .sources = sources, .places = places, .alone = !with_snapshots && !operand[1] };
	const struct subvolume *subvolume;
	uint32_t *chain = NULL;
	const char *given = NULL;
	bool ok = !with_snapshots || snapshot_chains(list, &chain, err);

	for (size_t i = 0; ok && operand[i]; i++) {
		ok = place_operand(list, operand[i], &subvolume, &given, err) && take_place(&taking, subvolume, given, err) &&
		     (!with_snapshots || take_snapshots(&taking, chain, subvolume, given, err));
	}
	free(chain);
	if (ok)
		find_within(places, recursive);
	return ok;
}

void export_places_free(struct export_places *places)
{
	for (size_t i = 0; i < places->n; i++)
		free(places->at[i].prefix);
	free(places->at);
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Walks everything below a directory without recursion, because a path may have tens of thousands of components. */
#include "common/fs/walk.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "common/fs/walk-job.h"

static bool tell_gap(void *context, const struct error *what, struct error *err)
{
	struct walk *w = context;
	struct frame *frame = &w->frame[w->n_frames - 1];

	(void)err;
	frame->has_gap = true;
	frame->place->has_gap = true;
	walk_tell(w, what);
	return true;
}

/* --- the walk ------------------------------------------------------------------------------------------------------- */

static bool to_next_index(struct walk *w, struct error *err)
{
	const struct frame *frame = &w->frame[w->n_frames - 1];
	const struct key first = { frame->inode_number, KEY_DIR_INDEX, frame->next_index };

	if (w->is_sought)
		return tree_next_over(&w->iter, tell_gap, w, err);
	w->is_sought = true;
	return tree_seek_over(&frame->place->tree, &first, &w->iter, tell_gap, w, err);
}

static bool leave(struct walk *w, struct error *err)
{
	const struct frame *frame = &w->frame[w->n_frames - 1];
	const struct walk_entry entry = {
		.tree = &frame->place->tree,
		.number = frame->inode_number,
		.inode = frame->inode,
		.is_subvolume = frame->is_subvolume,
		.is_made_up = frame->is_made_up,
		.path = w->path,
		.path_len = w->path_len,
		.name = w->path + w->path_len,
		.depth = (unsigned)w->n_frames - 1,
	};

	if (w->visitor->leave && !w->visitor->leave(w->context, &entry, err))
		return false;
	walk_pop(w);
	return true;
}

/* Takes the item at the iterator: one entry, because an index belongs to one name. */
static bool take_item(struct walk *w, struct error *err)
{
	struct frame *frame = &w->frame[w->n_frames - 1];
	const uint64_t index = w->iter.key.offset;
	struct cursor item = w->iter.item;
	struct dir_entry entry;
	struct error what = { 0 };

	frame->at_end = index == UINT64_MAX;
	frame->next_index = index + 1;
	if (!dir_entry_next(&item, &entry, &what))
		return tell_gap(w, &what, err);
	if (item.left > 0) {
		error_set(&what, ERROR_CORRUPT, "entry %" PRIu64 " of directory %" PRIu64 ": %zu bytes follow its name", index,
			  frame->inode_number, item.left);
		walk_tell(w, &what);
	}
	return walk_take(w, &entry, index, err);
}

#define CLIMB_MAX (PATH_BYTES_MAX / 2)	/* directories above one that a path has room for */

/* The directory that says it holds this one, by its INODE_REF. 0: there is none. */
static uint64_t directory_above(const struct tree *tree, uint64_t number)
{
	const struct key first = { number, KEY_INODE_REF, 0 };
	cleanup_tree_iter struct tree_iter iter = { 0 };
	struct error ignored = { 0 };

	return tree_seek_over(tree, &first, &iter, NULL, NULL, &ignored) && iter.valid && iter.key.objectid == number && iter.key.type == KEY_INODE_REF ?
	       iter.key.offset : 0;
}

/* Is it below a directory that was visited, but not entered? Then its contents were left out on purpose. Each step is taken once. */
static bool is_below_closed(struct walked_subvolume *place, uint64_t number, bool *is_below, struct error *err)
{
	uint64_t at = number;
	unsigned n = 0;

	*is_below = false;
	if (set64_count(&place->closed) == 0)
		return true;
	while (at && !set64_has(&place->closed, at) && (at == number || !set64_has(&place->directories, at)) && n++ < CLIMB_MAX)
		at = directory_above(&place->tree, at);
	*is_below = at && set64_has(&place->closed, at);
	for (uint64_t below = number; *is_below && below != at; below = directory_above(&place->tree, below)) {
		if (!set64_add(&place->closed, below, NULL, err))
			return false;
	}
	return true;
}

/*
 * Finds a directory that was not entered because its name is lost. It appears in the root directory, under a
 * made-up name. Sets *number to 0 if there is none.
 */
static bool next_stray(struct walked_subvolume *place, uint64_t *number, struct error *err)
{
	bool is_below;

	*number = 0;
	if (!inode_parents_read(&place->parents, &place->tree, err))
		return false;
	/* Directories whose place is completely unknown come first, because others may be in them. */
	while (place->next_parent < place->parents.n || !place->takes_named) {
		if (place->next_parent == place->parents.n) {
			place->next_parent = 0;
			place->takes_named = true;
			continue;
		}

		const uint64_t parent = place->parents.at[place->next_parent++].parent;

		if (set64_has(&place->directories, parent) || (!place->takes_named && inode_has_name(&place->tree, parent)))
			continue;
		if (!is_below_closed(place, parent, &is_below, err))
			return false;
		if (!is_below) {
			*number = parent;
			return true;
		}
	}
	return true;
}

static bool take_stray(struct walk *w, uint64_t number, struct error *err)
{
	char name[40];
	const size_t len = (size_t)snprintf(name, sizeof(name), "lost-directory-%" PRIu64, number);
	const struct dir_entry entry = {
		.location = { number, KEY_INODE_ITEM, 0 }, .type = FT_DIR, .name = { .at = (const uint8_t *)name, .left = len },
	};
	struct error what = { 0 };

	error_set(&what, ERROR_CORRUPT, "the name of directory %" PRIu64 " is lost; it is called %s here", number, name);
	walk_tell(w, &what);
	return walk_take(w, &entry, number, err);
}

/* Behind the last index: takes what else can be found if a part cannot be read. */
static bool take_behind(struct walk *w, struct error *err)
{
	struct frame *frame = &w->frame[w->n_frames - 1];
	struct walked_subvolume *place = frame->place;
	uint64_t stray = 0;

	/* If unreadable items are left out quietly, what they held is searched for in every directory. */
	const bool is_tolerant = w->volume->tolerance.is_tolerant;

	if ((frame->has_gap || is_tolerant) && !frame->is_searched &&
	    !lost_names_find(&place->tree, frame->inode_number, &place->parents, &frame->lost, err))
		return false;
	frame->is_searched = true;
	if (frame->next_lost < frame->lost.n) {
		const struct lost_name *lost = &frame->lost.at[frame->next_lost++];
		struct error what = { 0 };

		lost_name_tell(lost, frame->inode_number, &what);
		if (is_tolerant)
			walk_tell(w, &what);
		return walk_take(w, &lost->entry, lost->number, err);
	}
	if ((place->has_gap || is_tolerant) && frame->owns_place && frame->inode_number == FIRST_FREE_ID && !next_stray(place, &stray, err))
		return false;
	return stray ? take_stray(w, stray, err) : leave(w, err);
}

static bool go(struct walk *w, struct error *err)
{
	while (w->n_frames > 0) {
		struct frame *frame = &w->frame[w->n_frames - 1];

		if (!frame->at_end && !to_next_index(w, err))
			return false;
		frame->at_end |= !w->iter.valid || w->iter.key.objectid != frame->inode_number || w->iter.key.type != KEY_DIR_INDEX;
		if (!(frame->at_end ? take_behind : take_item)(w, err))
			return false;
	}
	return true;
}

static bool begin(struct walk *w, const struct file_id *start, struct error *err)
{
	struct tree tree;
	struct walk_entry entry = {
		.tree = &tree,
		.number = start->inode,
		.path = w->path,
		.name = w->path,
	};

	if (!tree_open(w->volume, start->subvolume, &tree, err))
		return false;
	if (start->inode == EMPTY_SUBVOLUME_INODE) {
		entry.is_stub = true;
		entry.inode = (struct inode){ .n_links = 1, .mode = S_IFDIR | 0755 };
	} else if (!walk_inode(w, &entry, start->inode == FIRST_FREE_ID, err)) {
		return false;
	}
	return walk_visit(w, NULL, &entry, err);
}

bool walk(struct volume *volume, const struct file_id *start, const struct walk_visitor *visitor, void *context, struct error *err)
{
	struct walk *w = calloc(1, sizeof(*w));
	bool ok;

	if (!w)
		return error_memory(err);
	w->volume = volume;
	w->visitor = visitor;
	w->context = context;
	ok = begin(w, start, err) && go(w, err);
	while (w->n_frames > 0)
		walk_pop(w);
	free(w->frame);
	set64_free(&w->subvolumes);
	link_table_free(&w->links);
	free(w);
	return ok;
}

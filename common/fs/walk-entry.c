/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One entry of the walk: its path, its inode, and the directory that it may be. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "common/fs/walk-job.h"
#include "common/util/array.h"
#include "common/util/escape.h"

static void tell(struct walk *w, enum report_kind kind, const struct error *what)
{
	struct report report = report_of(kind, what);

	report.path = w->path;
	report.path_len = w->path_len;
	if (w->visitor->report)
		w->visitor->report(w->context, &report);
}

void walk_tell(struct walk *w, const struct error *what)
{
	tell(w, what->kind == ERROR_REFUSED ? REPORT_REFUSED : REPORT_DAMAGED, what);
}

/* Reports an entry that only has a name left. Anything but damage ends the walk. */
static bool lose(struct walk *w, const struct error *what, struct error *err)
{
	if (!error_is_damage(what)) {
		*err = *what;
		return false;
	}
	tell(w, REPORT_FAILED, what);
	return true;
}

/* --- frames ----------------------------------------------------------------------------------------------------- */

void walk_pop(struct walk *w)
{
	struct frame *frame = &w->frame[--w->n_frames];

	lost_names_free(&frame->lost);
	if (frame->owns_place) {
		inode_parents_free(&frame->place->parents);
		set64_free(&frame->place->directories);
		set64_free(&frame->place->closed);
		free(frame->place);
	}
	tree_iter_close(&w->iter);
	w->is_sought = false;
	if (w->n_frames > 0)
		w->path_len = w->frame[w->n_frames - 1].path_len;
	w->path[w->path_len] = '\0';
}

/* place: NULL makes a new one, for tree. */
static bool push(struct walk *w, struct walked_subvolume *place, const struct walk_entry *entry, struct error *err)
{
	struct frame frame = {
		.place = place,
		.owns_place = !place,
		.is_subvolume = entry->is_subvolume,
		.inode_number = entry->number,
		.inode = entry->inode,
		.path_len = w->path_len,
		.has_gap = entry->is_made_up,
		.is_made_up = entry->is_made_up,
	};

	if (!ARRAY_ROOM(w->frame, w->n_frames, w->n_allocated, err))
		return false;
	if (!place) {
		frame.place = calloc(1, sizeof(*frame.place));
		if (!frame.place)
			return error_memory(err);
		frame.place->tree = *entry->tree;
	}
	frame.place->has_gap |= frame.has_gap;
	w->frame[w->n_frames++] = frame;
	if (!place && !set64_add(&frame.place->directories, entry->number, NULL, err))
		return false;
	tree_iter_close(&w->iter);
	w->is_sought = false;
	return true;
}

/* Sets *fresh if the directory is entered for the first time. */
static bool is_new(struct walk *w, struct walked_subvolume *place, const struct walk_entry *entry, bool *fresh, struct error *err)
{
	struct error what = { 0 };

	if (!set64_add(place ? &place->directories : &w->subvolumes, place ? entry->number : entry->tree->id, fresh, err))
		return false;
	if (*fresh)
		return true;
	if (place)
		error_set(&what, ERROR_CORRUPT, "tree %" PRIu64 ": directory %" PRIu64 " appears a second time", entry->tree->id,
			  entry->number);
	else
		error_set(&what, ERROR_CORRUPT, "subvolume %" PRIu64 " appears a second time", entry->tree->id);
	walk_tell(w, &what);
	return true;
}

/* --- one entry ---------------------------------------------------------------------------------------------------- */

static bool set_link(struct walk *w, struct walk_entry *entry, struct error *err)
{
	const struct file_id id = { entry->tree->id, entry->number };

	if (S_ISDIR(entry->inode.mode) || entry->inode.n_links < 2)
		return true;
	entry->link = link_table_find(&w->links, &id);
	entry->is_later_link = entry->link;
	if (!entry->link)
		return link_table_add(&w->links, &id, entry->inode.n_links, w->path, w->path_len, &entry->link, err);
	if (entry->link->n_left > 0)
		entry->link->n_left--;
	return true;
}

bool walk_visit(struct walk *w, struct walked_subvolume *place, struct walk_entry *entry, struct error *err)
{
	const bool is_directory = S_ISDIR(entry->inode.mode);
	bool descend = is_directory && !entry->is_stub;
	bool fresh = true;

	if (descend && !is_new(w, place, entry, &fresh, err))
		return false;
	if (!fresh)
		return true;
	entry->path = w->path;
	entry->path_len = w->path_len;
	if (!set_link(w, entry, err) || !w->visitor->entry(w->context, entry, &descend, err))
		return false;
	if (entry->link && entry->is_later_link && entry->link->n_left == 0)
		link_table_remove(&w->links, entry->link);
	if (descend && is_directory && !entry->is_stub)
		return push(w, place, entry, err);
	if (is_directory && place && !entry->is_stub && !set64_add(&place->closed, entry->number, NULL, err))
		return false;
	if (is_directory && w->visitor->leave)
		return w->visitor->leave(w->context, entry, err);
	return true;
}

/* Appends the name to the path. If the path gets too long, reports that and returns false. */
static bool extend_path(struct walk *w, const struct dir_entry *entry, uint64_t index)
{
	const bool is_bad = dir_entry_name_is_bad(entry);
	const uint8_t *name = entry->name.at;
	size_t len = entry->name.left;
	char text[ESCAPED_SIZE(NAME_MAX_BYTES)], made_up[40];
	struct error what = { 0 };

	if (is_bad) {
		escape_text(name, len, text, sizeof(text));
		len = (size_t)snprintf(made_up, sizeof(made_up), "bad-name-%" PRIu64, index);
		name = (const uint8_t *)made_up;
		error_set(&what, ERROR_CORRUPT, "the name \"%.300s\" cannot be that of a file; it is called %s here", text, made_up);
		walk_tell(w, &what);
	}
	if (len + 1 > PATH_BYTES_MAX - w->path_len) {
		error_set(&what, ERROR_REFUSED, "its contents have paths longer than %u bytes", PATH_BYTES_MAX);
		walk_tell(w, &what);
		return false;
	}
	if (w->path_len > 0)
		w->path[w->path_len++] = '/';
	memcpy(w->path + w->path_len, name, len);
	w->path_len += len;
	w->path[w->path_len] = '\0';
	return true;
}

bool walk_inode(struct walk *w, struct walk_entry *entry, bool is_directory, struct error *what)
{
	struct error why;

	if (!inode_get_or_directory(entry->tree, entry->number, is_directory, &entry->inode, &why, what))
		return false;
	entry->is_made_up = why.kind != ERROR_NONE;
	if (entry->is_made_up)
		walk_tell(w, &why);
	return true;
}

/* Finds the inode that the entry leads to. False: err says what is wrong. */
static bool find_inode(struct walk *w, const struct frame *frame, const struct dir_entry *entry, struct tree *nested,
		       struct walk_entry *out, struct error *what)
{
	struct file_id id;

	if (!dir_entry_target(&frame->place->tree, frame->inode_number, entry, &id, what))
		return false;
	out->number = id.inode;
	if (id.inode == EMPTY_SUBVOLUME_INODE) {
		out->is_stub = true;
		out->stub_of = entry->location.objectid;
		out->inode = (struct inode){ .n_links = 1, .mode = S_IFDIR | 0755 };
		out->inode.atime = out->inode.mtime = out->inode.ctime = out->inode.otime = frame->inode.mtime;
		return true;
	}
	if (id.subvolume != frame->place->tree.id) {
		if (!tree_open(w->volume, id.subvolume, nested, what))
			return false;
		out->tree = nested;
		out->is_subvolume = true;
	}
	return walk_inode(w, out, entry->type == FT_DIR, what);
}

bool walk_take(struct walk *w, const struct dir_entry *dir_entry, uint64_t index, struct error *err)
{
	const size_t n_frames = w->n_frames, above = w->path_len;
	const struct frame frame = w->frame[n_frames - 1];
	struct walk_entry entry = {
		.tree = &frame.place->tree,
		.directory = frame.inode_number,
		.holder = frame.place->tree.id,
		.name = dir_entry->name.at,
		.name_len = dir_entry->name.left,
		.depth = (unsigned)n_frames,
	};
	struct error what = { 0 };
	struct tree nested;
	bool ok = true;

	if (!extend_path(w, dir_entry, index))
		return dir_entry->location.type != KEY_INODE_ITEM || set64_add(&frame.place->closed, dir_entry->location.objectid, NULL, err);
	if (!find_inode(w, &frame, dir_entry, &nested, &entry, &what)) {
		error_prefix(&what, "entry %" PRIu64 " of directory %" PRIu64, index, frame.inode_number);
		ok = lose(w, &what, err);
	} else {
		if (dir_entry->type != dir_entry_type(entry.inode.mode)) {
			error_set(&what, ERROR_CORRUPT, "entry %" PRIu64 " of directory %" PRIu64 ": type is %u, inode %" PRIu64 " has mode %#o",
				  index, frame.inode_number, dir_entry->type, entry.number, entry.inode.mode);
			walk_tell(w, &what);
		}
		ok = walk_visit(w, entry.is_subvolume ? NULL : frame.place, &entry, err);
	}
	if (w->n_frames == n_frames) {	/* it was not entered */
		w->path_len = above;
		w->path[above] = '\0';
	}
	return ok;
}

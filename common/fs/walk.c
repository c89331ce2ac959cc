/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Everything below a directory, without recursion: a path may have tens of thousands of components. */
#include "common/fs/walk.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "common/tree/tree-gap.h"
#include "common/util/escape.h"
#include "common/util/set64.h"

/* A subvolume that the walk is in. */
struct place {
	struct tree tree;
	struct set64 directories;	/* inodes: one name each, so that none is entered twice */
};

/* A directory that the walk is in. */
struct frame {
	struct place *place;
	bool owns_place;
	bool is_subvolume;
	uint64_t inode_number;
	struct inode inode;
	uint64_t next_index;
	bool at_end;		/* no index is higher */
	size_t path_len;
};

struct walk {
	struct volume *volume;
	const struct walk_visitor *visitor;
	void *context;
	struct frame *frame;
	size_t n_frames, n_allocated;
	struct set64 subvolumes;
	struct link_table links;
	struct tree_iter iter;	/* in the directory of the last frame; not valid: to be sought */
	bool is_sought;
	uint8_t path[PATH_BYTES_MAX + 1];
	size_t path_len;
};

static bool tell(struct walk *w, const struct error *what, struct error *err)
{
	return !w->visitor->bad || w->visitor->bad(w->context, w->path, w->path_len, what, err);
}

static bool tell_gap(void *context, const struct error *what, struct error *err)
{
	return tell(context, what, err);
}

/* Damage is told, everything else ends the walk. */
static bool survive(struct walk *w, const struct error *what, struct error *err)
{
	if (error_is_damage(what))
		return tell(w, what, err);
	*err = *what;
	return false;
}

/* --- frames ----------------------------------------------------------------------------------------------------- */

static void pop(struct walk *w)
{
	struct frame *frame = &w->frame[--w->n_frames];

	if (frame->owns_place) {
		set64_free(&frame->place->directories);
		free(frame->place);
	}
	tree_iter_close(&w->iter);
	w->is_sought = false;
	if (w->n_frames > 0)
		w->path_len = w->frame[w->n_frames - 1].path_len;
	w->path[w->path_len] = '\0';
}

/* place NULL: a new one, for tree. */
static bool push(struct walk *w, struct place *place, const struct walk_entry *entry, struct error *err)
{
	struct frame frame = {
		.place = place,
		.owns_place = !place,
		.is_subvolume = entry->is_subvolume,
		.inode_number = entry->number,
		.inode = entry->inode,
		.path_len = w->path_len,
	};

	if (w->n_frames == w->n_allocated) {
		const size_t n = w->n_allocated ? 2 * w->n_allocated : 32;
		struct frame *more = realloc(w->frame, n * sizeof(*more));

		if (!more)
			return error_memory(err);
		w->frame = more;
		w->n_allocated = n;
	}
	if (!place) {
		frame.place = calloc(1, sizeof(*frame.place));
		if (!frame.place)
			return error_memory(err);
		frame.place->tree = *entry->tree;
	}
	w->frame[w->n_frames++] = frame;
	if (!place && !set64_add(&frame.place->directories, entry->number, NULL, err))
		return false;
	tree_iter_close(&w->iter);
	w->is_sought = false;
	return true;
}

/* Is it entered for the first time? */
static bool is_new(struct walk *w, struct place *place, const struct walk_entry *entry, bool *fresh, struct error *err)
{
	struct error what = { 0 };

	if (!place) {
		if (!set64_add(&w->subvolumes, entry->tree->id, fresh, err))
			return false;
		if (!*fresh)
			error_set(&what, ERROR_CORRUPT, "subvolume %" PRIu64 " is met a second time", entry->tree->id);
		return *fresh || tell(w, &what, err);
	}
	if (!set64_add(&place->directories, entry->number, fresh, err))
		return false;
	if (!*fresh)
		error_set(&what, ERROR_CORRUPT, "tree %" PRIu64 ": directory %" PRIu64 " is met a second time", entry->tree->id,
			  entry->number);
	return *fresh || tell(w, &what, err);
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

/* Hands out the entry, whose path stands; goes into it where it is a directory.  place NULL: the start of a subvolume. */
static bool visit(struct walk *w, struct place *place, struct walk_entry *entry, struct error *err)
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
	if (is_directory && w->visitor->leave)
		return w->visitor->leave(w->context, entry, err);
	return true;
}

static bool has_bad_bytes(const struct dir_entry *entry)
{
	const uint8_t *name = entry->name.at;
	const size_t len = entry->name.left;

	return memchr(name, '/', len) || memchr(name, '\0', len) || (len == 1 && name[0] == '.') ||
	       (len == 2 && name[0] == '.' && name[1] == '.');
}

/* Puts the name behind the path; *fits false, and told, where it is too long. */
static bool extend_path(struct walk *w, const struct dir_entry *entry, uint64_t index, bool *fits, struct error *err)
{
	const bool is_bad = has_bad_bytes(entry);
	const uint8_t *name = entry->name.at;
	size_t len = entry->name.left;
	char text[ESCAPED_SIZE(NAME_MAX_BYTES)], made_up[40];
	struct error what = { 0 };

	if (is_bad) {
		escape_text(name, len, text, sizeof(text));
		len = (size_t)snprintf(made_up, sizeof(made_up), "bad-name-%" PRIu64, index);
		name = (const uint8_t *)made_up;
		error_set(&what, ERROR_CORRUPT, "the name \"%.300s\" cannot be that of a file; it is called %s here", text, made_up);
		if (!tell(w, &what, err))
			return false;
	}
	*fits = len + 1 <= PATH_BYTES_MAX - w->path_len;
	if (!*fits) {
		error_set(&what, ERROR_CORRUPT, "what is in it has paths longer than %u bytes", PATH_BYTES_MAX);
		return tell(w, &what, err);
	}
	if (w->path_len > 0)
		w->path[w->path_len++] = '/';
	memcpy(w->path + w->path_len, name, len);
	w->path_len += len;
	w->path[w->path_len] = '\0';
	return true;
}

/* The inode that the entry leads to; false with what is wrong. */
static bool find_inode(struct walk *w, const struct frame *frame, const struct dir_entry *entry, struct tree *nested,
		       struct walk_entry *out, struct error *what)
{
	struct file_id id;

	if (!dir_entry_target(&frame->place->tree, frame->inode_number, entry, &id, what))
		return false;
	out->number = id.inode;
	if (id.inode == EMPTY_SUBVOLUME_INODE) {
		out->is_stub = true;
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
	return inode_get(out->tree, id.inode, &out->inode, what);
}

static bool type_fits(uint8_t type, mode_t mode)
{
	static const mode_t modes[FT_LAST + 1] = {
		[FT_REG_FILE] = S_IFREG, [FT_DIR] = S_IFDIR, [FT_CHRDEV] = S_IFCHR, [FT_BLKDEV] = S_IFBLK,
		[FT_FIFO] = S_IFIFO, [FT_SOCK] = S_IFSOCK, [FT_SYMLINK] = S_IFLNK,
	};

	return type <= FT_LAST && modes[type] == (mode & S_IFMT);
}

static bool take_entry(struct walk *w, const struct dir_entry *dir_entry, uint64_t index, struct error *err)
{
	const size_t n_frames = w->n_frames, above = w->path_len;
	const struct frame frame = w->frame[n_frames - 1];
	struct walk_entry entry = {
		.tree = &frame.place->tree,
		.name = dir_entry->name.at,
		.name_len = dir_entry->name.left,
		.depth = (unsigned)n_frames,
	};
	struct error what = { 0 };
	struct tree nested;
	bool fits, ok;

	if (!extend_path(w, dir_entry, index, &fits, err))
		return false;
	if (!fits)
		return true;
	if (!find_inode(w, &frame, dir_entry, &nested, &entry, &what)) {
		error_prefix(&what, "entry %" PRIu64 " of directory %" PRIu64, index, frame.inode_number);
		ok = survive(w, &what, err);
	} else {
		ok = true;
		if (!type_fits(dir_entry->type, entry.inode.mode)) {
			error_set(&what, ERROR_CORRUPT, "entry %" PRIu64 " of directory %" PRIu64 ": type is %u, inode %" PRIu64 " has mode %#o",
				  index, frame.inode_number, dir_entry->type, entry.number, entry.inode.mode);
			ok = tell(w, &what, err);
		}
		ok = ok && visit(w, entry.is_subvolume ? NULL : frame.place, &entry, err);
	}
	if (w->n_frames == n_frames) {	/* not gone into */
		w->path_len = above;
		w->path[above] = '\0';
	}
	return ok;
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
		.path = w->path,
		.path_len = w->path_len,
		.name = w->path + w->path_len,
		.depth = (unsigned)w->n_frames - 1,
	};

	if (w->visitor->leave && !w->visitor->leave(w->context, &entry, err))
		return false;
	pop(w);
	return true;
}

/* The item that the iterator is at: one entry, as the index is that of one name. */
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
		return survive(w, &what, err);
	if (item.left > 0) {
		error_set(&what, ERROR_CORRUPT, "entry %" PRIu64 " of directory %" PRIu64 ": %zu bytes follow its name", index,
			  frame->inode_number, item.left);
		if (!tell(w, &what, err))
			return false;
	}
	return take_entry(w, &entry, index, err);
}

static bool go(struct walk *w, struct error *err)
{
	while (w->n_frames > 0) {
		const struct frame *frame = &w->frame[w->n_frames - 1];

		if (frame->at_end) {
			if (!leave(w, err))
				return false;
			continue;
		}
		if (!to_next_index(w, err))
			return false;
		if (!w->iter.valid || w->iter.key.objectid != frame->inode_number || w->iter.key.type != KEY_DIR_INDEX) {
			if (!leave(w, err))
				return false;
		} else if (!take_item(w, err)) {
			return false;
		}
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
	} else if (!inode_get(&tree, start->inode, &entry.inode, err)) {
		return false;
	}
	return visit(w, NULL, &entry, err);
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
		pop(w);
	free(w->frame);
	set64_free(&w->subvolumes);
	link_table_free(&w->links);
	free(w);
	return ok;
}

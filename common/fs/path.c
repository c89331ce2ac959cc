/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Directories: goes from names to inodes. */
#include "common/fs/path.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "common/fs/lost-names.h"
#include "common/util/array.h"
#include "common/util/escape.h"

bool inode_find(const struct tree *subvolume, uint64_t number, struct inode *inode, bool *found, struct error *err)
{
	const struct key key = { number, KEY_INODE_ITEM, 0 };
	cleanup_tree_iter struct tree_iter iter = { 0 };

	return tree_find(subvolume, &key, &iter, found, err) && (!*found || inode_read(&iter.item, inode, err));
}

bool inode_get(const struct tree *subvolume, uint64_t number, struct inode *inode, struct error *err)
{
	bool found;

	return inode_find(subvolume, number, inode, &found, err) &&
	       (found || error_set(err, ERROR_CORRUPT, "inode %" PRIu64 " is missing in subvolume id:%" PRIu64, number, subvolume->id));
}

/* Finds the item of the root tree that has the place of a subvolume. Tolerantly, ROOT_BACKREF says it, too. */
static bool find_place(const struct tree *roots, uint64_t parent, uint64_t child, struct tree_iter *iter, bool *found, struct error *err)
{
	const struct key down = { parent, KEY_ROOT_REF, child }, up = { child, KEY_ROOT_BACKREF, parent };

	return tree_find(roots, &down, iter, found, err) &&
	       (*found || !roots->volume->tolerance.is_tolerant || tree_find(roots, &up, iter, found, err));
}

/* Does the root tree confirm that the entry (dir, name) is where the subvolume child hangs? */
static bool is_place_of(struct volume *volume, uint64_t parent, uint64_t child, uint64_t dir, const struct cursor *name,
			bool *is_place, struct error *err)
{
	cleanup_tree_iter struct tree_iter iter = { 0 };
	struct root_ref ref;
	struct tree roots;
	bool found;

	if (!tree_open(volume, ROOT_TREE_ID, &roots, err) || !find_place(&roots, parent, child, &iter, &found, err))
		return false;
	*is_place = false;
	if (!found)
		return true;
	if (!root_ref_read(&iter.item, &ref, err))
		return false;
	*is_place = ref.dirid == dir && ref.name.left == name->left && memcmp(ref.name.at, name->at, name->left) == 0;
	if (*is_place && iter.key.type == KEY_ROOT_BACKREF)
		volume_invalid(volume, "tree %" PRIu64 ": the ROOT_REF of subvolume %" PRIu64 " is lost; its ROOT_BACKREF is used", parent, child);
	return true;
}

bool dir_entry_target(const struct tree *subvolume, uint64_t dir, const struct dir_entry *entry, struct file_id *found,
		      struct error *err)
{
	char text[KEY_TEXT_SIZE];
	bool is_place;

	switch (entry->location.type) {
	case KEY_INODE_ITEM:
		*found = (struct file_id){ subvolume->id, entry->location.objectid };
		return true;
	case KEY_ROOT_ITEM:
		if (!is_place_of(subvolume->volume, subvolume->id, entry->location.objectid, dir, &entry->name, &is_place, err))
			return false;
		*found = is_place ? (struct file_id){ entry->location.objectid, FIRST_FREE_ID }
				  : (struct file_id){ subvolume->id, EMPTY_SUBVOLUME_INODE };
		return true;
	default:
		return error_set(err, ERROR_CORRUPT, "tree %" PRIu64 " directory %" PRIu64 ": an entry leads to key %s, not to an inode",
				 subvolume->id, dir, key_text(&entry->location, text));
	}
}

/* A name in a directory. */
struct wanted {
	const struct tree *subvolume;
	uint64_t dir;
	const char *name;
	size_t len;
};

static bool has_name(const struct dir_entry *entry, const struct wanted *wanted)
{
	return entry->name.left == wanted->len && memcmp(entry->name.at, wanted->name, wanted->len) == 0;
}

/* Searches the other of the two items that each entry has, in case the first is lost. */
static bool find_by_index(const struct wanted *wanted, struct tree_iter *iter, struct dir_entry *entry, bool *found, struct error *err)
{
	const struct key first = { wanted->dir, KEY_DIR_INDEX, 0 };
	bool ok;

	for (ok = tree_seek(wanted->subvolume, &first, iter, err); ok && tree_iter_is_in(iter, &first); ok = tree_next(iter, err)) {
		*found = dir_entry_next(&iter->item, entry, err) && has_name(entry, wanted);
		if (*found)
			return true;
		*err = (struct error){ 0 };	/* whoever lists the directory reports an entry that cannot be read */
	}
	return ok;
}

/* Finds the entry of that name. Its cursors are borrowed from iter. */
static bool find_entry(const struct wanted *wanted, struct tree_iter *iter, struct dir_entry *entry, bool *found, struct error *err)
{
	const struct key key = { wanted->dir, KEY_DIR_ITEM, dir_entry_name_hash(wanted->name, wanted->len) };
	struct volume *const volume = wanted->subvolume->volume;
	bool exists;

	*found = false;
	if (!tree_find(wanted->subvolume, &key, iter, &exists, err))
		return false;
	while (exists && iter->item.left > 0) {
		if (!dir_entry_next(&iter->item, entry, err)) {
			if (!volume_tolerates(volume, err))
				return false;
			break;
		}
		if (has_name(entry, wanted)) {
			*found = true;
			return true;
		}
	}
	return !volume->tolerance.is_tolerant || find_by_index(wanted, iter, entry, found, err);
}

static bool name_not_found(const char *name, size_t len, const char *why, struct error *err)
{
	char text[300];

	escape_text(name, len, text, sizeof(text));
	return error_set(err, ERROR_NOT_FOUND, "\"%s\" %s", text, why);
}

bool dir_entry_location(const struct tree *subvolume, uint64_t dir, const char *name, size_t len, struct key *location, bool *found,
			struct error *err)
{
	cleanup_tree_iter struct tree_iter iter = { 0 };
	struct dir_entry entry;

	if (!find_entry(&(struct wanted){ subvolume, dir, name, len }, &iter, &entry, found, err))
		return false;
	if (*found)
		*location = entry.location;
	return true;
}

/* One name in a path. */
struct component {
	const char *path;	/* the whole */
	const char *name;
	size_t len;
	bool is_last, may_search;	/* through the whole subvolume, for an entry that is lost */
};

static bool step(struct volume *volume, struct file_id *at, uint64_t *empty_of, const struct component *c, struct error *err)
{
	const char *const path = c->path, *const name = c->name;
	const size_t len = c->len;
	/* Errors show the path up to this component, or the component alone if that is too long. */
	const bool is_long = (size_t)(name - path) + len > NAME_MAX_BYTES;
	const char *const shown = is_long ? name : path;
	const size_t shown_len = is_long ? len : (size_t)(name - path) + len;
	cleanup_tree_iter struct tree_iter iter = { 0 };
	struct dir_entry entry;
	struct tree tree;
	bool found;

	if (len == 2 && memcmp(name, "..", 2) == 0)
		return error_set(err, ERROR_USAGE, "\"..\" in a path is not supported");
	if (len > NAME_MAX_BYTES)
		return name_not_found(shown, shown_len, "not found: longer than a name can be", err);
	if (at->inode == EMPTY_SUBVOLUME_INODE)
		return name_not_found(shown, shown_len, "not found: the snapshot holds no copy of the nested subvolume", err);
	if (!tree_open(volume, at->subvolume, &tree, err) ||
	    !find_entry(&(struct wanted){ &tree, at->inode, name, len }, &iter, &entry, &found, err))
		return false;
	if (!found && c->may_search && volume->tolerance.is_tolerant && !lost_name_find(&tree, at->inode, name, len, &entry, &found, err))
		return false;
	if (!found)
		return name_not_found(shown, shown_len, "not found", err);
	if (!c->is_last && entry.type == FT_SYMLINK)
		return name_not_found(shown, shown_len, "is a symbolic link, which is not followed", err);
	if (!c->is_last && entry.type != FT_DIR)
		return name_not_found(shown, shown_len, "is not a directory", err);
	*empty_of = entry.location.objectid;
	return dir_entry_target(&tree, at->inode, &entry, at, err);
}

bool path_follow(struct volume *volume, uint64_t subvolume, const char *path, path_visit *visit, void *context, struct file_id *found,
		 struct error *err)
{
	const char *const whole = path;
	struct file_id at = { subvolume, FIRST_FREE_ID };

	while (*path) {
		const size_t len = strcspn(path, "/");
		const char *rest = path + len + strspn(path + len, "/");

		if (len > 0 && !(len == 1 && path[0] == '.')) {
			const struct component name = { whole, path, len, .is_last = path[len] == '\0', .may_search = true };
			struct path_step followed = { .directory = at, .name = path, .len = len };

			if (!step(volume, &at, &followed.empty_of, &name, err))
				return false;
			followed.found = at;
			if (visit && !visit(context, &followed, err))
				return false;
		}
		path = rest;
	}
	*found = at;
	return true;
}

void path_memory_free(struct path_memory *memory)
{
	free(memory->path);
	free(memory->step);
	*memory = (struct path_memory){ 0 };
}

/* Returns how many components of the last path this one also begins with. */
static size_t count_same(const struct path_memory *memory, const char *path)
{
	size_t same = 0, n = 0;

	while (n < memory->n) {
		const size_t end = memory->step[n].end;

		if (strncmp(path + same, memory->path + same, end - same) != 0 || (path[end] != '/' && path[end] != '\0'))
			break;
		same = end;
		n++;
	}
	return n;
}

static bool remember_step(struct path_memory *memory, size_t end, const struct file_id *at, struct error *err)
{
	if (!ARRAY_ROOM(memory->step, memory->n, memory->room, err))
		return false;
	memory->step[memory->n++] = (struct path_memory_step){ end, *at };
	return true;
}

bool path_find_again(struct path_memory *memory, struct volume *volume, uint64_t subvolume, const char *path, struct file_id *found,
		     struct error *err)
{
	struct file_id at = { subvolume, FIRST_FREE_ID };
	char *const copy = strdup(path);
	const char *name;

	if (!copy)
		return error_memory(err);
	memory->n = memory->path && memory->subvolume == subvolume ? count_same(memory, path) : 0;
	free(memory->path);
	memory->path = copy;
	memory->subvolume = subvolume;
	if (memory->n > 0)
		at = memory->step[memory->n - 1].at;
	name = path + (memory->n > 0 ? memory->step[memory->n - 1].end : 0);
	while (*(name += strspn(name, "/"))) {
		const size_t len = strcspn(name, "/");
		const struct component component = { path, name, len, .is_last = false, .may_search = false };
		uint64_t ignored;

		memory->n_followed++;
		if (!(len == 1 && name[0] == '.') && !step(volume, &at, &ignored, &component, err))
			return false;
		if (!remember_step(memory, (size_t)(name - path) + len, &at, err))
			return false;
		name += len;
	}
	*found = at;
	return true;
}

bool path_find(struct volume *volume, uint64_t subvolume, const char *path, struct file_id *found, struct error *err)
{
	return path_follow(volume, subvolume, path, NULL, NULL, found, err);
}

/* Visits every name of one item. What follows an unreadable name is lost. */
static bool visit_names(const struct tree *subvolume, struct cursor item, dir_visit *visit, tree_gap *gap, void *context, struct error *err)
{
	struct error what = { 0 };
	struct dir_entry entry;

	while (item.left > 0) {
		if (!dir_entry_next(&item, &entry, &what)) {
			if (gap)
				return gap(context, &what, err);
			*err = what;
			return volume_tolerates(subvolume->volume, err);
		}
		if (!visit(context, &entry, err))
			return false;
	}
	return true;
}

bool dir_read_over(const struct tree *subvolume, uint64_t inode, dir_visit *visit, tree_gap *gap, void *context, struct error *err)
{
	const struct key first = { inode, KEY_DIR_INDEX, 0 };
	cleanup_tree_iter struct tree_iter iter = { 0 };

	if (!(gap ? tree_seek_over(subvolume, &first, &iter, gap, context, err) : tree_seek(subvolume, &first, &iter, err)))
		return false;
	while (iter.valid && iter.key.objectid == inode && iter.key.type == KEY_DIR_INDEX) {
		if (!visit_names(subvolume, iter.item, visit, gap, context, err) ||
		    !(gap ? tree_next_over(&iter, gap, context, err) : tree_next(&iter, err)))
			return false;
	}
	return true;
}

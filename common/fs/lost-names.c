/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Each name of a file is in three items, which are far from each other. Directories are read by the index alone. */
#include "common/fs/lost-names.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>

#include "common/util/array.h"
#include "common/util/escape.h"
#include "common/util/hash64.h"
#include "common/util/lower-bound.h"
#include "common/util/order.h"
#include "common/util/set64.h"
#include "common/volume/volume.h"
#include "format/inode.h"

/* --- the names of one directory ---------------------------------------------------------------------------------- */

struct finding {
	const struct tree *tree;
	uint64_t directory;
	struct set64 seen;	/* hashes of names */
	uint64_t seed;		/* seed of the hashes, so that nobody can choose a name that hides another */
	struct lost_names *found;
};

static uint64_t hash(const struct finding *f, const struct cursor *name)
{
	return hash64(name->at, name->left, f->seed);
}

static bool add(struct finding *f, const struct dir_entry *entry, uint64_t number, uint8_t found_by, struct error *err)
{
	struct lost_names *names = f->found;
	uint8_t *name;
	bool fresh;

	if (entry->name.left == 0)
		return true;
	if (!set64_add(&f->seen, hash(f, &entry->name), &fresh, err))
		return false;
	if (!fresh)
		return true;
	if (!ARRAY_ROOM(names->at, names->n, names->n_allocated, err))
		return false;
	name = malloc(entry->name.left);
	if (!name)
		return error_memory(err);
	memcpy(name, entry->name.at, entry->name.left);
	names->at[names->n] = (struct lost_name){ .entry = *entry, .number = number, .found_by = found_by };
	names->at[names->n].entry.name = (struct cursor){ .at = name, .left = entry->name.left };
	names->at[names->n++].entry.data = (struct cursor){ 0 };
	return true;
}

/* Marks the names in the index as seen: they were already handed out. */
static bool skip_index(struct finding *f, struct error *err)
{
	const struct key first = { f->directory, KEY_DIR_INDEX, 0 };
	cleanup_tree_iter struct tree_iter iter = { 0 };

	if (!tree_seek_over(f->tree, &first, &iter, NULL, NULL, err))
		return false;
	while (iter.valid && iter.key.objectid == f->directory && iter.key.type == KEY_DIR_INDEX) {
		struct cursor item = iter.item;
		struct error ignored = { 0 };
		struct dir_entry entry;

		if (dir_entry_next(&item, &entry, &ignored) && !set64_add(&f->seen, hash(f, &entry.name), NULL, err))
			return false;
		if (!tree_next_over(&iter, NULL, NULL, err))
			return false;
	}
	return true;
}

static bool find_items(struct finding *f, struct error *err)
{
	const struct key first = { f->directory, KEY_DIR_ITEM, 0 };
	cleanup_tree_iter struct tree_iter iter = { 0 };

	if (!tree_seek_over(f->tree, &first, &iter, NULL, NULL, err))
		return false;
	while (iter.valid && iter.key.objectid == f->directory && iter.key.type == KEY_DIR_ITEM) {
		struct cursor item = iter.item;
		struct error ignored = { 0 };
		struct dir_entry entry;

		while (item.left > 0 && dir_entry_next(&item, &entry, &ignored)) {
			if (!add(f, &entry, iter.key.offset, KEY_DIR_ITEM, err))
				return false;
		}
		if (!tree_next_over(&iter, NULL, NULL, err))
			return false;
	}
	return true;
}

/* Subvolumes have no inode here. The root tree tells where they hang. */
static bool find_subvolumes(struct finding *f, struct error *err)
{
	const struct key first = { f->tree->id, KEY_ROOT_REF, 0 };
	cleanup_tree_iter struct tree_iter iter = { 0 };
	struct tree roots;

	if (!tree_open(f->tree->volume, ROOT_TREE_ID, &roots, err) || !tree_seek_over(&roots, &first, &iter, NULL, NULL, err))
		return false;
	while (iter.valid && iter.key.objectid == f->tree->id && iter.key.type == KEY_ROOT_REF) {
		struct cursor item = iter.item;
		struct error ignored = { 0 };
		struct root_ref ref;

		if (root_ref_read(&item, &ref, &ignored) && ref.dirid == f->directory) {
			const struct dir_entry entry = {
				.location = { iter.key.offset, KEY_ROOT_ITEM, UINT64_MAX }, .type = FT_DIR, .name = ref.name,
			};

			if (!add(f, &entry, ref.sequence, KEY_ROOT_REF, err))
				return false;
		}
		if (!tree_next_over(&iter, NULL, NULL, err))
			return false;
	}
	return true;
}

static bool holds_any(const struct inode_parents *parents, uint64_t parent)
{
	const size_t i = inode_parents_first(parents, parent);

	return i < parents->n && parents->at[i].parent == parent;
}

static uint8_t type_of(const struct finding *f, uint64_t number, const struct inode_parents *parents)
{
	struct error ignored = { 0 };
	struct inode inode;

	if (!inode_get(f->tree, number, &inode, &ignored))
		return holds_any(parents, number) ? FT_DIR : 0;
	return dir_entry_type(inode.mode);
}

/* Finds the names that one inode has in the directory. */
static bool find_refs(struct finding *f, uint64_t number, const struct inode_parents *parents, struct error *err)
{
	const struct key first = { number, KEY_INODE_REF, 0 };
	cleanup_tree_iter struct tree_iter iter = { 0 };

	if (!tree_seek_over(f->tree, &first, &iter, NULL, NULL, err))
		return false;
	while (iter.valid && iter.key.objectid == number && key_is_inode_ref(&iter.key)) {
		struct cursor item = iter.item;
		struct inode_ref ref;

		while (inode_name_next_over(&iter.key, &item, &ref)) {
			struct dir_entry entry = { .location = { number, KEY_INODE_ITEM, 0 }, .name = ref.name };

			if (ref.parent != f->directory || set64_has(&f->seen, hash(f, &ref.name)))
				continue;
			entry.type = type_of(f, number, parents);
			if (!add(f, &entry, ref.index, KEY_INODE_REF, err))
				return false;
		}
		if (!tree_next_over(&iter, NULL, NULL, err))
			return false;
	}
	return true;
}

static bool find_all(const struct tree *subvolume, uint64_t directory, struct inode_parents *parents, struct lost_names *found, struct error *err)
{
	struct finding f = { .tree = subvolume, .directory = directory, .found = found };
	bool ok;

	if (getrandom(&f.seed, sizeof(f.seed), GRND_NONBLOCK) != sizeof(f.seed))
		f.seed = 0;
	ok = inode_parents_read(parents, subvolume, err) && skip_index(&f, err) && find_items(&f, err) && find_subvolumes(&f, err);
	for (size_t i = inode_parents_first(parents, directory); ok && i < parents->n && parents->at[i].parent == directory; i++)
		ok = find_refs(&f, parents->at[i].inode, parents, err);
	set64_free(&f.seen);
	return ok;
}

bool lost_names_find(const struct tree *subvolume, uint64_t directory, struct inode_parents *parents, struct lost_names *found,
		     struct error *err)
{
	bool proven;

	return volume_proves_list(subvolume->volume, subvolume->id, directory, &proven, err) &&
	       (proven || find_all(subvolume, directory, parents, found, err));
}

void lost_names_free(struct lost_names *names)
{
	for (size_t i = 0; i < names->n; i++)
		free((void *)(uintptr_t)names->at[i].entry.name.at);
	free(names->at);
	*names = (struct lost_names){ 0 };
}

void lost_name_tell(const struct lost_name *name, uint64_t directory, struct error *what)
{
	const uint64_t leads_to = name->entry.location.objectid;
	char text[120];

	escape_text(name->entry.name.at, name->entry.name.left, text, sizeof(text));
	switch (name->found_by) {
	case KEY_INODE_REF:
		error_set(what, ERROR_CORRUPT, "the entry \"%s\" of directory %" PRIu64 " is lost; the INODE_REF of inode %" PRIu64 " says where it was",
			  text, directory, leads_to);
		break;
	case KEY_ROOT_REF:
		error_set(what, ERROR_CORRUPT, "the entry \"%s\" of directory %" PRIu64 " is lost; the ROOT_REF of subvolume %" PRIu64 " says where it was",
			  text, directory, leads_to);
		break;
	default:
		error_set(what, ERROR_CORRUPT, "the DIR_INDEX of \"%s\" in directory %" PRIu64 " is lost; its DIR_ITEM is used", text, directory);
	}
}

bool lost_name_find(const struct tree *subvolume, uint64_t directory, const char *name, size_t len, struct dir_entry *entry, bool *found,
		    struct error *err)
{
	struct inode_parents parents = { 0 };
	struct lost_names names = { 0 };
	const bool ok = find_all(subvolume, directory, &parents, &names, err);

	*found = false;
	for (size_t i = 0; ok && !*found && i < names.n; i++) {
		const struct cursor have = names.at[i].entry.name;
		struct error what = { 0 };

		if (have.left != len || memcmp(have.at, name, len) != 0)
			continue;
		*found = true;
		*entry = names.at[i].entry;
		entry->name = (struct cursor){ .at = (const uint8_t *)name, .left = len };
		lost_name_tell(&names.at[i], directory, &what);
		volume_invalid(subvolume->volume, "tree %" PRIu64 ": %s", subvolume->id, what.text);
	}
	lost_names_free(&names);
	inode_parents_free(&parents);
	return ok;
}

/* --- a directory by itself --------------------------------------------------------------------------------------- */

static bool visit_entry(void *context, const struct dir_entry *entry, struct error *err)
{
	const struct dir_visitor *visitor = context;

	return visitor->visit(visitor->context, entry, err);
}

static bool note_gap(void *context, const struct error *what, struct error *err)
{
	struct dir_visitor *visitor = context;

	visitor->has_gap = true;
	return visitor->gap(visitor->context, what, err);
}

bool dir_read_all(const struct tree *subvolume, uint64_t inode, const struct dir_visitor *visitor, struct inode_parents *parents,
		  struct error *err)
{
	const bool is_tolerant = subvolume->volume->tolerance.is_tolerant;
	struct dir_visitor reading = *visitor;
	struct lost_names lost = { 0 };
	bool ok = dir_read_over(subvolume, inode, visit_entry, note_gap, &reading, err);

	if (ok && (reading.has_gap || is_tolerant))
		ok = lost_names_find(subvolume, inode, parents, &lost, err);
	for (size_t i = 0; ok && i < lost.n; i++) {
		struct error what = { 0 };

		lost_name_tell(&lost.at[i], inode, &what);
		ok = (!is_tolerant || visitor->gap(visitor->context, &what, err)) && visitor->visit(visitor->context, &lost.at[i].entry, err);
	}
	lost_names_free(&lost);
	return ok;
}

/* --- directories whose inode is lost --------------------------------------------------------------------------------- */

static bool has_names(const struct tree *subvolume, uint64_t number)
{
	const struct key first = { number, KEY_DIR_ITEM, 0 };
	cleanup_tree_iter struct tree_iter iter = { 0 };
	struct error ignored = { 0 };

	return tree_seek_over(subvolume, &first, &iter, NULL, NULL, &ignored) && iter.valid && iter.key.objectid == number &&
	       (iter.key.type == KEY_DIR_ITEM || iter.key.type == KEY_DIR_INDEX);
}

bool inode_get_or_directory(const struct tree *subvolume, uint64_t number, bool is_expected, struct inode *inode, struct error *why,
			    struct error *err)
{
	struct error what = { 0 };

	*why = (struct error){ 0 };
	if (inode_get(subvolume, number, inode, &what))
		return true;
	if (!error_is_damage(&what) || (!is_expected && !has_names(subvolume, number)))
		return *err = what, false;
	*inode = (struct inode){ .n_links = 1, .mode = S_IFDIR | 0755 };
	*why = what;
	why->kind = ERROR_CORRUPT;
	error_prefix(why, "a directory whose owner, mode and times are lost");
	return true;
}

bool inode_has_name(const struct tree *subvolume, uint64_t number)
{
	const struct key first = { number, KEY_INODE_REF, 0 };
	cleanup_tree_iter struct tree_iter iter = { 0 };
	struct error ignored = { 0 };

	return tree_seek_over(subvolume, &first, &iter, NULL, NULL, &ignored) && iter.valid && iter.key.objectid == number && key_is_inode_ref(&iter.key);
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Compares what says where a subvolume is. */
#include "common/fs/subvolume-place.h"

#include "common/fs/path.h"

/* --- the references ---------------------------------------------------------------------------------------------------- */

static bool is_last_of_path(const struct subvolume *subvolume, const struct root_ref *ref)
{
	const size_t len = subvolume->path_len, name_len = ref->name.left;

	return name_len <= len && memcmp(ref->name.at, subvolume->path + len - name_len, name_len) == 0 &&
	       (name_len == len || subvolume->path[len - name_len - 1] == '/');
}

bool subvolume_refs_wrong(const struct subvolume_list *list, const struct subvolume *subvolume, const char **wrong, struct error *err)
{
	const struct key key = { subvolume->parent_id, KEY_ROOT_REF, subvolume->id };
	cleanup_tree_iter struct tree_iter iter = { 0 };
	struct error damage = { 0 };
	struct root_ref ref;
	struct tree roots;
	bool found;

	*wrong = NULL;
	if (subvolume->parent_id == 0) {
		*wrong = "its ROOT_BACKREF is missing, or leads nowhere";
		return true;
	}
	if (!tree_open(list->volume, ROOT_TREE_ID, &roots, err) || !tree_find(&roots, &key, &iter, &found, err))
		return false;
	if (found && !root_ref_read(&iter.item, &ref, &damage))
		*wrong = "its ROOT_REF is damaged";
	else if (!found)
		*wrong = "the ROOT_REF that belongs to its ROOT_BACKREF is missing";
	else if (ref.dirid != subvolume->dirid || !is_last_of_path(subvolume, &ref))
		*wrong = "its ROOT_REF and ROOT_BACKREF do not agree";
	return true;
}

/* --- the entry --------------------------------------------------------------------------------------------------------- */

static bool leads_to(const struct key *location, uint64_t id)
{
	return location->type == KEY_ROOT_ITEM && location->objectid == id;
}

/* Does the index of the directory have the entry that the reference names? */
static bool is_listed(const struct tree *above, const struct root_ref *ref, uint64_t id, bool *listed, struct error *err)
{
	const struct key key = { ref->dirid, KEY_DIR_INDEX, ref->sequence };
	cleanup_tree_iter struct tree_iter iter = { 0 };
	struct error damage = { 0 };
	struct dir_entry entry;

	if (!tree_find(above, &key, &iter, listed, err))
		return false;
	*listed = *listed && dir_entry_next(&iter.item, &entry, &damage) && leads_to(&entry.location, id) &&
		  entry.name.left == ref->name.left && memcmp(entry.name.at, ref->name.at, ref->name.left) == 0;
	return true;
}

struct entries {
	bool listed, named;	/* by DIR_INDEX, by DIR_ITEM */
};

/* Looks for the entry where the item of the root tree says that it is. */
static bool find_entries(const struct tree *roots, const struct key *key, const struct tree *above, uint64_t id, struct entries *found,
			 struct error *err)
{
	cleanup_tree_iter struct tree_iter iter = { 0 };
	struct error damage = { 0 };
	struct key location;
	struct root_ref ref;
	bool is_there;

	*found = (struct entries){ 0 };
	if (!tree_find(roots, key, &iter, &is_there, err))
		return false;
	if (!is_there || !root_ref_read(&iter.item, &ref, &damage))
		return true;
	if (!is_listed(above, &ref, id, &found->listed, err) ||
	    !dir_entry_location(above, ref.dirid, (const char *)ref.name.at, ref.name.left, &location, &found->named, err))
		return false;
	found->named = found->named && leads_to(&location, id);
	return true;
}

/* It has no path. Only if it has no ROOT_BACKREF to a living subvolume is that because of itself. */
static bool has_lost_backref(const struct subvolume_list *list, const struct tree *roots, uint64_t id, bool *lost, struct error *err)
{
	const struct key first = { id, KEY_ROOT_BACKREF, 0 };
	cleanup_tree_iter struct tree_iter iter = { 0 };
	const struct subvolume *parent;

	if (!tree_seek(roots, &first, &iter, err))
		return false;
	parent = iter.valid && iter.key.objectid == id && iter.key.type == KEY_ROOT_BACKREF ? subvolume_by_id(list, iter.key.offset) : NULL;
	*lost = !parent || parent->deleted;
	return true;
}

bool subvolume_place_wrong(const struct subvolume_list *list, const struct subvolume *subvolume, const char **wrong, bool *unlisted,
			   struct error *err)
{
	const uint64_t id = subvolume->id, parent = subvolume->parent_id;
	const struct key down = { parent, KEY_ROOT_REF, id }, up = { id, KEY_ROOT_BACKREF, parent };
	struct entries by_down, by_up;
	struct tree roots, above;

	*unlisted = false;
	if (!subvolume_refs_wrong(list, subvolume, wrong, err) || !tree_open(list->volume, ROOT_TREE_ID, &roots, err))
		return false;
	if (parent == 0) {
		if (!has_lost_backref(list, &roots, id, unlisted, err))
			return false;
		*wrong = *unlisted ? *wrong : NULL;
		return true;
	}
	if (!tree_open(list->volume, parent, &above, err) || !find_entries(&roots, &up, &above, id, &by_up, err))
		return false;
	/* Where the two agree, they name one entry. */
	by_down = by_up;
	if (*wrong && !find_entries(&roots, &down, &above, id, &by_down, err))
		return false;
	*unlisted = !by_up.listed && !by_down.listed;
	if (!*wrong && *unlisted)
		*wrong = "the directory has no DIR_INDEX of it";
	else if (!*wrong && !by_up.named)
		*wrong = "the directory has no DIR_ITEM of it";
	return true;
}

bool subvolume_may_be_snapshot(const struct subvolume *subvolume)
{
	static const uint8_t none[UUID_SIZE];
	const struct root *root = &subvolume->root;

	/* Old kernels wrote no uuids. */
	return subvolume->root_key.offset != 0 || !root->has_v2 || root->is_short || memcmp(root->parent_uuid, none, UUID_SIZE) != 0;
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Goes from an inode to every path that leads to it. */
#include "common/fs/inode-names.h"

#include <stdlib.h>
#include <string.h>

static bool tell(const struct tree *subvolume, const struct inode_ref *ref, inode_name_visit *visit, void *context, struct error *err)
{
	uint8_t *directory, *path = NULL;
	size_t len = 0;
	bool ok;

	if (!inode_path_bytes(subvolume, ref->parent, &directory, &len, err))
		return false;
	if (!directory)
		return visit(context, NULL, 0, err);
	path = malloc(len + ref->name.left + 2);
	ok = path || error_memory(err);
	if (ok) {
		uint8_t *at = mempcpy(path, directory, len);

		if (len > 0)
			*at++ = '/';
		at = mempcpy(at, ref->name.at, ref->name.left);
		*at = '\0';
		ok = visit(context, path, (size_t)(at - path), err);
	}
	free(path);
	free(directory);
	return ok;
}

bool inode_names(const struct tree *subvolume, uint64_t inode, inode_name_visit *visit, void *context, uint64_t *n_names,
		 struct error *err)
{
	const struct key first = { inode, KEY_INODE_REF, 0 };
	cleanup_tree_iter struct tree_iter iter = { 0 };

	*n_names = 0;
	if (inode == FIRST_FREE_ID) {
		*n_names = 1;
		return visit(context, (const uint8_t *)"", 0, err);
	}
	if (!tree_seek(subvolume, &first, &iter, err))
		return false;
	while (iter.valid && iter.key.objectid == inode && iter.key.type <= KEY_INODE_EXTREF) {
		while (iter.item.left > 0) {
			struct inode_ref ref;

			if (!inode_name_next(&iter.item, &iter.key, &ref, err) || !tell(subvolume, &ref, visit, context, err))
				return false;
			++*n_names;
		}
		if (!tree_next(&iter, err))
			return false;
	}
	return true;
}

/* Checks one item. Each reference in an INODE_EXTREF item names its own directory. */
static bool item_has_ref(struct cursor item, const struct key *key, uint64_t directory, const void *name, size_t len, bool *has,
			 struct error *err)
{
	while (item.left > 0 && !*has) {
		struct inode_ref ref;

		if (!inode_name_next(&item, key, &ref, err))
			return false;
		*has = ref.parent == directory && ref.name.left == len && memcmp(ref.name.at, name, len) == 0;
	}
	return true;
}

bool inode_has_ref(const struct tree *subvolume, uint64_t inode, uint64_t directory, const void *name, size_t len, bool *has,
		   struct error *err)
{
	const struct key keys[] = {
		{ inode, KEY_INODE_REF, directory },
		{ inode, KEY_INODE_EXTREF, inode_extref_hash(directory, name, len) },
	};

	*has = false;
	for (size_t i = 0; i < 2 && !*has; i++) {
		cleanup_tree_iter struct tree_iter iter = { 0 };
		bool found;

		if (!tree_find(subvolume, &keys[i], &iter, &found, err) ||
		    (found && !item_has_ref(iter.item, &keys[i], directory, name, len, has, err)))
			return false;
	}
	return true;
}

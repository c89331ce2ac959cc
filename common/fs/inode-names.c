/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Goes up from an inode to the paths that lead to it. */
#include "common/fs/inode-names.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/util/escape.h"

/* Finds the first name of an inode, borrowed from iter. */
static bool first_name(const struct tree *subvolume, uint64_t inode, struct tree_iter *iter, struct inode_ref *ref, bool *found,
		       struct error *err)
{
	const struct key first = { inode, KEY_INODE_REF, 0 };

	*found = false;
	if (!tree_seek(subvolume, &first, iter, err))
		return false;
	if (!iter->valid || iter->key.objectid != inode || !key_is_inode_ref(&iter->key))
		return true;
	*found = true;
	return inode_name_next(&iter->item, &iter->key, ref, err);
}

/* Fills bytes from the end. *at: where the path begins. */
static bool climb(const struct tree *subvolume, uint64_t inode, uint8_t bytes[PATH_BYTES_MAX], size_t *at, bool *named,
		  struct error *err)
{
	const uint64_t start = inode;
	uint64_t checkpoint = inode;	/* a loop meets it again within the next n_left steps (Brent) */
	unsigned n_left = 1, lap = 1;

	*at = PATH_BYTES_MAX;
	*named = true;
	while (inode != FIRST_FREE_ID) {
		cleanup_tree_iter struct tree_iter iter = { 0 };
		struct inode_ref ref;

		if (!first_name(subvolume, inode, &iter, &ref, named, err))
			return false;
		if (!*named)
			return true;
		if (ref.name.left + 1 > *at)
			return error_set(err, ERROR_REFUSED, "tree %" PRIu64 " inode %" PRIu64 ": its path is longer than %u bytes",
					 subvolume->id, start, PATH_BYTES_MAX);
		if (*at < PATH_BYTES_MAX)
			bytes[--*at] = '/';
		*at -= ref.name.left;
		memcpy(bytes + *at, ref.name.at, ref.name.left);
		inode = ref.parent;
		if (inode == checkpoint)
			return error_set(err, ERROR_CORRUPT, "tree %" PRIu64 " inode %" PRIu64 ": the directories above it are a loop",
					 subvolume->id, start);
		if (--n_left == 0) {
			checkpoint = inode;
			n_left = lap *= 2;
		}
	}
	return true;
}

bool inode_path_bytes(const struct tree *subvolume, uint64_t inode, uint8_t **path, size_t *len, struct error *err)
{
	uint8_t *bytes = malloc(PATH_BYTES_MAX);
	size_t at;
	bool named;
	bool ok;

	*path = NULL;
	*len = 0;
	if (!bytes)
		return error_memory(err);
	ok = climb(subvolume, inode, bytes, &at, &named, err);
	if (ok && named) {
		*len = PATH_BYTES_MAX - at;
		*path = malloc(*len + 1);
		ok = *path || error_memory(err);
		if (ok) {
			memcpy(*path, bytes + at, *len);
			(*path)[*len] = '\0';
		}
	}
	free(bytes);
	return ok;
}

bool inode_path(const struct tree *subvolume, uint64_t inode, char **path, struct error *err)
{
	uint8_t *bytes;
	size_t len;

	if (!inode_path_bytes(subvolume, inode, &bytes, &len, err))
		return false;
	if (bytes)
		*path = escape_new(bytes, len);
	else if (asprintf(path, "inode %" PRIu64 " (no name)", inode) < 0)
		*path = NULL;
	free(bytes);
	return *path || error_memory(err);
}

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

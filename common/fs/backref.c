/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Goes from an extent to the leaves that refer to it, and from each leaf up to the roots of the trees that share it. */
#include "common/fs/backref.h"

#include <inttypes.h>
#include <stdlib.h>

#include "common/fs/backref-leaf.h"
#include "common/util/array.h"
#include "common/util/set64.h"
#include "common/util/sorted64.h"
#include "format/extent-item.h"

/* --- references -------------------------------------------------------------------------------------------- */

typedef bool ref_visit(void *context, const struct extent_ref *ref, struct error *err);

static bool inline_refs(struct tree_iter *iter, ref_visit *visit, void *context, struct error *err)
{
	struct extent_item item;
	struct extent_ref ref;

	if (!extent_item_read(&iter->item, &iter->key, &item, err))
		return false;
	while (item.inline_refs.left > 0) {
		if (!extent_ref_next(&item.inline_refs, &ref, err) || !visit(context, &ref, err))
			return false;
	}
	return true;
}

/* Visits the references in the extent item and those that are items of their own. */
static bool each_ref(struct volume *volume, uint64_t logical, ref_visit *visit, void *context, struct error *err)
{
	const struct key first = { logical, KEY_EXTENT_ITEM, 0 };
	cleanup_tree_iter struct tree_iter iter = { 0 };
	struct extent_ref ref;
	struct tree extents;

	if (!tree_open(volume, EXTENT_TREE_ID, &extents, err) || !tree_seek(&extents, &first, &iter, err))
		return false;
	while (iter.valid && iter.key.objectid == logical && iter.key.type <= KEY_SHARED_DATA_REF) {
		if (iter.key.type <= KEY_METADATA_ITEM) {
			if (!inline_refs(&iter, visit, context, err))
				return false;
		} else if (!extent_ref_read(&iter.item, &iter.key, &ref, err) || !visit(context, &ref, err)) {
			return false;
		}
		if (!tree_next(&iter, err))
			return false;
	}
	return true;
}

bool backref_extent_at(struct volume *volume, uint64_t logical, struct backref_extent *extent, struct error *err)
{
	struct key last = { logical, KEY_METADATA_ITEM, UINT64_MAX };
	cleanup_tree_iter struct tree_iter iter = { 0 };
	struct extent_item item;
	struct tree extents;

	if (!tree_open(volume, EXTENT_TREE_ID, &extents, err) || !tree_seek_last(&extents, &last, &iter, err))
		return false;
	/* The item before may be a reference or a block group. Go back to its extent. */
	while (iter.valid && iter.key.type != KEY_EXTENT_ITEM && iter.key.type != KEY_METADATA_ITEM) {
		if (iter.key.type > KEY_METADATA_ITEM)
			last = (struct key){ iter.key.objectid, KEY_METADATA_ITEM, UINT64_MAX };
		else
			last = (struct key){ iter.key.objectid - 1, KEY_METADATA_ITEM, UINT64_MAX };
		const struct key before = iter.key;

		if (!tree_seek_last(&extents, &last, &iter, err))
			return false;
		if (iter.valid && key_compare(&iter.key, &before) >= 0)
			break;
	}

	const uint64_t length = !iter.valid ? 0 : iter.key.type == KEY_METADATA_ITEM ? volume->super.node_size : iter.key.offset;

	if (!iter.valid || (iter.key.type != KEY_EXTENT_ITEM && iter.key.type != KEY_METADATA_ITEM) || logical - iter.key.objectid >= length)
		return error_set(err, ERROR_NOT_FOUND, "nothing is allocated at logical address %" PRIu64, logical);
	const uint64_t start = iter.key.objectid;

	if (!extent_item_read(&iter.item, &iter.key, &item, err))
		return false;
	*extent = (struct backref_extent){
		.logical = start,
		.length = length,
		.is_data = item.flags & EXTENT_FLAG_DATA,
		.level = item.level,
		.refs = item.refs,
		.generation = item.generation,
	};
	return true;
}

/* --- growing lists ------------------------------------------------------------------------------------------- */

struct list64 {
	uint64_t *at;
	size_t n, n_room;
};

static bool list_add(struct list64 *list, uint64_t number, struct error *err)
{
	if (!ARRAY_ROOM(list->at, list->n, list->n_room, err))
		return false;
	list->at[list->n++] = number;
	return true;
}

/* how: "lead to", for a message if there are too many. */
static bool add_once(struct set64 *seen, struct list64 *list, uint64_t logical, const char *how, struct error *err)
{
	bool fresh;

	if (!set64_add(seen, logical, &fresh, err))
		return false;
	if (fresh && set64_count(seen) > BACKREF_BLOCKS_MAX)
		return error_set(err, ERROR_REFUSED, "more than %u tree blocks %s it", BACKREF_BLOCKS_MAX, how);
	return !fresh || list_add(list, logical, err);
}

/* --- upwards: from a block to the roots -------------------------------------------------------------------------- */

struct climb {
	struct volume *volume;
	const struct block *block;	/* its references are being visited */
	struct set64 seen;		/* blocks */
	struct list64 todo;
	struct set64 known;		/* roots */
	struct list64 roots;
	uint64_t *n_stale;
};

static bool add_block(struct climb *climb, uint64_t logical, struct error *err)
{
	return add_once(&climb->seen, &climb->todo, logical, "lead to", err);
}

static bool add_root(struct climb *climb, uint64_t id, struct error *err)
{
	bool fresh;

	return set64_add(&climb->known, id, &fresh, err) && (!fresh || list_add(&climb->roots, id, err));
}

static bool points_to(const struct node *node, uint64_t child)
{
	for (uint32_t slot = 0; slot < node->n_items; slot++) {
		if (node_child(node, slot) == child)
			return true;
	}
	return false;
}

/* The reference names the parent. */
static bool climb_shared(struct climb *climb, uint64_t parent, struct error *err)
{
	const struct block_expect expect = { .level = climb->block->node.level + 1 };
	cleanup_block struct block *block = NULL;

	if (!block_get(climb->volume, parent, &expect, &block, err))
		return error_prefix(err, "parent of block %" PRIu64, climb->block->logical);
	if (!points_to(&block->node, climb->block->logical)) {
		++*climb->n_stale;
		return true;
	}
	return add_block(climb, parent, err);
}

/* The parent is found by searching that tree for the keys of the block. */
static bool climb_tree(struct climb *climb, uint64_t id, struct error *err)
{
	const struct block *block = climb->block;
	const unsigned level = block->node.level;
	cleanup_tree_iter struct tree_iter iter = { 0 };
	struct error what = { 0 };
	struct tree tree;
	struct root root;

	if (!tree_open_root(climb->volume, id, &tree, &root, NULL, &what)) {
		if (what.kind != ERROR_NOT_FOUND) {
			*err = what;
			return false;
		}
		++*climb->n_stale;
		return true;
	}
	tree.as_on_disk = true;
	if (tree.logical == block->logical)
		return add_root(climb, id, err);
	if (tree.level > level && block->node.n_items > 0) {
		const struct key first = node_key(&block->node, 0);

		if (!tree_seek(&tree, &first, &iter, &what)) {
			/* A subvolume that is being deleted may lack blocks. */
			if (root.refs == 0 && id >= FIRST_FREE_ID && what.kind == ERROR_CORRUPT) {
				++*climb->n_stale;
				return true;
			}
			*err = what;
			return false;
		}
		if (iter.path[level] && iter.path[level]->logical == block->logical)
			return add_block(climb, iter.path[level + 1]->logical, err);
	}
	++*climb->n_stale;
	return true;
}

static bool climb_ref(void *context, const struct extent_ref *ref, struct error *err)
{
	struct climb *climb = context;

	switch (ref->type) {
	case KEY_SHARED_BLOCK_REF: return climb->block->node.level + 1u >= LEVEL_MAX || climb_shared(climb, ref->parent, err);
	case KEY_TREE_BLOCK_REF: return climb_tree(climb, ref->root, err);
	default:
		return error_set(err, ERROR_CORRUPT, "the extent of tree block %" PRIu64 " has a reference of type %u, of data",
				 climb->block->logical, ref->type);
	}
}

static bool climb_all(struct climb *climb, struct error *err)
{
	while (climb->todo.n > 0) {
		const uint64_t logical = climb->todo.at[--climb->todo.n];
		cleanup_block struct block *block = NULL;

		if (!block_get(climb->volume, logical, NULL, &block, err))
			return false;
		climb->block = block;
		if (!each_ref(climb->volume, logical, climb_ref, climb, err))
			return false;
	}
	return true;
}

bool backref_roots(struct volume *volume, uint64_t logical, struct root_ids *roots, uint64_t *n_stale, struct error *err)
{
	struct climb climb = { .volume = volume, .n_stale = n_stale };
	const bool ok = add_block(&climb, logical, err) && climb_all(&climb, err);

	set64_free(&climb.seen);
	set64_free(&climb.known);
	free(climb.todo.at);
	sort64(climb.roots.at, climb.roots.n);
	*roots = (struct root_ids){ climb.roots.at, climb.roots.n };
	return ok;
}

/* --- data: from an extent to the leaves, and then up --------------------------------------------------------------- */

struct search {
	struct backref_query query;
	const struct backref_extent *extent;
	struct set64 seen;
	struct list64 leaves;
	uint64_t *n_stale;
};

static bool add_leaf(struct search *search, uint64_t logical, struct error *err)
{
	return add_once(&search->seen, &search->leaves, logical, "refer to", err);
}

/*
 * Finds the leaves with items of the inode whose file offset, minus the bytes of the extent that they
 * skip, is ref->offset, whoever owns the leaves.
 */
static bool find_leaves(struct search *search, const struct extent_ref *ref, struct error *err)
{
	const uint64_t decoded = search->extent->length > FILE_EXTENT_COMPRESSED_MAX ? search->extent->length : FILE_EXTENT_COMPRESSED_MAX;
	struct volume *const volume = search->query.volume;
	const bool is_negative = ref->offset > INT64_MAX;	/* the extent begins before byte 0 of the file */
	const struct key first = { ref->objectid, KEY_EXTENT_DATA, is_negative ? 0 : ref->offset };
	const uint64_t end = ref->offset + decoded;
	cleanup_tree_iter struct tree_iter iter = { 0 };
	struct error what = { 0 };
	struct tree tree;
	struct root root = { .refs = 1 };
	bool found = false;

	if (!tree_open_root(volume, ref->root, &tree, &root, NULL, &what))
		goto gone;
	tree.as_on_disk = true;	/* other trees may share its leaves */
	if (!tree_seek(&tree, &first, &iter, &what))
		goto gone;
	while (iter.valid && iter.key.objectid == ref->objectid && iter.key.type == KEY_EXTENT_DATA && iter.key.offset < end) {
		struct file_extent e;

		if (!file_extent_read(&iter.item, iter.key.offset, volume->super.sector_size, &e, err))
			return error_prefix(err, "tree %" PRIu64 " inode %" PRIu64, ref->root, ref->objectid);
		if (file_extent_has_disk(&e) && e.disk_bytenr == search->extent->logical) {
			found = true;
			if (!add_leaf(search, iter.path[0]->logical, err))
				return false;
		}
		if (!tree_next(&iter, &what))
			goto gone;
	}
	*search->n_stale += !found;
	return true;
gone:
	if (what.kind != ERROR_NOT_FOUND && !(what.kind == ERROR_CORRUPT && root.refs == 0 && ref->root >= FIRST_FREE_ID)) {
		*err = what;
		return false;
	}
	++*search->n_stale;
	return true;
}

static bool data_ref(void *context, const struct extent_ref *ref, struct error *err)
{
	struct search *search = context;

	switch (ref->type) {
	case KEY_SHARED_DATA_REF: return add_leaf(search, ref->parent, err);
	case KEY_EXTENT_DATA_REF: return find_leaves(search, ref, err);
	case KEY_EXTENT_OWNER_REF: return true;
	default:
		return error_set(err, ERROR_CORRUPT, "data extent %" PRIu64 " has a reference of type %u, of a tree block",
				 search->extent->logical, ref->type);
	}
}

static bool tell_leaves(struct search *search, struct error *err)
{
	const struct block_expect expect = { .level = 0 };

	sort64(search->leaves.at, search->leaves.n);
	for (size_t i = 0; i < search->leaves.n; i++) {
		cleanup_block struct block *leaf = NULL;
		struct root_ids roots = { 0 };

		if (!block_get(search->query.volume, search->leaves.at[i], &expect, &leaf, err))
			return false;

		const bool ok = backref_roots(search->query.volume, leaf->logical, &roots, search->n_stale, err) &&
				backref_leaf(&search->query, leaf, &roots, err);

		free(roots.id);
		if (!ok)
			return false;
	}
	return true;
}

bool backref_files(const struct backref_query *query, const struct backref_extent *extent, uint64_t *n_stale, struct error *err)
{
	struct search search = { .query = *query, .extent = extent, .n_stale = n_stale };
	/* The extent tree does not know an extent that only a log tree has. */
	bool ok = extent->is_logged || each_ref(query->volume, extent->logical, data_ref, &search, err);

	if (ok && search.leaves.n > 0)
		ok = tell_leaves(&search, err);
	ok = ok && backref_logged(&search.query, err);
	set64_free(&search.seen);
	free(search.leaves.at);
	return ok;
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Finds who else refers to the blocks and extents of a set of subvolumes, in one pass over the extent tree. */
#include "common/convert/sharing.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/convert/preflight.h"
#include "common/util/array.h"
#include "common/util/record-table.h"
#include "common/util/sorted64.h"
#include "format/extent-item.h"

/* A root outside the set. stamp: the last block or extent of the set that was counted for it. */
struct outsider {
	uint64_t id;
	uint64_t stamp;
	uint64_t n_blocks, n_extents;
};

/*
 * A tree block outside the set that refers to something inside. Its edges lead to what refers to it: roots, or blocks one level higher, so
 * that going up takes at most LEVEL_MAX steps.
 */
struct parent {
	uint64_t logical;
	uint64_t stamp;
	uint32_t first_edge, n_edges;
	uint8_t level;
};

#define EDGE_ROOT	0x80000000u	/* the rest: index of an outsider, otherwise of a parent */

struct search {
	const struct scan *scan;
	struct tree tree;		/* the extent tree */
	struct record_table outsiders, parents;
	size_t n_loaded;		/* parents whose edges are known */
	uint32_t *edge;
	size_t n_edges, capacity;
	/* the block or extent of the set being looked at */
	size_t next_block, next_extent;
	uint64_t stamp;
	uint64_t logical;
	const char *what;		/* "tree block", "data extent" */
	uint8_t parent_level;		/* level of the blocks that may refer to it */
	bool is_block;
	const struct sharing_marks *marks;	/* may be NULL */
};

/* --- references of one extent --------------------------------------------------- */

typedef bool ref_visit(struct search *s, const struct extent_ref *ref, struct error *err);

static bool is_extent_key(const struct key *key)
{
	return key->type == KEY_EXTENT_ITEM || key->type == KEY_METADATA_ITEM;
}

/* Only a tree block may be referred to as a tree block, only data as data. */
static bool visit_checked(struct search *s, const struct extent_ref *ref, uint64_t logical, bool is_block, ref_visit *visit,
			  struct error *err)
{
	const bool fits = is_block ? ref->type == KEY_TREE_BLOCK_REF || ref->type == KEY_SHARED_BLOCK_REF
				   : ref->type == KEY_EXTENT_DATA_REF || ref->type == KEY_SHARED_DATA_REF ||
				     ref->type == KEY_EXTENT_OWNER_REF;

	if (!fits)
		return error_set(err, ERROR_CORRUPT, "extent tree: a reference of type %u does not fit the %s at %" PRIu64, ref->type,
				 is_block ? "tree block" : "data extent", logical);
	return ref->type == KEY_EXTENT_OWNER_REF || visit(s, ref, err);
}

/*
 * Visits the references of the extent at iter, inline and keyed, and leaves iter behind them. Their counts must add up, because a missing
 * one could be anybody's.
 */
static bool visit_refs(struct search *s, struct tree_iter *iter, struct extent_item *extent, ref_visit *visit, struct error *err)
{
	const uint64_t logical = iter->key.objectid;
	const bool is_block = extent->flags & EXTENT_FLAG_TREE_BLOCK;
	struct extent_ref ref;
	uint64_t n_refs = 0;

	while (extent->inline_refs.left > 0) {
		if (!extent_ref_next(&extent->inline_refs, &ref, err) || !visit_checked(s, &ref, logical, is_block, visit, err))
			return false;
		n_refs += ref.count;
	}
	for (;;) {
		if (!tree_next(iter, err))
			return false;
		if (!iter->valid || iter->key.objectid != logical || iter->key.type == KEY_BLOCK_GROUP_ITEM)
			break;
		if (is_extent_key(&iter->key))
			return error_set(err, ERROR_CORRUPT, "extent tree: two items for the address %" PRIu64, logical);
		if (!extent_ref_read(&iter->item, &iter->key, &ref, err) ||
		    !visit_checked(s, &ref, logical, is_block, visit, err))
			return false;
		n_refs += ref.count;
	}
	if (n_refs != extent->refs)
		return error_set(err, ERROR_CORRUPT, "extent tree: %" PRIu64 " references to %" PRIu64 ", not the %" PRIu64
				 " that its item counts", n_refs, logical, extent->refs);
	return true;
}

/* --- roots outside ------------------------------------------------------------------ */

static bool is_member(const struct scan *scan, uint64_t id)
{
	return sorted64_find(scan->member, scan->n_members, id);
}

/* Has a deleted subvolume an orphan item, which the next mount that writes goes by? */
static bool kernel_cleans_up(const struct search *s, uint64_t id, bool *is_cleaned_up, struct error *err)
{
	const struct key key = { ORPHAN_ID, KEY_ORPHAN_ITEM, id };
	cleanup_tree_iter struct tree_iter iter = { 0 };
	struct tree root;

	return tree_open(s->scan->volume, ROOT_TREE_ID, &root, err) && tree_find(&root, &key, &iter, is_cleaned_up, err);
}

/* We can do nothing about a sharer that is not a living subvolume, but the kernel can. */
static bool check_outsider(const struct search *s, uint64_t id, struct error *err)
{
	struct tree tree;
	struct root root;
	struct key key;

	if (id == TREE_RELOC_ID || id == DATA_RELOC_TREE_ID) {
		error_set(err, ERROR_REFUSED, "an unfinished balance refers to the %s at %" PRIu64, s->what, s->logical);
		return error_hint(err, "mount the filesystem, let the balance end or cancel it, and unmount");
	}
	if (id != FS_TREE_ID && (id < FIRST_FREE_ID || id > LAST_FREE_ID))
		return error_set(err, ERROR_CORRUPT, "extent tree: root %" PRIu64 ", which is no subvolume, refers to the %s at %"
				 PRIu64, id, s->what, s->logical);
	if (tree_open_root(s->scan->volume, id, &tree, &root, &key, err)) {
		bool is_cleaned_up;
		char why[96];

		if (root.refs > 0)
			return true;
		if (!kernel_cleans_up(s, id, &is_cleaned_up, err))
			return false;
		if (!is_cleaned_up) {
			snprintf(why, sizeof(why), ", but refers to the %s at %" PRIu64, s->what, s->logical);
			return refuse_dead(id, why, err);
		}
	} else if (err->kind != ERROR_NOT_FOUND) {
		return false;
	}
	error_set(err, ERROR_REFUSED, "subvolume %" PRIu64 ", which is deleted but not cleaned up, refers to the %s at %" PRIu64,
		  id, s->what, s->logical);
	return error_hint(err, "mount the filesystem, run `btrfs subvolume sync`, and unmount");
}

/* Index of the outsider with this id. */
static bool outsider_of(struct search *s, uint64_t id, uint32_t *index, struct error *err)
{
	void *record = record_table_find(&s->outsiders, id);

	if (!record && (!check_outsider(s, id, err) || !record_table_add(&s->outsiders, id, &record, err)))
		return false;
	*index = (uint32_t)((struct outsider *)record - (struct outsider *)s->outsiders.record);
	return true;
}

static void count_outsider(struct search *s, uint32_t index)
{
	struct outsider *const outsider = (struct outsider *)s->outsiders.record + index;

	if (outsider->stamp == s->stamp)
		return;
	outsider->stamp = s->stamp;
	outsider->n_blocks += s->is_block;
	outsider->n_extents += !s->is_block;
}

/* --- blocks outside ------------------------------------------------------------------- */

static struct parent *parent_at(const struct search *s, size_t index)
{
	return (struct parent *)s->parents.record + index;
}

/* Index of the parent at an address. Its edges may still have to be loaded. */
static bool parent_of(struct search *s, uint64_t logical, uint8_t level, uint32_t *index, struct error *err)
{
	void *record = record_table_find(&s->parents, logical);

	if (!record) {
		if (!record_table_add(&s->parents, logical, &record, err))
			return false;
		((struct parent *)record)->level = level;
	}
	if (((struct parent *)record)->level != level)
		return error_set(err, ERROR_CORRUPT, "extent tree: tree block %" PRIu64 " is a parent at level %u and at level %u",
				 logical, ((struct parent *)record)->level, level);
	*index = (uint32_t)((struct parent *)record - parent_at(s, 0));
	if (*index >= EDGE_ROOT)
		return error_set(err, ERROR_MEMORY, "more than %u tree blocks of other subvolumes refer to it", EDGE_ROOT);
	return true;
}

static bool add_edge(struct search *s, uint32_t edge, struct error *err)
{
	if (s->n_edges == UINT32_MAX)
		return error_set(err, ERROR_MEMORY, "more than %u references from other subvolumes", UINT32_MAX);
	if (!ARRAY_ROOM(s->edge, s->n_edges, s->capacity, err))
		return false;
	s->edge[s->n_edges++] = edge;
	return true;
}

/* A reference to the parent that is being loaded. It cannot come from inside the set, or the parent would be inside too. */
static bool visit_ref_to_parent(struct search *s, const struct extent_ref *ref, struct error *err)
{
	struct parent *const parent = parent_at(s, s->n_loaded);
	const uint64_t logical = parent->logical;
	uint32_t index;

	if (ref->type == KEY_TREE_BLOCK_REF ? is_member(s->scan, ref->root) : scan_block_at(s->scan, ref->parent) != NULL)
		return error_set(err, ERROR_CORRUPT, "extent tree: %s %" PRIu64 " should refer to tree block %" PRIu64 ", but does not",
			ref->type == KEY_TREE_BLOCK_REF ? "root" : "tree block",
				 ref->type == KEY_TREE_BLOCK_REF ? ref->root : ref->parent, logical);
	parent->n_edges++;
	if (ref->type == KEY_TREE_BLOCK_REF)
		return outsider_of(s, ref->root, &index, err) && add_edge(s, EDGE_ROOT | index, err);
	return parent_of(s, ref->parent, parent->level + 1, &index, err) && add_edge(s, index, err);
}

static bool load_parent(struct search *s, struct error *err)
{
	cleanup_tree_iter struct tree_iter iter = { 0 };
	struct parent *const parent = parent_at(s, s->n_loaded);
	const struct key first = { parent->logical, KEY_EXTENT_ITEM, 0 };
	struct extent_item extent;

	parent->first_edge = (uint32_t)s->n_edges;
	if (!tree_seek(&s->tree, &first, &iter, err))
		return false;
	if (!iter.valid || iter.key.objectid != parent->logical || !is_extent_key(&iter.key))
		return error_set(err, ERROR_CORRUPT, "extent tree: no item for tree block %" PRIu64 ", a parent of the %s at %" PRIu64,
				 parent->logical, s->what, s->logical);
	if (!extent_item_read(&iter.item, &iter.key, &extent, err))
		return false;
	if (!(extent.flags & EXTENT_FLAG_TREE_BLOCK) || extent.level != parent->level)
		return error_set(err, ERROR_CORRUPT, "extent tree: %" PRIu64 " is a parent of the %s at %" PRIu64
				 ", but no tree block of level %u", parent->logical, s->what, s->logical, parent->level);
	return visit_refs(s, &iter, &extent, visit_ref_to_parent, err);
}

/* Counts every root above a parent. Recurses as deep as trees are. */
static void count_parent(struct search *s, uint32_t index)
{
	struct parent *const parent = parent_at(s, index);

	if (parent->stamp == s->stamp)
		return;
	parent->stamp = s->stamp;
	for (uint32_t i = 0; i < parent->n_edges; i++) {
		const uint32_t edge = s->edge[parent->first_edge + i];

		if (edge & EDGE_ROOT)
			count_outsider(s, edge & ~EDGE_ROOT);
		else
			count_parent(s, edge);
	}
}

/* --- the pass ---------------------------------------------------------------------------- */

static void mark(const struct search *s)
{
	if (s->marks && s->is_block)
		s->marks->block[s->next_block - 1] = 1;
	else if (s->marks)
		s->marks->extent[s->next_extent - 1] = 1;
}

/* A reference to something in the set. */
static bool visit_ref(struct search *s, const struct extent_ref *ref, struct error *err)
{
	uint32_t index;

	if (ref->type == KEY_TREE_BLOCK_REF || ref->type == KEY_EXTENT_DATA_REF) {
		if (is_member(s->scan, ref->root))
			return true;
		if (!outsider_of(s, ref->root, &index, err))
			return false;
		count_outsider(s, index);
		mark(s);
		return true;
	}
	if (scan_block_at(s->scan, ref->parent))
		return true;
	if (!parent_of(s, ref->parent, s->parent_level, &index, err))
		return false;
	for (; s->n_loaded < s->parents.n; s->n_loaded++) {
		if (!load_parent(s, err))
			return false;
	}
	count_parent(s, index);
	mark(s);
	return true;
}

/* Finds the next block or extent of the set, by address. Returns false at the end. */
static bool next_wanted(struct search *s)
{
	const struct scan *const scan = s->scan;
	const bool has_block = s->next_block < scan->n_blocks, has_extent = s->next_extent < scan->n_extents;

	if (!has_block && !has_extent)
		return false;
	s->is_block = has_block && (!has_extent || scan->block[s->next_block].logical < scan->extent[s->next_extent].logical);
	s->what = s->is_block ? "tree block" : "data extent";
	s->logical = s->is_block ? scan->block[s->next_block].logical : scan->extent[s->next_extent].logical;
	return true;
}

/* iter is at the item of the wanted block or extent. */
static bool examine(struct search *s, struct tree_iter *iter, struct error *err)
{
	const struct scan *const scan = s->scan;
	struct extent_item extent;

	if (!extent_item_read(&iter->item, &iter->key, &extent, err))
		return false;
	if (s->is_block != !!(extent.flags & EXTENT_FLAG_TREE_BLOCK))
		return error_set(err, ERROR_CORRUPT, "extent tree: the item of the %s at %" PRIu64 " says it is a %s", s->what,
				 s->logical, s->is_block ? "data extent" : "tree block");

	const uint64_t length = s->is_block ? scan->volume->super.node_size : scan->extent[s->next_extent].length;

	if (iter->key.type == KEY_EXTENT_ITEM && iter->key.offset != length)
		return error_set(err, ERROR_CORRUPT, "extent tree: the item of the %s at %" PRIu64 " says %" PRIu64
				 " bytes, not %" PRIu64, s->what, s->logical, iter->key.offset, length);
	if (s->is_block && extent.level != scan->block[s->next_block].level)
		return error_set(err, ERROR_CORRUPT, "extent tree: the item of the tree block at %" PRIu64 " says level %u, not %u",
				 s->logical, extent.level, scan->block[s->next_block].level);
	s->parent_level = s->is_block ? extent.level + 1 : 0;
	s->stamp++;
	if (s->is_block)
		s->next_block++;
	else
		s->next_extent++;
	return visit_refs(s, iter, &extent, visit_ref, err);
}

static bool pass(struct search *s, struct error *err)
{
	cleanup_tree_iter struct tree_iter iter = { 0 };
	const struct key first = { 0 };
	uint64_t end = 0;	/* of the previous extent */

	if (!tree_seek(&s->tree, &first, &iter, err))
		return false;
	while (next_wanted(s)) {
		while (iter.valid && !is_extent_key(&iter.key)) {
			if (!tree_next(&iter, err))
				return false;
		}
		if (!iter.valid || iter.key.objectid > s->logical)
			return error_set(err, ERROR_CORRUPT, "extent tree: no item for the %s at %" PRIu64, s->what, s->logical);
		if (iter.key.objectid < end)
			return error_set(err, ERROR_CORRUPT, "extent tree: the extent at %" PRIu64 " begins before the previous one ends",
				iter.key.objectid);
		end = iter.key.objectid + (iter.key.type == KEY_EXTENT_ITEM ? iter.key.offset : s->scan->volume->super.node_size);
		if (iter.key.objectid == s->logical ? !examine(s, &iter, err) : !tree_next(&iter, err))
			return false;
	}
	return true;
}

static bool take_sharers(struct search *s, struct sharer **sharers, size_t *n, struct error *err)
{
	const size_t n_outsiders = s->outsiders.n;
	struct outsider *const outsider = record_table_take_sorted(&s->outsiders);
	struct sharer *const list = calloc(n_outsiders ? n_outsiders : 1, sizeof(*list));

	for (size_t i = 0; list && i < n_outsiders; i++)
		list[i] = (struct sharer){ outsider[i].id, outsider[i].n_blocks, outsider[i].n_extents };
	free(outsider);
	if (!list)
		return error_memory(err);
	*sharers = list;
	*n = n_outsiders;
	return true;
}

bool sharing_find_marked(const struct scan *scan, const struct sharing_marks *marks, struct sharer **sharers, size_t *n, struct error *err)
{
	struct search s = {
		.scan = scan,
		.marks = marks,
		.outsiders.record_size = sizeof(struct outsider),
		.parents.record_size = sizeof(struct parent),
	};

	static_assert(offsetof(struct outsider, id) == 0 && offsetof(struct parent, logical) == 0, "record tables");

	const bool ok = tree_open(scan->volume, EXTENT_TREE_ID, &s.tree, err) && pass(&s, err) && take_sharers(&s, sharers, n, err);

	record_table_free(&s.outsiders);
	record_table_free(&s.parents);
	free(s.edge);
	return ok;
}

bool sharing_find(const struct scan *scan, struct sharer **sharers, size_t *n, struct error *err)
{
	return sharing_find_marked(scan, NULL, sharers, n, err);
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
/* First marks the blocks that lead to the address, visiting each block once. Then goes down the marked blocks of each tree. */
#include "common/fs/owner-scan.h"

#include <inttypes.h>

#include "common/fs/backref-leaf.h"
#include "common/util/set64.h"

struct look {
	struct backref_query query;
	const struct owner_visitor *visitor;
	bool for_data, for_blocks;	/* what the block group may hold */
	struct set64 seen, marked;
	struct backref_extent extent;
	bool found;
	uint64_t tree;			/* the current tree */
	bool is_leaving;		/* the tree is being deleted, so parts of it may be gone */
};

static bool has_files(uint64_t tree)
{
	return tree == ROOT_TREE_ID || tree == DATA_RELOC_TREE_ID || tree == FS_TREE_ID || (tree >= FIRST_FREE_ID && tree <= LAST_FREE_ID);
}

static bool is_target(const struct look *look, uint64_t block)
{
	return look->for_blocks && look->query.logical >= block && look->query.logical - block < look->query.volume->super.node_size;
}

static bool bad(struct look *look, struct error *what, struct error *err)
{
	if (what->kind != ERROR_CORRUPT && what->kind != ERROR_IO) {
		*err = *what;
		return false;
	}
	error_prefix(what, "tree %" PRIu64, look->tree);

	const struct report report = report_of(REPORT_DAMAGED, what);

	if (!look->is_leaving)
		look->visitor->report(look->query.context, &report);
	return true;
}

static bool mark(struct look *look, uint64_t logical, struct error *err)
{
	return set64_add(&look->marked, logical, NULL, err);
}

static void found_block(struct look *look, uint64_t logical, uint8_t level, uint64_t generation)
{
	look->found = true;
	look->extent = (struct backref_extent){
		.logical = logical, .length = look->query.volume->super.node_size, .level = level, .generation = generation,
	};
}

/* --- first: which blocks lead there ------------------------------------------------------------------------------ */

static bool look_at_leaf(struct look *look, const struct block *leaf, struct error *err)
{
	for (uint32_t slot = 0; slot < leaf->node.n_items; slot++) {
		const struct key key = node_key(&leaf->node, slot);
		struct cursor item = leaf_item(&leaf->node, slot);
		struct file_extent e;
		struct error what = { 0 };

		if (key.type != KEY_EXTENT_DATA)
			continue;
		if (!file_extent_read(&item, key.offset, look->query.volume->super.sector_size, &e, &what)) {
			error_prefix(&what, "block %" PRIu64 " inode %" PRIu64, leaf->logical, key.objectid);
			if (!bad(look, &what, err))
				return false;
			continue;
		}
		if (!backref_item_has(&look->query, &e))
			continue;
		if (!look->found)
			look->extent = (struct backref_extent){
				.logical = e.disk_bytenr, .length = e.disk_num_bytes, .is_data = true,
			};
		look->found = true;
		if (!mark(look, leaf->logical, err))
			return false;
	}
	return true;
}

static bool is_fresh(struct look *look, uint64_t logical, bool *fresh, struct error *err)
{
	if (!set64_add(&look->seen, logical, fresh, err))
		return false;
	return set64_count(&look->seen) <= BACKREF_BLOCKS_MAX ||
	       error_set(err, ERROR_REFUSED, "the trees have more than %u blocks", BACKREF_BLOCKS_MAX);
}

/* The recursion is as deep as the tree, because levels fall. */
static bool look_at(struct look *look, const struct block *block, const struct key *below, struct error *err)
{
	const struct node *node = &block->node;

	if (node_is_leaf(node))
		return !look->for_data || look_at_leaf(look, block, err);
	for (uint32_t slot = 0; slot < node->n_items; slot++) {
		const uint64_t at = node_child(node, slot);
		cleanup_block struct block *child = NULL;
		struct error what = { 0 };
		struct key bound;
		bool fresh;

		if (!is_fresh(look, at, &fresh, err))
			return false;
		if (fresh && is_target(look, at)) {
			found_block(look, at, (uint8_t)(node->level - 1), node_child_generation(node, slot));
			if (!mark(look, at, err))
				return false;
		}
		/* Leaves that hold nothing of interest need not be read. */
		if (fresh && (look->for_data || node->level > 1)) {
			if (!block_child(block, slot, below, &child, &what)) {
				if (!bad(look, &what, err))
					return false;
			} else if (!look_at(look, child, node_bound(node, slot, below, &bound), err)) {
				return false;
			}
		}
		if (set64_has(&look->marked, at) && !mark(look, block->logical, err))
			return false;
	}
	return true;
}

static bool get_root(const struct tree *tree, struct block **block, struct error *err)
{
	const struct block_expect expect = { .level = tree->level, .generation = tree->generation };

	return block_get(tree->volume, tree->logical, &expect, block, err);
}

static bool look_at_tree(struct look *look, const struct tree *tree, struct error *err)
{
	cleanup_block struct block *block = NULL;
	struct error what = { 0 };
	bool fresh;

	if (!look->for_blocks && !has_files(tree->id))
		return true;
	if (!is_fresh(look, tree->logical, &fresh, err))
		return false;
	if (!fresh)
		return true;
	if (is_target(look, tree->logical)) {
		found_block(look, tree->logical, tree->level, tree->generation);
		if (!mark(look, tree->logical, err))
			return false;
	}
	if (!get_root(tree, &block, &what))
		return bad(look, &what, err);
	return look_at(look, block, NULL, err);
}

/* --- then: from each root down to them --------------------------------------------------------------------------- */

static bool tell(struct look *look, const struct tree *tree, const struct block *block, const struct key *below, struct error *err)
{
	const struct node *node = &block->node;
	uint64_t id = tree->id;
	const struct root_ids roots = { &id, 1 };

	if (node_is_leaf(node))
		return !look->extent.is_data || backref_leaf(&look->query, block, &roots, err);
	for (uint32_t slot = 0; slot < node->n_items; slot++) {
		const uint64_t at = node_child(node, slot);
		cleanup_block struct block *child = NULL;
		struct key bound;

		if (!set64_has(&look->marked, at))
			continue;
		if (is_target(look, at)) {
			if (!look->visitor->tree(look->query.context, tree->id, err))
				return false;
		} else if (!block_child(block, slot, below, &child, err) ||
			   !tell(look, tree, child, node_bound(node, slot, below, &bound), err)) {
			return false;
		}
	}
	return true;
}

static bool tell_tree(struct look *look, const struct tree *tree, struct error *err)
{
	cleanup_block struct block *block = NULL;

	if ((!look->for_blocks && !has_files(tree->id)) || !set64_has(&look->marked, tree->logical))
		return true;
	if (is_target(look, tree->logical))
		return look->visitor->tree(look->query.context, tree->id, err);
	return get_root(tree, &block, err) && tell(look, tree, block, NULL, err);
}

/* --- all trees --------------------------------------------------------------------------------------------------- */

typedef bool tree_step(struct look *look, const struct tree *tree, struct error *err);

static bool step_root(struct look *look, tree_step *step, const struct tree_iter *iter, bool leaving, struct error *err)
{
	struct cursor item = iter->item;
	struct error what = { 0 };
	struct root root;

	look->tree = iter->key.objectid;
	look->is_leaving = false;
	if (!root_read(&item, &root, &what))
		return leaving || bad(look, &what, err);
	look->is_leaving = root.refs == 0 && look->tree >= FIRST_FREE_ID && look->tree <= LAST_FREE_ID;

	const struct tree tree = {
		.volume = look->query.volume,
		.id = look->tree,
		.logical = root.bytenr,
		.generation = root.generation,
		.level = root.level,
	};

	return look->is_leaving != leaving || step(look, &tree, err);
}

/* leaving: visits the trees that are being deleted, otherwise all others. */
static bool step_roots(struct look *look, tree_step *step, bool leaving, struct error *err)
{
	cleanup_tree_iter struct tree_iter iter = { 0 };
	const struct key first = { 0 };
	struct tree roots;

	if (!tree_open(look->query.volume, ROOT_TREE_ID, &roots, err) || !tree_seek(&roots, &first, &iter, err))
		return false;
	while (iter.valid) {
		if (iter.key.type == KEY_ROOT_ITEM && !step_root(look, step, &iter, leaving, err))
			return false;
		if (!tree_next(&iter, err))
			return false;
	}
	return true;
}

/* Visits trees that are being deleted last: unreadable parts that only they have are not damage. */
static bool each_tree(struct look *look, tree_step *step, struct error *err)
{
	static const uint64_t of_super[] = { CHUNK_TREE_ID, ROOT_TREE_ID };

	for (size_t i = 0; i < sizeof(of_super) / sizeof(of_super[0]); i++) {
		struct tree tree;

		look->tree = of_super[i];
		look->is_leaving = false;
		if (!tree_open(look->query.volume, of_super[i], &tree, err) || !step(look, &tree, err))
			return false;
	}
	return step_roots(look, step, false, err) && step_roots(look, step, true, err);
}

/* Searches log trees last. */
static bool run(struct look *look, struct error *err)
{
	struct volume *volume = look->query.volume;

	if (!each_tree(look, look_at_tree, err))
		return false;
	if (!look->found && look->for_data && !backref_logged_extent_at(volume, look->query.logical, &look->extent, &look->found, err))
		return false;
	if (!look->found)
		return error_set(err, ERROR_NOT_FOUND, "no tree has anything at logical address %" PRIu64, look->query.logical);
	return look->visitor->extent(look->query.context, &look->extent, err) && each_tree(look, tell_tree, err) &&
	       backref_logged(&look->query, err);
}

bool owner_scan(struct volume *volume, uint64_t logical, bool whole, const struct owner_visitor *visitor, void *context, struct error *err)
{
	struct look look = { .query = { volume, logical, whole, true, visitor->file, context }, .visitor = visitor };
	const struct chunk *chunk;
	bool ok;

	if (!volume_chunk(volume, logical, &chunk, err))
		return error_set(err, ERROR_NOT_FOUND, "no block group has logical address %" PRIu64, logical);
	look.for_data = chunk->type & GROUP_DATA;
	look.for_blocks = chunk->type & (GROUP_METADATA | GROUP_SYSTEM);
	ok = run(&look, err);
	set64_free(&look.seen);
	set64_free(&look.marked);
	return ok;
}

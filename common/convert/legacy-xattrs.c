/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Phase STRUCTURE: leaves lose what only the format of 2016 had. They become shorter, so keys above them change, and blocks become empty. A block
 * may be in several trees: all of its parents are corrected in the same record. All of them are known, because nobody else shares anything.
 */
#include <inttypes.h>
#include <stdlib.h>

#include "common/convert/legacy-run.h"
#include "common/tree/leaf.h"
#include "common/util/array.h"
#include "common/util/set64.h"
#include "common/util/take.h"
#include "format/dir-entry.h"
#include "format/legacy.h"

/* The most blocks of other trees that freeing one may change: extent, free space, root and quota tree. */
#define FREE_BLOCKS 24u

struct cleaning {
	struct legacy_run *run;
	struct transaction *tx;
};

bool legacy_xattr_is_ours(const struct cursor *name)
{
	return legacy_xattr_is(name, LEGACY_XATTR_PROPERTY) || legacy_xattr_is(name, LEGACY_XATTR_IV);
}

static struct leaf_bytes bytes_of(struct block *block)
{
	return (struct leaf_bytes){ block->bytes, block->node.size };
}

/* --- what is above ---------------------------------------------------------------------------------------------------------- */

static int by_child(const void *a, const void *b)
{
	const struct legacy_parent *x = a, *y = b;

	return x->child != y->child ? (x->child < y->child ? -1 : 1) : x->parent < y->parent ? -1 : x->parent > y->parent;
}

/* The first pointer to it, of *n. */
static const struct legacy_parent *parents_of(const struct legacy_run *run, uint64_t child, size_t *n)
{
	size_t low = 0, high = run->n_parents;

	while (low < high) {
		const size_t middle = low + (high - low) / 2;

		if (run->parent[middle].child < child)
			low = middle + 1;
		else
			high = middle;
	}
	for (*n = 0; low + *n < run->n_parents && run->parent[low + *n].child == child;)
		++*n;
	return run->parent + low;
}

/* All that is above a block. */
static bool add_above(const struct legacy_run *run, uint64_t logical, struct set64 *above, struct error *err)
{
	size_t n;
	const struct legacy_parent *const parent = parents_of(run, logical, &n);

	for (size_t i = 0; i < n; i++) {
		bool added;

		if (!set64_add(above, parent[i].parent, &added, err) || (added && !add_above(run, parent[i].parent, above, err)))
			return false;
	}
	return true;
}

static bool has_ours(const struct block *block, bool *xattrs)
{
	bool has = false;

	*xattrs = false;
	for (uint32_t slot = 0; slot < block->node.n_items; slot++) {
		const struct key key = node_key(&block->node, slot);
		struct cursor item = leaf_item(&block->node, slot);
		struct error ignored = { 0 };
		struct dir_entry xattr;

		has |= key.type == KEY_INODE_ITEM || key.type == KEY_EXTENT_DATA;
		while (key.type == KEY_XATTR_ITEM && item.left > 0 && xattr_next(&item, &xattr, &ignored))
			*xattrs |= legacy_xattr_is_ours(&xattr.name);
	}
	return has || *xattrs;
}

static bool add_pointers(struct legacy_run *run, const struct block *block, struct error *err)
{
	for (uint32_t slot = 0; slot < block->node.n_items; slot++) {
		if (!ARRAY_ROOM(run->parent, run->n_parents, run->parents_room, err))
			return false;
		run->parent[run->n_parents++] = (struct legacy_parent){ node_child(&block->node, slot), block->logical };
	}
	return true;
}

bool legacy_parents_find(struct legacy_run *run, size_t *blocks, struct error *err)
{
	const size_t fixed = 1 + FREE_BLOCKS + run->scan->n_members;

	*blocks = fixed;
	run->n_parents = 0;
	for (size_t i = 0; i < run->scan->n_blocks; i++) {
		cleanup_block struct block *block = NULL;

		if (run->scan->block[i].level > 0 && (!scan_block_get(run->scan, &run->scan->block[i], &block, err) || !add_pointers(run, block, err)))
			return false;
	}
	if (run->n_parents > 0)
		qsort(run->parent, run->n_parents, sizeof(*run->parent), by_child);
	for (size_t i = 0; i < run->scan->n_blocks; i++) {
		cleanup_set64 struct set64 above = { 0 };

		if (run->scan->block[i].level != 0)
			continue;
		if (!add_above(run, run->scan->block[i].logical, &above, err))
			return false;
		if (fixed + set64_count(&above) > *blocks)
			*blocks = fixed + set64_count(&above);
	}
	return true;
}

/* --- pointers and accounts ---------------------------------------------------------------------------------------------------- */

/* Gets a block above, for editing, and the slot with the pointer to child. */
static bool edit_parent(struct cleaning *c, const struct legacy_parent *at, struct block **block, uint32_t *slot, struct error *err)
{
	if (!block_get(c->run->volume, at->parent, NULL, block, err) || !transaction_edit(c->tx, *block, err))
		return false;
	for (*slot = 0; *slot < (*block)->node.n_items; ++*slot) {
		if (node_child(&(*block)->node, *slot) == at->child)
			return true;
	}
	return error_set(err, ERROR_CORRUPT, "tree block %" PRIu64 " does not lead to %" PRIu64 " any more", at->parent, at->child);
}

/* The first key of a block is another one now. */
static bool fix_key(struct cleaning *c, uint64_t child, const struct key *key, struct error *err)
{
	size_t n;
	const struct legacy_parent *const parent = parents_of(c->run, child, &n);

	for (size_t i = 0; i < n; i++) {
		cleanup_block struct block *block = NULL;
		uint32_t slot;

		if (!edit_parent(c, &parent[i], &block, &slot, err))
			return false;
		leaf_set_key(bytes_of(block), slot, key);
		if (!block_refresh(block, err) || (slot == 0 && !fix_key(c, block->logical, key, err)))
			return false;
	}
	return true;
}

/* The ids of those whose trees have the block, ascending. The caller's. */
static bool roots_of(const struct legacy_run *run, uint64_t logical, uint64_t **root, size_t *n, struct error *err)
{
	cleanup_set64 struct set64 above = { 0 };

	*n = 0;
	*root = calloc(run->scan->n_members, sizeof(**root));
	if (!*root)
		return error_memory(err);
	if (!add_above(run, logical, &above, err))
		return false;
	for (size_t i = 0; i < run->scan->n_members; i++) {
		if (set64_has(&above, run->scan->tree[i].logical))
			(*root)[(*n)++] = run->scan->member[i];
	}
	return true;
}

/* A block is empty: it leaves all of its trees. */
static bool remove_block(struct cleaning *c, uint64_t logical, uint8_t level, struct error *err)
{
	uint64_t *root = NULL;
	size_t n, n_roots;
	const struct legacy_parent *const parent = parents_of(c->run, logical, &n);
	bool ok = roots_of(c->run, logical, &root, &n_roots, err);

	if (ok && n == 0)
		ok = error_set(err, ERROR_CORRUPT, "tree block %" PRIu64 " is the root of a subvolume, and would be empty", logical);
	for (size_t i = 0; ok && i < n; i++) {
		cleanup_block struct block *block = NULL;
		uint32_t slot;

		ok = edit_parent(c, &parent[i], &block, &slot, err);
		if (!ok)
			break;
		inner_remove(bytes_of(block), slot, 1);
		if (leaf_n_items(bytes_of(block)) == 0) {
			ok = remove_block(c, block->logical, level + 1, err);
			continue;
		}
		ok = block_refresh(block, err);
		if (ok && slot == 0) {
			const struct key key = node_key(&block->node, 0);

			ok = fix_key(c, block->logical, &key, err);
		}
	}
	ok = ok && legacy_quota_less(c->run, c->tx, root, n_roots, err) && transaction_free_shared(c->tx, logical, level, (uint32_t)n, err);
	free(root);
	return ok;
}

/* --- one leaf --------------------------------------------------------------------------------------------------------------------- */

static bool clean_xattrs(struct block *block, uint32_t slot, struct error *err)
{
	const struct key key = node_key(&block->node, slot);
	struct cursor item = leaf_item(&block->node, slot);
	const size_t size = item.left;
	uint8_t *const kept = malloc(size + 1);
	size_t n_kept = 0;
	bool ok = kept || error_memory(err);

	while (ok && item.left > 0) {
		const uint8_t *const from = item.at;
		struct dir_entry xattr;

		ok = xattr_next(&item, &xattr, err);
		if (!ok || legacy_xattr_is_ours(&xattr.name))
			continue;
		memcpy(kept + n_kept, from, (size_t)(item.at - from));
		n_kept += (size_t)(item.at - from);
	}
	if (ok && n_kept < size) {
		leaf_remove(bytes_of(block), slot, 1);
		if (n_kept > 0)
			memcpy(leaf_insert(bytes_of(block), slot, &key, n_kept), kept, n_kept);
		ok = block_refresh(block, err);
	}
	free(kept);
	return ok;
}

static bool clean_item(struct block *block, uint32_t slot, struct error *err)
{
	const struct key key = node_key(&block->node, slot);
	const size_t len = leaf_item(&block->node, slot).left;
	uint8_t *const bytes = block->bytes + leaf_item_at(&block->node, slot);
	struct disk_inode_item inode;
	struct disk_file_extent extent;

	if (key.type == KEY_XATTR_ITEM)
		return clean_xattrs(block, slot, err);
	if (key.type == KEY_INODE_ITEM && len == sizeof(inode)) {
		memcpy(&inode, bytes, sizeof(inode));
		inode.flags = to_le64(le64(inode.flags) & ~INODE_ENCRYPT);
		memcpy(bytes, &inode, sizeof(inode));
	} else if (key.type == KEY_EXTENT_DATA && len >= FILE_EXTENT_INLINE_HEADER) {
		memcpy(&extent, bytes, FILE_EXTENT_INLINE_HEADER);
		if ((le16(extent.other_encoding) & ~1u) == LEGACY_MARK)
			extent.other_encoding = to_le16(0);
		memcpy(bytes, &extent, FILE_EXTENT_INLINE_HEADER);
	}
	return true;
}

static bool clean_leaf(struct cleaning *c, struct block *block, struct error *err)
{
	const struct key before = block->node.n_items > 0 ? node_key(&block->node, 0) : (struct key){ 0 };

	if (!transaction_edit(c->tx, block, err))
		return false;
	for (uint32_t slot = block->node.n_items; slot-- > 0;) {
		if (!clean_item(block, slot, err))
			return error_prefix(err, "tree block %" PRIu64 ": item %" PRIu32, block->logical, slot);
	}
	if (block->node.n_items == 0)
		return remove_block(c, block->logical, 0, err);

	const struct key now = node_key(&block->node, 0);

	return key_compare(&before, &now) == 0 || fix_key(c, block->logical, &now, err);
}

/* --- root items --------------------------------------------------------------------------------------------------------------- */

static bool next_leaf(struct cleaning *c, const struct scan_block *at, struct error *err)
{
	cleanup_set64 struct set64 above = { 0 };
	cleanup_block struct block *block = NULL;
	bool xattrs;

	/* Not what the scan expects: it may have another first key by now. */
	if (!block_get(c->run->volume, at->logical, NULL, &block, err) || !add_above(c->run, at->logical, &above, err))
		return false;
	if (!has_ours(block, &xattrs))
		return true;
	if (!legacy_has_room(c->run, c->tx, 1 + FREE_BLOCKS + c->run->scan->n_members + set64_count(&above), 0, 0) &&
	    !legacy_commit_step(c->run, &c->tx, CRYPT_PHASE_STRUCTURE, at->logical + 1, NULL, err))
		return false;
	return clean_leaf(c, block, err);
}

static bool try_leaf(struct cleaning *c, const struct scan_block *at, struct error *err)
{
	cleanup_block struct block *block = NULL;
	bool xattrs;

	return scan_block_get(c->run->scan, at, &block, err) && (!has_ours(block, &xattrs) || clean_leaf(c, block, err));
}

bool legacy_xattrs_try(struct legacy_run *run, struct error *err)
{
	bool ok = true;

	for (size_t i = 0; ok && i < run->scan->n_blocks; i++) {
		struct cleaning c = { .run = run };

		if (run->scan->block[i].level != 0)
			continue;
		ok = transaction_begin(run->volume, run->allocator, &c.tx, err);
		if (!ok)
			break;
		ok = try_leaf(&c, &run->scan->block[i], err) && transaction_settle(c.tx, err);
		transaction_drop(c.tx);
	}
	return ok;
}

bool legacy_xattrs_remove(struct legacy_run *run, struct error *err)
{
	struct cleaning c = { .run = run };
	const uint64_t start = run->at.cursor;
	uint64_t done = 0;
	size_t ignored;

	if (!legacy_parents_find(run, &ignored, err) || !transaction_begin(run->volume, run->allocator, &c.tx, err))
		return false;
	for (size_t i = run->scan->n_blocks; i-- > 0;) {
		const struct scan_block *const at = &run->scan->block[i];

		if (at->level != 0 || at->logical >= start)
			continue;
		if (!next_leaf(&c, at, err)) {
			if (c.tx)
				transaction_drop(c.tx);
			return false;
		}
		legacy_progress(run, CRYPT_PHASE_STRUCTURE, ++done, run->scan->n_leaves);
	}
	return legacy_commit(run, c.tx, CRYPT_PHASE_STRUCTURE, 1, NULL, err);
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Puts versions of inodes together, from the leaves upwards. */
#include "common/sealed/index-edges.h"

#include <inttypes.h>
#include <stdlib.h>

#include "common/sealed/scan-bad.h"
#include "common/util/array.h"
#include "common/util/order.h"
#include "common/util/sorted64.h"

struct index_block {
	uint32_t block;			/* number of the block in the scan */
	uint64_t end;			/* no key in the block or below it is of an inode above this one */
	bool has_left, has_right;
	bool single;			/* left reaches from edge to edge, and there is no right */
	struct inode_version left, right;	/* inodes of the range, at the edges of the block */
};

static_assert(sizeof(struct index_block) <= INDEX_BLOCK_BYTES, "what a block costs");

bool index_emit(struct index_pass *pass, const struct inode_version *version, uint32_t member, struct error *err)
{
	enum inode_entry_kind kinds[INODE_ENTRIES_MAX];
	const unsigned n = inode_entry_kinds(version, kinds);

	for (unsigned i = 0; i < n; i++) {
		struct index_found *found;

		if (!ARRAY_ROOM(pass->found, pass->n_found, pass->found_room, err))
			return false;
		found = &pass->found[pass->n_found];
		*found = (struct index_found){ .member = member, .kind = (uint8_t)kinds[i] };
		if (!inode_version_entry(pass->canonical, version, kinds[i], &found->entry, err))
			return false;
		pass->n_found++;
	}
	return true;
}

/* --- which blocks ---------------------------------------------------------------------------------------- */

static bool want_block(struct index_pass *pass, const struct scan_block *at, uint64_t end, struct error *err)
{
	uint32_t *number = &pass->number[at - pass->scan->block];

	if (*number) {
		struct index_block *block = &pass->block[*number - 1];

		if (block->end < end)
			block->end = end;
		return true;
	}
	if (!ARRAY_ROOM(pass->block, pass->n_blocks, pass->block_room, err))
		return false;
	pass->block[pass->n_blocks++] = (struct index_block){ .block = (uint32_t)(at - pass->scan->block), .end = end };
	*number = (uint32_t)pass->n_blocks;
	return true;
}

static bool read_block(const struct index_pass *pass, const struct scan_block *at, struct block **block, struct error *err)
{
	const struct block_expect expect = { .level = at->level };

	return block_get(pass->scan->volume, at->logical, &expect, block, err);
}

/* Sets *child to NULL if the child cannot be read and the scan went on without it. */
static bool child_of(const struct index_pass *pass, const struct scan_block *at, const struct block *block, uint32_t slot,
		     const struct scan_block **child, struct error *err)
{
	*child = scan_block_at(pass->scan, node_child(&block->node, slot));
	if (*child ? (*child)->level + 1 == at->level : scan_has_lost(pass->scan))
		return true;
	return error_set(err, ERROR_CORRUPT, "tree block %" PRIu64 ": slot %" PRIu32 " points to no block of the subvolume", at->logical, slot);
}

/* Marks the children of a wanted node that may have items of the range. */
static bool want_children(struct index_pass *pass, size_t i, struct error *err)
{
	const struct scan_block *at = &pass->scan->block[pass->block[i].block];
	const uint64_t end = pass->block[i].end;
	cleanup_block struct block *block = NULL;

	if (!read_block(pass, at, &block, err))
		return false;
	for (uint32_t slot = 0; slot < block->node.n_items; slot++) {
		const bool is_last = slot + 1 == block->node.n_items;
		const uint64_t begin = node_key(&block->node, slot).objectid;
		const uint64_t child_end = is_last ? end : node_key(&block->node, slot + 1).objectid;
		const struct scan_block *child;

		if (!child_of(pass, at, block, slot, &child, err))
			return false;
		if (child && begin <= pass->last && child_end >= pass->low && !want_block(pass, child, child_end, err))
			return false;
	}
	return true;
}

/* Goes level by level, so that each block is visited after all its parents. */
static bool want_blocks(struct index_pass *pass, struct error *err)
{
	const struct scan *scan = pass->scan;

	for (size_t m = 0; m < scan->n_members; m++) {
		if (!want_block(pass, scan_block_at(scan, scan->tree[m].logical), UINT64_MAX, err))
			return false;
	}
	for (unsigned level = LEVEL_MAX - 1; level > 0; level--) {
		for (size_t i = 0; i < pass->n_blocks; i++) {
			if (scan->block[pass->block[i].block].level == level && !want_children(pass, i, err))
				return false;
		}
	}
	return true;
}

/* --- leaves ------------------------------------------------------------------------------------------------- */

static bool is_of_pass(const struct index_pass *pass, const struct key *key)
{
	return key->objectid >= pass->low && key->objectid <= pass->last && !key_is_orphan_item(key) &&
	       !sorted64_find(pass->apart, pass->n_apart, key->objectid);
}

/* Adds up the inode whose items begin at slot, and moves *slot behind them. */
static bool leaf_inode(struct index_pass *pass, const struct scan_block *at, const struct block *block, uint32_t *slot,
		       struct inode_version *version, struct error *err)
{
	const struct tree *tree = &pass->scan->tree[at->member];

	*version = (struct inode_version){ .inode = node_key(&block->node, *slot).objectid };
	for (; *slot < block->node.n_items; ++*slot) {
		const struct key key = node_key(&block->node, *slot);
		const struct cursor item = leaf_item(&block->node, *slot);
		uint8_t mac[CRYPT_MAC_SIZE];

		if (key.objectid != version->inode)
			break;
		if (!canonical_item_mac(pass->canonical, tree, 0, &key, item, mac, err))
			return false;
		inode_version_add(version, pass->canonical, &key, item, mac);
	}
	return true;
}

static bool sum_leaf(struct index_pass *pass, struct index_block *sums, const struct scan_block *at, const struct block *block,
		     struct error *err)
{
	const uint32_t n = block->node.n_items;

	for (uint32_t slot = 0; slot < n;) {
		const struct key key = node_key(&block->node, slot);
		const uint32_t begin = slot;
		struct inode_version version;

		if (!is_of_pass(pass, &key)) {
			slot++;
			continue;
		}
		if (!leaf_inode(pass, at, block, &slot, &version, err))
			return false;
		if (begin == 0) {
			sums->left = version;
			sums->has_left = true;
			sums->single = slot == n;
		} else if (slot == n) {
			sums->right = version;
			sums->has_right = true;
		} else if (!index_emit(pass, &version, at->member, err)) {
			return false;
		}
	}
	return true;
}

/* --- nodes -------------------------------------------------------------------------------------------------- */

/* The inode at the right edge of the children seen so far. */
struct open_inode {
	bool is_open;
	bool from_left;		/* reaches to the left edge of the node */
	struct inode_version version;
};

/* The node holds nothing more of this inode. */
static bool close_inode(struct index_pass *pass, struct index_block *sums, const struct scan_block *at, struct open_inode *open,
			struct error *err)
{
	if (!open->is_open)
		return true;
	open->is_open = false;
	if (!open->from_left)
		return index_emit(pass, &open->version, at->member, err);
	sums->left = open->version;
	sums->has_left = true;
	return true;
}

static bool add_child(struct index_pass *pass, struct index_block *sums, const struct scan_block *at, const struct index_block *child,
		      bool is_first, struct open_inode *open, struct error *err)
{
	const bool goes_on = open->is_open && child && child->has_left && child->left.inode == open->version.inode;

	if (goes_on)
		inode_version_join(&open->version, &child->left);
	if (goes_on && child->single)
		return true;
	if (!close_inode(pass, sums, at, open, err))
		return false;
	if (!child)
		return true;
	if (child->has_left && !goes_on) {
		*open = (struct open_inode){ true, is_first, child->left };
		if (child->single)
			return true;
		if (!close_inode(pass, sums, at, open, err))
			return false;
	}
	if (child->has_right)
		*open = (struct open_inode){ true, false, child->right };
	return true;
}

static bool sum_node(struct index_pass *pass, struct index_block *sums, const struct scan_block *at, const struct block *block,
		     struct error *err)
{
	struct open_inode open = { 0 };

	for (uint32_t slot = 0; slot < block->node.n_items; slot++) {
		const struct scan_block *child;

		if (!child_of(pass, at, block, slot, &child, err))
			return false;

		const uint32_t number = child ? pass->number[child - pass->scan->block] : 0;

		if (!add_child(pass, sums, at, number ? &pass->block[number - 1] : NULL, slot == 0, &open, err))
			return false;
	}
	if (open.is_open && open.from_left) {
		sums->left = open.version;
		sums->has_left = sums->single = true;
	} else if (open.is_open) {
		sums->right = open.version;
		sums->has_right = true;
	}
	return true;
}

static bool sum_block(struct index_pass *pass, struct index_block *sums, struct error *err)
{
	const struct scan_block *at = &pass->scan->block[sums->block];
	cleanup_block struct block *block = NULL;

	return read_block(pass, at, &block, err) &&
	       (at->level == 0 ? sum_leaf(pass, sums, at, block, err) : sum_node(pass, sums, at, block, err));
}

/* --- all of them --------------------------------------------------------------------------------------------- */

ORDER_BY(compare_blocks, struct index_block, block);

/* No inode continues beyond the edges of a root. A root belongs to one member, or to members that are equal. */
static bool emit_roots(struct index_pass *pass, struct error *err)
{
	const struct scan *scan = pass->scan;

	for (size_t m = 0; m < scan->n_members; m++) {
		const uint32_t number = pass->number[scan_block_at(scan, scan->tree[m].logical) - scan->block];
		const struct index_block *sums = &pass->block[number - 1];

		if ((sums->has_left && !index_emit(pass, &sums->left, (uint32_t)m, err)) ||
		    (sums->has_right && !index_emit(pass, &sums->right, (uint32_t)m, err)))
			return false;
	}
	return true;
}

bool index_pass_open(struct index_pass *pass, struct error *err)
{
	pass->number = calloc(pass->scan->n_blocks ? pass->scan->n_blocks : 1, sizeof(*pass->number));
	return pass->number || error_memory(err);
}

void index_pass_close(struct index_pass *pass)
{
	free(pass->found);
	free(pass->block);
	free(pass->number);
}

bool index_pass_run(struct index_pass *pass, struct error *err)
{
	bool ok = want_blocks(pass, err);

	/* Sort in disk order. */
	if (ok)
		qsort(pass->block, pass->n_blocks, sizeof(*pass->block), compare_blocks);
	for (size_t i = 0; ok && i < pass->n_blocks; i++)
		pass->number[pass->block[i].block] = (uint32_t)i + 1;
	for (unsigned level = 0; ok && level < LEVEL_MAX; level++) {
		for (size_t i = 0; ok && i < pass->n_blocks; i++) {
			if (pass->scan->block[pass->block[i].block].level == level)
				ok = sum_block(pass, &pass->block[i], err);
		}
	}
	ok = ok && emit_roots(pass, err);
	for (size_t i = 0; i < pass->n_blocks; i++)
		pass->number[pass->block[i].block] = 0;
	pass->n_blocks = 0;
	return ok;
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Reads the raid stripe tree, with one search for each of its items instead of one for each sector. */
#include "common/volume/stripe-tree.h"

#include <inttypes.h>
#include <stdlib.h>

#include "common/volume/block.h"
#include "format/device-item.h"
#include "format/root.h"

#define corrupt(logical, format, ...) \
	error_set(err, ERROR_CORRUPT, "raid stripe tree: item of %" PRIu64 ": " format, logical, __VA_ARGS__)

/* A tree, named by its root node. */
struct root_node {
	uint64_t logical, generation;
	uint8_t level;
};

/* A place in a leaf. */
struct found {
	struct block *leaf;	/* held by this struct */
	uint32_t slot;
	bool has_next;
	struct key next;	/* key of the item behind it, in the same leaf or the next */
};

struct stripe_tree {
	struct volume *volume;
	bool has_root;
	struct root_node root;
	bool is_searched;	/* a search is running: blocks on its way cannot be looked up in the tree */
	struct found found;	/* the item that was used last */
	uint64_t start, end;	/* the logical addresses it covers; equal: none */
};

/* --- searching ------------------------------------------------------------------------------------------------- */

static bool descend(struct volume *volume, const struct root_node *root, const struct key *key, struct found *found, struct error *err)
{
	const struct block_expect expect = { .level = root->level, .generation = root->generation };
	const struct key *below = NULL;
	struct block *block;
	struct key bound;

	if (!block_get(volume, root->logical, &expect, &block, err))
		return false;
	while (!node_is_leaf(&block->node)) {
		const uint32_t slot = node_pointer_slot(&block->node, key);
		struct block *child;
		const bool ok = block_child(block, slot, below, &child, err);

		if (ok)
			below = node_bound(&block->node, slot, below, &bound);
		block_put(block);
		if (!ok)
			return false;
		block = child;
	}
	*found = (struct found){ .leaf = block, .has_next = below };
	if (below)
		found->next = *below;
	return true;
}

/* Finds the last item whose key is not behind key. Sets found->leaf to NULL if there is none. */
static bool search_last(struct volume *volume, const struct root_node *root, const struct key *key, struct found *found, struct error *err)
{
	if (!descend(volume, root, key, found, err))
		return false;

	const struct node *node = &found->leaf->node;
	uint32_t slot = node_search(node, key);
	bool is_there = false;

	if (slot < node->n_items) {
		const struct key at = node_key(node, slot);

		is_there = key_compare(&at, key) == 0;
	}
	if (!is_there && slot == 0) {
		block_put(found->leaf);
		*found = (struct found){ 0 };
		return true;
	}
	found->slot = is_there ? slot : slot - 1;
	if (found->slot + 1 < node->n_items) {
		found->next = node_key(node, found->slot + 1);
		found->has_next = true;
	}
	return true;
}

static bool find_root(struct stripe_tree *tree, struct error *err)
{
	const struct superblock *super = &tree->volume->super;
	const struct root_node root_tree = { super->root, super->generation, super->root_level };
	const struct key key = { RAID_STRIPE_TREE_ID, KEY_ROOT_ITEM, UINT64_MAX };
	struct found found;
	struct root root;

	if (tree->has_root)
		return true;
	if (!search_last(tree->volume, &root_tree, &key, &found, err))
		return false;
	if (!found.leaf)
		return error_set(err, ERROR_CORRUPT, "the root tree has no raid stripe tree");

	const struct key at = node_key(&found.leaf->node, found.slot);
	struct cursor item = leaf_item(&found.leaf->node, found.slot);
	const bool is_there = at.objectid == RAID_STRIPE_TREE_ID && at.type == KEY_ROOT_ITEM,
		   ok = is_there ? root_read(&item, &root, err) : error_set(err, ERROR_CORRUPT, "the root tree has no raid stripe tree");

	block_put(found.leaf);
	if (ok)
		tree->root = (struct root_node){ root.bytenr, root.generation, root.level };
	tree->has_root = ok;
	return ok;
}

/* --- items ----------------------------------------------------------------------------------------------------- */

/* Checks the range that an item covers, by its key and that of the next item. */
static bool check_range(const struct stripe_tree *tree, const struct found *found, const struct key *key, struct error *err)
{
	const uint32_t sector_size = tree->volume->super.sector_size;

	if (key->offset == 0 || key->offset % sector_size != 0 || key->objectid % sector_size != 0)
		return corrupt(key->objectid, "its length is %" PRIu64 ": both must be multiples of %" PRIu32 ", and the length not 0",
			       key->offset, sector_size);
	if (key->offset > UINT64_MAX - key->objectid)
		return corrupt(key->objectid, "its length is %" PRIu64 ", past the end of addresses", key->offset);
	if (found->has_next && found->next.type == KEY_RAID_STRIPE && found->next.objectid - key->objectid < key->offset)
		return corrupt(key->objectid, "%" PRIu64 " bytes overlap the item of %" PRIu64, key->offset, found->next.objectid);
	return true;
}

/* Data are mostly read forwards, so the next item of the leaf is tried before a search. */
static bool step(struct stripe_tree *tree, uint64_t logical)
{
	struct found *found = &tree->found;

	if (!found->leaf || found->slot + 1 >= found->leaf->node.n_items)
		return false;

	const struct key next = node_key(&found->leaf->node, found->slot + 1);

	if (next.type != KEY_RAID_STRIPE || next.objectid != logical)
		return false;
	found->slot++;
	found->has_next = found->slot + 1 < found->leaf->node.n_items;
	if (found->has_next)
		found->next = node_key(&found->leaf->node, found->slot + 1);
	return true;
}

/* Tree blocks are where the profile puts them. If a chunk says otherwise, each block would have to look up where it is itself. */
static bool search(struct stripe_tree *tree, const struct key *key, struct found *found, struct error *err)
{
	if (tree->is_searched)
		return error_set(err, ERROR_CORRUPT, "a block on the way to it is in a chunk of data");
	tree->is_searched = true;

	const bool ok = find_root(tree, err) && search_last(tree->volume, &tree->root, key, found, err);

	tree->is_searched = false;
	return ok;
}

static bool find_item(struct stripe_tree *tree, uint64_t logical, struct error *err)
{
	const struct key last = { logical, KEY_RAID_STRIPE, UINT64_MAX };
	struct found *found = &tree->found;

	if (logical >= tree->start && logical < tree->end)
		return true;
	tree->start = tree->end = 0;
	if (!step(tree, logical)) {
		block_put(found->leaf);
		*found = (struct found){ 0 };
		if (!search(tree, &last, found, err))
			return error_prefix(err, "raid stripe tree");
	}
	if (found->leaf) {
		const struct key key = node_key(&found->leaf->node, found->slot);

		if (key.type == KEY_RAID_STRIPE && (logical - key.objectid < key.offset || logical == key.objectid)) {
			if (!check_range(tree, found, &key, err))
				return false;
			tree->start = key.objectid;
			tree->end = key.objectid + key.offset;
			return true;
		}
	}
	return error_set(err, ERROR_CORRUPT, "raid stripe tree: it has no item of logical address %" PRIu64, logical);
}

/* Finds where the current item has the bytes of one mirror. */
static bool read_item(const struct stripe_tree *tree, const struct chunk *chunk, uint64_t logical, unsigned mirror, struct stripe_place *place,
		      struct error *err)
{
	const uint32_t sector_size = tree->volume->super.sector_size;
	const uint64_t devid = chunk->stripe[place->stripe].devid;
	struct cursor item = leaf_item(&tree->found.leaf->node, tree->found.slot);
	struct stripe_copy copy;
	uint8_t encoding;
	bool has_head;

	if (!stripe_extent_begin(&item, &has_head, &encoding, err))
		return error_prefix(err, "raid stripe tree: item of %" PRIu64, tree->start);
	for (unsigned i = 0; item.left > 0; i++) {
		if (!stripe_extent_next(&item, &copy, err))
			return false;
		/* Both copies of DUP are on one device. Their order tells them apart. */
		if (copy.devid != devid || ((chunk->type & GROUP_DUP) && i != mirror))
			continue;
		if (copy.physical % sector_size != 0 || copy.physical > UINT64_MAX - (tree->end - tree->start))
			return corrupt(tree->start, "stripe %u is at %" PRIu64 " of devid %" PRIu64 ", not a multiple of %" PRIu32
				       " before the end of addresses", i, copy.physical, devid, sector_size);
		place->physical = copy.physical + (logical - tree->start);
		return true;
	}
	return corrupt(tree->start, "it has no stripe %s%" PRIu64, chunk->type & GROUP_DUP ? "for this copy on devid " : "on devid ", devid);
}

/* --- for readers ---------------------------------------------------------------------------------------------- */

/* The profile alone places parity, metadata, mixed groups and chunks with one copy. */
static bool is_in_tree(const struct volume *volume, const struct chunk *chunk)
{
	return volume->stripe_tree && (chunk->type & GROUP_TYPE_MASK) == GROUP_DATA &&
	       (chunk->type & (GROUP_DUP | GROUP_RAID0 | GROUP_RAID1 | GROUP_RAID1C3 | GROUP_RAID1C4 | GROUP_RAID10));
}

bool volume_place(const struct volume *volume, const struct chunk *chunk, uint64_t logical, unsigned mirror, struct stripe_place *place,
		  struct error *err)
{
	struct stripe_tree *tree = volume->stripe_tree;

	*place = stripe_place(chunk, logical, mirror);
	if (!is_in_tree(volume, chunk))
		return true;
	if (!find_item(tree, logical, err))
		return false;
	if (place->len > tree->end - logical)
		place->len = tree->end - logical;
	return read_item(tree, chunk, logical, mirror, place, err);
}

bool stripe_tree_new(struct volume *volume, struct error *err)
{
	volume->stripe_tree = calloc(1, sizeof(*volume->stripe_tree));
	if (!volume->stripe_tree)
		return error_memory(err);
	volume->stripe_tree->volume = volume;
	return true;
}

void stripe_tree_drop(struct stripe_tree *tree)
{
	if (!tree)
		return;
	block_put(tree->found.leaf);
	*tree = (struct stripe_tree){ .volume = tree->volume };
}

void stripe_tree_free(struct stripe_tree *tree)
{
	stripe_tree_drop(tree);
	free(tree);
}

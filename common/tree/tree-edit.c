/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Adds, edits and removes items: inserting with splits, editing in place, removing. */
#include "common/tree/tree-edit.h"

#include <inttypes.h>
#include <stdlib.h>

#include "common/tree/tree-path.h"

static bool item_error(uint64_t id, const struct key *key, const char *what, struct error *err)
{
	char text[KEY_TEXT_SIZE];

	return error_set(err, ERROR_CORRUPT, "tree %" PRIu64 ": item %s %s", id, key_text(key, text), what);
}

/* --- room for an item ------------------------------------------------------- */

/* Where to cut a full leaf, and on which side of the cut the new item goes. */
struct cut {
	uint32_t slot;
	bool on_right;
};

/* The most even cut among those where the new item fits. False if there is none. */
static bool best_cut(struct leaf_bytes leaf, uint32_t slot, uint32_t need, struct cut *best)
{
	const uint32_t n = leaf_n_items(leaf), room = leaf.size - sizeof(struct disk_header);
	uint32_t smallest = UINT32_MAX;

	for (uint32_t at = 0; at <= n; at++) {
		const uint32_t left = leaf_used(leaf, 0, at), right = leaf_used(leaf, at, n - at);

		for (unsigned on_right = 0; on_right < 2; on_right++) {
			const uint32_t with_left = on_right ? left : left + need;
			const uint32_t with_right = on_right ? right + need : right;
			const uint32_t larger = with_left > with_right ? with_left : with_right;

			if ((on_right ? at > slot : at < slot) || with_left == 0 || with_right == 0 || larger > room ||
			    larger >= smallest)
				continue;
			smallest = larger;
			*best = (struct cut){ at, on_right };
		}
	}
	return smallest != UINT32_MAX;
}

/* For ascending items: everything before the new item stays, so that leaves fill up. */
static bool ascending_cut(struct leaf_bytes leaf, uint32_t slot, uint32_t need, struct cut *cut)
{
	const uint32_t n = leaf_n_items(leaf), room = leaf.size - sizeof(struct disk_header);

	*cut = (struct cut){ slot, leaf_used(leaf, 0, slot) + need > room };
	return !cut->on_right || leaf_used(leaf, slot, n - slot) + need <= room;
}

static bool continues_ascent(const struct tree_path *path)
{
	if (path->slot[0] == 0)
		return false;

	const struct key before = node_key(&path->block[0]->node, path->slot[0] - 1);

	return key_compare(&before, &path->root->last) == 0;
}

/* Moves to the beginning of the leaf on the right, if it has the same parent and enough room. */
static bool go_to_right_leaf(struct tree_path *path, uint32_t need, bool *gone, struct error *err)
{
	const struct block *parent = path->block[1];
	struct block *right;

	*gone = false;
	if (path->slot[1] + 1 >= parent->node.n_items)
		return true;
	if (!block_child(parent, path->slot[1] + 1, NULL, &right, err))
		return false;
	if (leaf_free(bytes_of(right)) < need) {
		block_put(right);
		return true;
	}
	block_put(path->block[0]);
	path->block[0] = right;
	path->slot[0] = 0;
	path->slot[1]++;
	*gone = true;
	return true;
}

/* Adds an empty leaf behind the path's leaf, with a pointer of this key. The path moves to it if `follow`. */
static bool add_leaf(struct tree_path *path, const struct key *key, struct block *right, bool follow, struct error *err)
{
	if (!tree_path_add_pointer(path, 1, key, right, err))
		return false;
	if (follow) {
		block_put(path->block[0]);
		path->block[0] = block_hold(right);
		path->slot[0] = 0;
		path->slot[1]++;
	}
	return true;
}

static bool split_leaf(struct tree_path *path, struct cut cut, const struct key *key, struct error *err)
{
	struct block *left = path->block[0], *right;
	const uint32_t slot = path->slot[0];
	struct leaf_bytes bytes;

	if (!transaction_new_block(path->tx, left, 0, &right, err) || !tree_path_edit(path, 0, &bytes, err))
		return false;
	leaf_move_tail(bytes, cut.slot, bytes_of(right));
	if (!block_refresh(left, err) || !block_refresh(right, err))
		return false;

	const bool is_first = cut.on_right && slot == cut.slot;
	const struct key first = is_first ? *key : node_key(&right->node, 0);

	if (!add_leaf(path, &first, right, cut.on_right, err))
		return false;
	path->slot[0] = cut.on_right ? slot - cut.slot : slot;
	return true;
}

/* Changes the tree until the path ends at a leaf where the item belongs and has need bytes of room. */
static bool make_room(struct tree_path *path, const struct key *key, uint32_t need, struct error *err)
{
	struct cut cut;

	if (leaf_free(bytes_of(path->block[0])) >= need)
		return true;
	if (path->top == 0 && !tree_path_grow(path, err))
		return false;

	const struct leaf_bytes leaf = bytes_of(path->block[0]);
	const uint32_t slot = path->slot[0], n = leaf_n_items(leaf);

	if (slot == n) {
		bool gone;

		if (!go_to_right_leaf(path, need, &gone, err))
			return false;
		return gone || split_leaf(path, (struct cut){ n, true }, key, err);
	}
	if (continues_ascent(path) ? ascending_cut(leaf, slot, need, &cut) : best_cut(leaf, slot, need, &cut))
		return split_leaf(path, cut, key, err);

	/* There are large items on both sides, so the new one gets a leaf of its own between them. */
	return split_leaf(path, (struct cut){ slot, false }, key, err) &&
	       split_leaf(path, (struct cut){ slot, true }, key, err);
}

bool tree_edit_insert(struct transaction *tx, uint64_t id, const struct key *key, const void *data, uint32_t len,
		      struct error *err)
{
	cleanup_tree_path struct tree_path path = { 0 };
	struct leaf_bytes bytes;
	bool found;

	if (len > leaf_payload_max(tx->volume->super.node_size))
		return item_error(id, key, "is larger than a leaf", err);
	if (!tree_path_search(tx, id, key, &path, &found, err))
		return false;
	if (found)
		return item_error(id, key, "exists already", err);
	if (!make_room(&path, key, sizeof(struct disk_item) + len, err) || !tree_path_edit(&path, 0, &bytes, err))
		return false;

	uint8_t *payload = leaf_insert(bytes, path.slot[0], key, len);

	if (data)
		memcpy(payload, data, len);
	if (!block_refresh(path.block[0], err) || (path.slot[0] == 0 && !tree_path_fix_first(&path, 0, err)))
		return false;
	path.root->last = *key;
	return true;
}

/* --- existing items --------------------------------------------------- */

static bool search_item(struct transaction *tx, uint64_t id, const struct key *key, struct tree_path *path, struct error *err)
{
	bool found;

	if (!tree_path_search(tx, id, key, path, &found, err))
		return false;
	return found || item_error(id, key, "is missing", err);
}

bool tree_edit_find(struct transaction *tx, uint64_t id, const struct key *key, uint8_t **data, uint32_t *len,
		    struct error *err)
{
	cleanup_tree_path struct tree_path path = { 0 };
	bool found;

	*data = NULL;
	*len = 0;
	if (!tree_path_search(tx, id, key, &path, &found, err))
		return false;
	if (found) {
		const struct node *leaf = &path.block[0]->node;

		*data = path.block[0]->bytes + leaf_item_at(leaf, path.slot[0]);
		*len = leaf_item(leaf, path.slot[0]).left;
	}
	return true;
}

bool tree_edit_item(struct transaction *tx, uint64_t id, const struct key *key, uint8_t **data, uint32_t *len,
		    struct error *err)
{
	cleanup_tree_path struct tree_path path = { 0 };
	struct leaf_bytes bytes;

	if (!search_item(tx, id, key, &path, err) || !tree_path_edit(&path, 0, &bytes, err))
		return false;
	*data = bytes.at + leaf_item_at(&path.block[0]->node, path.slot[0]);
	*len = leaf_item(&path.block[0]->node, path.slot[0]).left;
	return true;
}

bool tree_edit_payload(struct transaction *tx, uint64_t id, const struct key *key, uint32_t len, uint8_t **data,
		       struct error *err)
{
	char text[KEY_TEXT_SIZE];
	uint32_t have;

	if (!tree_edit_item(tx, id, key, data, &have, err))
		return false;
	return len == 0 || have == len ||
	       error_set(err, ERROR_CORRUPT, "tree %" PRIu64 ": item %s: size is %u, not %u", id, key_text(key, text), have, len);
}

bool tree_edit_remove(struct transaction *tx, uint64_t id, const struct key *key, struct error *err)
{
	cleanup_tree_path struct tree_path path = { 0 };
	struct leaf_bytes bytes;

	if (!search_item(tx, id, key, &path, err))
		return false;
	if (path.block[0]->node.n_items == 1)
		return tree_path_prune(&path, 0, err) && tree_path_shrink(&path, err);
	if (!tree_path_edit(&path, 0, &bytes, err))
		return false;
	leaf_remove(bytes, path.slot[0], 1);
	return block_refresh(path.block[0], err) && (path.slot[0] > 0 || tree_path_fix_first(&path, 0, err));
}

bool tree_edit_rename(struct transaction *tx, uint64_t id, const struct key *from, const struct key *to, struct error *err)
{
	cleanup_tree_path struct tree_path path = { 0 };
	struct leaf_bytes bytes;

	if (!search_item(tx, id, from, &path, err) || !tree_path_edit(&path, 0, &bytes, err))
		return false;
	leaf_set_key(bytes, path.slot[0], to);
	return block_refresh(path.block[0], err) && (path.slot[0] > 0 || tree_path_fix_first(&path, 0, err));
}

bool tree_edit_last(struct transaction *tx, uint64_t id, const struct key *limit, bool *found, struct key *key,
		    struct error *err)
{
	cleanup_tree_path struct tree_path path = { 0 };
	bool exact;

	if (!tree_path_search(tx, id, limit, &path, &exact, err))
		return false;
	*found = exact || path.slot[0] > 0;
	if (*found)
		*key = node_key(&path.block[0]->node, exact ? path.slot[0] : path.slot[0] - 1);
	return true;
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Items of trees: payloads looked at and changed where they lie, items taken out and put in. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/tree/leaf.h"
#include "common/volume/csum.h"
#include "common/volume/mirror.h"
#include "tests/image/attack/attack.h"
#include "tests/support/edit.h"

struct place {
	uint64_t tree;
	struct key key;
};

static bool place_read(const struct attack *attack, struct place *place, struct error *err)
{
	uint64_t type;

	if (!number(attack->argv[0], &place->tree, err) || !number(attack->argv[1], &place->key.objectid, err) ||
	    !number(attack->argv[2], &type, err) || !number(attack->argv[3], &place->key.offset, err))
		return false;
	place->key.type = (uint8_t)type;
	return true;
}

/* The leaf where the item is (found), or would be. */
static bool find(const struct attack *attack, const struct place *place, struct tree_iter *iter, bool *found, struct error *err)
{
	struct tree tree;

	return tree_open(attack->volume, place->tree, &tree, err) && tree_find(&tree, &place->key, iter, found, err);
}

static bool must_find(const struct attack *attack, const struct place *place, struct tree_iter *iter, struct error *err)
{
	char text[KEY_TEXT_SIZE];
	bool found;

	if (!find(attack, place, iter, &found, err))
		return false;
	return found || error_set(err, ERROR_NOT_FOUND, "tree %" PRIu64 " has no item %s", place->tree, key_text(&place->key, text));
}

bool attack_keys(struct attack *attack, struct error *err)
{
	cleanup_tree_iter struct tree_iter iter = { 0 };
	struct key first = { 0 };
	struct tree tree;
	uint64_t id;

	if (!number(attack->argv[0], &id, err) || !number(attack->argv[1], &first.objectid, err) ||
	    !tree_open(attack->volume, id, &tree, err) || !tree_seek(&tree, &first, &iter, err))
		return false;
	while (iter.valid && iter.key.objectid == first.objectid) {
		printf("%u %" PRIu64 " %zu\n", iter.key.type, iter.key.offset, iter.item.left);
		if (!tree_next(&iter, err))
			return false;
	}
	return true;
}

bool attack_peek(struct attack *attack, struct error *err)
{
	cleanup_tree_iter struct tree_iter iter = { 0 };
	struct place place;
	uint64_t at, len;

	if (!place_read(attack, &place, err) || !number(attack->argv[4], &at, err) || !number(attack->argv[5], &len, err) ||
	    !must_find(attack, &place, &iter, err))
		return false;
	if (at > iter.item.left || len > iter.item.left - at)
		return error_set(err, ERROR_USAGE, "the item has %zu bytes", iter.item.left);
	print_hex(iter.item.at + at, len);
	return true;
}

static bool write_leaf(const struct attack *attack, struct block *leaf, struct error *err)
{
	csum_block_update(attack->volume->super.csum_type, leaf->bytes, leaf->node.size);
	return volume_write(attack->volume, leaf->logical, leaf->bytes, leaf->node.size, err);
}

/* bytes at `at` of the payload; NULL: len is what the one byte there is xored with */
static bool change(struct attack *attack, const uint8_t *bytes, size_t len, struct error *err)
{
	cleanup_tree_iter struct tree_iter iter = { 0 };
	struct place place;
	uint64_t at;

	if (!place_read(attack, &place, err) || !number(attack->argv[4], &at, err) || !must_find(attack, &place, &iter, err))
		return false;
	if (at > iter.item.left || (bytes ? len : 1) > iter.item.left - at)
		return error_set(err, ERROR_USAGE, "the item has %zu bytes", iter.item.left);

	struct block *leaf = iter.path[0];
	uint8_t *to = leaf->bytes + leaf_item_at(&leaf->node, iter.slot[0]) + at;

	if (bytes)
		memcpy(to, bytes, len);
	else
		*to ^= (uint8_t)len;
	return write_leaf(attack, leaf, err);
}

bool attack_poke(struct attack *attack, struct error *err)
{
	uint8_t *bytes = NULL;
	size_t len;
	const bool ok = bytes_of_hex(attack->argv[5], &bytes, &len, err) && change(attack, bytes, len, err);

	free(bytes);
	return ok;
}

bool attack_xor(struct attack *attack, struct error *err)
{
	uint64_t byte;

	return number(attack->argv[5], &byte, err) && change(attack, NULL, (uint8_t)byte, err);
}

/* In the root tree, where whole blocks hold one item: as a conversion would do it.  payload NULL: none. */
static bool edit_root_tree(struct attack *attack, const struct place *place, const uint8_t *payload, size_t len, struct error *err)
{
	cleanup_tree_iter struct tree_iter iter = { 0 };
	struct allocator *allocator;
	struct transaction *tx;
	bool found, ok;

	if (!find(attack, place, &iter, &found, err))
		return false;
	tree_iter_close(&iter);
	if (!allocator_open(attack->volume, &allocator, err))
		return false;
	ok = transaction_begin(attack->volume, allocator, &tx, err);
	if (ok) {
		ok = (!found || tree_remove(tx, place->tree, &place->key, err)) &&
		     (!payload || tree_insert(tx, place->tree, &place->key, payload, (uint32_t)len, err));
		if (ok)
			ok = edit_commit(attack->volume, tx, err);
		else
			transaction_drop(tx);
	}
	allocator_close(allocator);
	return ok;
}

/* In other trees the block stays as it is linked: its first key must not change. */
static bool edit_leaf(struct attack *attack, const struct place *place, const uint8_t *payload, size_t len, struct error *err)
{
	cleanup_tree_iter struct tree_iter iter = { 0 };
	bool found;

	if (!find(attack, place, &iter, &found, err))
		return false;
	if (!iter.path[0])
		return error_set(err, ERROR_REFUSED, "the item would be the last of the tree");

	struct block *leaf = iter.path[0];
	const struct leaf_bytes bytes = { leaf->bytes, leaf->node.size };

	if (iter.slot[0] == 0)
		return error_set(err, ERROR_REFUSED, "the item is the first of its leaf: choose another");
	if (found)
		leaf_remove(bytes, iter.slot[0], 1);
	if (payload) {
		if (leaf_free(bytes) < len + sizeof(struct disk_item))
			return error_set(err, ERROR_NO_SPACE, "the leaf has %" PRIu32 " bytes left", leaf_free(bytes));
		memcpy(leaf_insert(bytes, iter.slot[0], &place->key, (uint32_t)len), payload, len);
	}
	return write_leaf(attack, leaf, err);
}

bool attack_drop(struct attack *attack, struct error *err)
{
	struct place place;

	return place_read(attack, &place, err) && (place.tree == ROOT_TREE_ID ? edit_root_tree(attack, &place, NULL, 0, err)
									      : edit_leaf(attack, &place, NULL, 0, err));
}

bool attack_put(struct attack *attack, struct error *err)
{
	uint8_t *bytes = NULL;
	struct place place;
	size_t len;
	const bool ok = place_read(attack, &place, err) && bytes_of_hex(attack->argv[4], &bytes, &len, err) &&
			(place.tree == ROOT_TREE_ID ? edit_root_tree(attack, &place, bytes, len, err)
						    : edit_leaf(attack, &place, bytes, len, err));

	free(bytes);
	return ok;
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The set of changed, new and freed tree blocks: edits mark here what settle.c then puts into the accounts. */
#include "common/tree/transaction-state.h"

#include <inttypes.h>
#include <stdlib.h>

#include "common/util/array.h"
#include "common/volume/chunk-map.h"

/* Adds the block to the list, which holds it. */
static bool list_add(struct block_list *list, struct block *block, struct error *err)
{
	if (!ARRAY_ROOM(list->block, list->n, list->room, err))
		return false;
	list->block[list->n++] = block_hold(block);
	return true;
}

/* Takes a block out of the list, with its hold. NULL: it is not there. */
static struct block *list_take(struct block_list *list, uint64_t logical)
{
	for (size_t i = list->n; i-- > 0;) {
		struct block *block = list->block[i];

		if (block->logical == logical) {
			list->block[i] = list->block[--list->n];
			return block;
		}
	}
	return NULL;
}

static bool add_pending(struct transaction *tx, struct pending pending, struct error *err)
{
	if (!ARRAY_ROOM(tx->pending, tx->n_pending, tx->pending_room, err))
		return false;
	tx->pending[tx->n_pending++] = pending;
	return true;
}

/* --- beginning and end ----------------------------------------------------------- */

bool transaction_begin(struct volume *volume, struct allocator *allocator, struct transaction **out, struct error *err)
{
	struct transaction *tx = calloc(1, sizeof(*tx));

	if (!tx)
		return error_memory(err);
	tx->dev_bytes_used = calloc(volume->n_devices, sizeof(*tx->dev_bytes_used));
	if (!tx->dev_bytes_used) {
		free(tx);
		return error_memory(err);
	}
	tx->volume = volume;
	tx->allocator = allocator;
	tx->bytes_used = volume->super.bytes_used;
	tx->root_level = volume->super.root_level;
	tx->chunk_root_level = volume->super.chunk_root_level;
	tx->chunk_root = volume->super.chunk_root;
	for (size_t i = 0; i < volume->n_devices; i++)
		tx->dev_bytes_used[i] = volume->devices[i].item.bytes_used;
	tx->n_chunks = volume->n_chunks;
	tx->n_groups = allocator_n_groups(allocator);
	*out = tx;
	return true;
}

static void list_release(struct transaction *tx, struct block_list *list, bool forget)
{
	for (size_t i = 0; i < list->n; i++) {
		const uint64_t logical = list->block[i]->logical;

		block_set_changed(list->block[i], false);
		block_put(list->block[i]);
		if (forget)
			block_cache_forget(tx->volume, logical);
	}
	free(list->block);
}

static void finish(struct transaction *tx, bool forget)
{
	list_release(tx, &tx->changed, forget);
	list_release(tx, &tx->fresh, forget);
	list_release(tx, &tx->dead, true);
	free(tx->taken);
	free(tx->freed);
	free(tx->pending);
	free(tx->dev_bytes_used);
	free(tx);
}

void transaction_drop(struct transaction *tx)
{
	if (!tx)
		return;

	struct superblock *super = &tx->volume->super;

	superblock_set_bytes_used(super, tx->bytes_used);
	superblock_set_root_level(super, tx->root_level);
	superblock_set_chunk_root(super, tx->chunk_root);
	superblock_set_chunk_root_level(super, tx->chunk_root_level);
	for (size_t i = 0; i < tx->volume->n_devices; i++)
		tx->volume->devices[i].item.bytes_used = tx->dev_bytes_used[i];
	while (tx->n_taken > 0)
		allocator_give_back(tx->allocator, tx->taken[--tx->n_taken]);
	allocator_truncate_groups(tx->allocator, tx->n_groups);
	chunk_map_truncate(tx->volume, tx->n_chunks);
	finish(tx, true);
}

void transaction_end(struct transaction *tx)
{
	assert(tx->settled || (tx->changed.n == 0 && tx->fresh.n == 0 && tx->n_freed == 0));
	for (size_t i = 0; i < tx->n_freed; i++) {
		allocator_note_freed(tx->allocator, tx->freed[i]);
		block_cache_forget(tx->volume, tx->freed[i]);
	}
	finish(tx, false);
}

/* --- adding and removing blocks ------------------------------------------------------------ */

bool transaction_edit(struct transaction *tx, struct block *block, struct error *err)
{
	assert(!tx->settled);
	if (block->changed)
		return true;
	if (block->node.owner == CHUNK_TREE_ID)
		return error_set(err, ERROR_REFUSED, "tree block %" PRIu64 " belongs to the chunk tree, which does not change in place",
				 block->logical);
	if (!list_add(&tx->changed, block, err))
		return false;
	block_set_changed(block, true);
	return true;
}

/* Copies the header fields of source. */
static void copy_header(struct block *to, const struct block *source, uint8_t level)
{
	struct disk_header header;

	memcpy(&header, source->bytes, sizeof(header));
	header.bytenr = to_le64(to->logical);
	header.nritems = to_le32(0);
	header.level = level;
	memcpy(to->bytes, &header, sizeof(header));
	to->node = source->node;
	to->node.bytes = to->bytes;
	to->node.logical = to->logical;
	to->node.n_items = 0;
	to->node.level = level;
}

static bool take_block(struct transaction *tx, uint64_t owner, uint64_t *logical, struct error *err)
{
	return owner == CHUNK_TREE_ID ? allocator_take_system_block(tx->allocator, logical, err) :
					allocator_take_block(tx->allocator, logical, err);
}

bool transaction_place_block(struct transaction *tx, const struct block *source, uint8_t level, struct block **out, struct error *err)
{
	struct block *block;
	uint64_t logical;

	assert(!tx->settled);
	if (!ARRAY_ROOM(tx->taken, tx->n_taken, tx->taken_room, err) || !ARRAY_ROOM(tx->fresh.block, tx->fresh.n, tx->fresh.room, err) ||
	    !take_block(tx, source->node.owner, &logical, err))
		return false;
	tx->taken[tx->n_taken++] = logical;
	if (!block_new(tx->volume, logical, &block, err))
		return false;
	copy_header(block, source, level);
	tx->fresh.block[tx->fresh.n++] = block;	/* with its first hold */
	*out = block;
	return true;
}

bool transaction_new_block(struct transaction *tx, const struct block *source, uint8_t level, struct block **out,
			   struct error *err)
{
	return transaction_place_block(tx, source, level, out, err) &&
	       add_pending(tx, (struct pending){ .kind = PENDING_NEW, .logical = (*out)->logical, .owner = source->node.owner, .block = *out, .level = level }, err);
}

bool transaction_place(struct transaction *tx, uint64_t logical, uint64_t length, struct error *err)
{
	assert(!tx->settled);
	return add_pending(tx, (struct pending){ .kind = PENDING_PLACE, .logical = logical, .length = length }, err);
}

bool transaction_lose(struct transaction *tx, uint64_t logical, uint8_t level, uint64_t owner, uint32_t n_refs, struct error *err)
{
	assert(!tx->settled);
	if (!ARRAY_ROOM(tx->freed, tx->n_freed, tx->freed_room, err) || !ARRAY_ROOM(tx->dead.block, tx->dead.n, tx->dead.room, err))
		return false;

	struct block *block = list_take(&tx->changed, logical);

	if (!block)
		block = list_take(&tx->fresh, logical);
	if (block)
		tx->dead.block[tx->dead.n++] = block;
	tx->freed[tx->n_freed++] = logical;
	return add_pending(tx, (struct pending){ .kind = PENDING_FREE, .logical = logical, .owner = owner, .level = level, .n_refs = n_refs }, err);
}

bool transaction_lose_block(struct transaction *tx, struct block *block, uint64_t owner, struct error *err)
{
	return transaction_lose(tx, block->logical, block->node.level, owner, 0, err);
}

/* --- roots --------------------------------------------------------------------------- */

bool transaction_check_tree(uint64_t id, struct error *err)
{
	switch (id) {
	case ROOT_TREE_ID:
	case EXTENT_TREE_ID:
	case CHUNK_TREE_ID:
	case DEV_TREE_ID:
	case CSUM_TREE_ID:
	case FREE_SPACE_TREE_ID:
	case BLOCK_GROUP_TREE_ID:
		return true;
	default:
		return error_set(err, ERROR_REFUSED, "tree %" PRIu64 " may share blocks with other trees: its shape must not change",
				 id);
	}
}

bool transaction_root(struct transaction *tx, uint64_t id, struct known_root **out, struct error *err)
{
	struct tree tree;
	struct key item;

	for (size_t i = 0; i < tx->n_roots; i++) {
		if (tx->root[i].id == id) {
			*out = &tx->root[i];
			return true;
		}
	}
	if (!tree_open_root(tx->volume, id, &tree, NULL, &item, err))
		return false;

	const struct block_expect expect = { .level = tree.level, .generation = tree.generation };
	struct block *block;

	if (!block_get(tx->volume, tree.logical, &expect, &block, err))
		return error_prefix(err, "tree %" PRIu64, id);
	block_put(block);

	if (tx->n_roots == KNOWN_ROOTS_MAX)
		return error_set(err, ERROR_REFUSED, "tree %" PRIu64 ": one transaction edits at most %u trees", id, KNOWN_ROOTS_MAX);

	struct known_root *root = &tx->root[tx->n_roots++];

	*root = (struct known_root){ .id = id, .logical = tree.logical, .item = item };
	*out = root;
	return true;
}

bool transaction_set_root_level(struct transaction *tx, uint64_t id, uint8_t old_level, uint8_t level, struct error *err)
{
	struct superblock *super = &tx->volume->super;
	struct known_root *root;

	if (!transaction_root(tx, id, &root, err))
		return false;
	if (id == ROOT_TREE_ID)
		superblock_set_root_level(super, level);
	else if (id == CHUNK_TREE_ID)
		superblock_set_chunk_root_level(super, level);
	return add_pending(tx, (struct pending){ .kind = PENDING_LEVEL, .logical = root->logical, .owner = id, .level = old_level, .new_level = level }, err);
}

/* --- what it contains --------------------------------------------------------------------------- */

size_t transaction_n_blocks(const struct transaction *tx)
{
	return tx->changed.n + tx->fresh.n;
}

size_t transaction_n_changed(const struct transaction *tx)
{
	return tx->changed.n;
}

struct block *transaction_changed(const struct transaction *tx, size_t i)
{
	return tx->changed.block[i];
}

size_t transaction_n_new(const struct transaction *tx)
{
	return tx->fresh.n;
}

struct block *transaction_new(const struct transaction *tx, size_t i)
{
	return tx->fresh.block[i];
}

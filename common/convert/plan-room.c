/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Counts the tree blocks that a plan takes. */
#include "common/convert/plan-room.h"

#include <inttypes.h>

#include "common/convert/bad-blocks.h"
#include "common/convert/index.h"
#include "common/sealed/pack.h"
#include "common/tree/chunk-alloc.h"

#define CHUNK_LEAST (8u << 20)	/* the shortest chunks that are added, if the device has room for longer ones */

static uint64_t blocks_for(uint64_t bytes, uint64_t per_block)
{
	return (bytes + per_block - 1) / per_block;
}

/* Each block takes an extent item and may split a free range: at worst in half full leaves, and so on upward. */
static uint64_t blocks_with_extents(uint64_t n_blocks, uint64_t leaf)
{
	const uint64_t item = 2 * sizeof(struct disk_item) + sizeof(struct disk_extent_item) + 9;

	for (uint64_t more = n_blocks; more > 1; n_blocks += more)
		more = blocks_for(more * item, leaf / 2);
	return n_blocks;
}

/*
 * The tree blocks that the crypt items of this plan take, with what the extent and free space trees need to count them. If damage is
 * carried over or skipped, this includes as many bad-block items as there can be, because nobody knows beforehand how much damage there is.
 */
static uint64_t blocks_needed(const struct conversion *c, const struct encrypt_plan *plan)
{
	const uint32_t node_size = c->volume->super.node_size;
	const uint64_t leaf = node_size - sizeof(struct disk_header), pointers = leaf / sizeof(struct disk_key_ptr);
	const uint64_t item_max = crypt_item_max(node_size), items_per_leaf = leaf / (item_max + sizeof(struct disk_item));
	struct unit_packer packer = { .scan = c->scan, .item_max = (uint32_t)item_max };
	uint64_t n_items = 0, n_blocks, more;
	uint32_t len;
	unsigned n_units;

	while (!c->old.schedule && unit_pack_next(&packer, CIPHER_AES_256_GCM, NULL, &len, &n_units))
		n_items++;
	if (c->old.schedule)	/* cut as the old ones */
		n_items = c->header.n_unit_items;
	/* Copies have other addresses, in whose order units are packed: each item may be filled a little less. */
	if (c->copy)
		n_items += n_items / 8 + 2;
	c->plan->n_unit_items = n_items;
	n_items += blocks_for(plan->survey.n_inline_units, inline_units_per_item(node_size)) +
		   blocks_for(plan->survey.n_index_most, index_entries_per_item(node_size)) +
		   bad_block_items(c, c->old.n_bad) + (damage_carries(c) || damage_skips(c) ? bad_block_items(c, c->scan->data_bytes / CRYPT_BLOCK) : 0);
	/* Leaves and the small items, then the nodes above them. */
	n_blocks = blocks_for(n_items, items_per_leaf) +
		   blocks_for((c->n_members + CRYPT_SLOTS_MAX + 4) * (CRYPT_MEMBER_MAX + sizeof(struct disk_item)) +
			      c->n_flags * sizeof(struct disk_crypt_inode_flags), leaf / 2) + 4;
	for (more = n_blocks; more > 1; n_blocks += more)
		more = blocks_for(more, pointers / 2);
	return blocks_with_extents(n_blocks, leaf) + 16;
}

/* Extents leave less than a whole one free at the end of a chunk, and before a superblock. */
static uint64_t data_wanted(const struct copy_plan *copy)
{
	uint64_t longest = 0;

	if (!copy || copy->data_missing == 0)
		return 0;
	for (size_t i = 0; i < copy->n_extents; i++)
		longest = copy->extent[i].length > longest ? copy->extent[i].length : longest;
	return copy->data_missing + longest * (SUPER_COPIES + 1 + copy->data_missing / CHUNK_LEAST);
}

/* Plans new chunks for the bytes that the block groups lack. */
static bool plan_chunks(struct conversion *c, uint64_t bytes, uint64_t *usable, struct error *err)
{
	const struct chunk_want want = { bytes, data_wanted(c->copy) };
	cleanup_chunk_plan struct chunk_plan chunks = { 0 };

	if (!chunk_plan_make_for(c->volume, c->allocator, &want, &chunks, err))
		return false;
	*usable = chunks.usable;
	if (chunks.usable < bytes)
		return true;
	if (chunks.usable_data < want.data)
		return error_set(err, ERROR_NO_SPACE, "data: copies of %" PRIu64 " bytes are needed; %" PRIu64 " of them fit into no free range, and new "
				 "chunks, which must have %" PRIu64 " bytes for them, could hold %" PRIu64, c->copy->data_bytes, c->copy->data_missing,
				 want.data, chunks.usable_data) && error_hint(err, MAKE_ROOM);
	c->plan->metadata_missing = bytes;
	c->plan->data_missing = want.data;
	c->plan->n_new_chunks = chunks.n;
	c->plan->new_chunk_bytes = chunks.length;
	return chunk_alloc_check(c->volume, c->allocator, &chunks, err);
}

bool plan_check_space(struct conversion *c, const struct encrypt_plan *plan, struct error *err)
{
	const uint32_t node_size = c->volume->super.node_size;
	const uint64_t needed = (blocks_needed(c, plan) + (c->copy ? c->copy->n_new_blocks : 0)) * node_size;
	const uint64_t free_bytes = (c->copy ? c->copy->n_free_blocks : allocator_n_free_blocks(c->allocator)) * node_size;
	uint64_t reserve, more;

	if (!allocator_global_reserve(c->volume, &reserve, err))
		return false;
	c->plan->metadata_needed = needed;
	c->plan->metadata_available = free_bytes > reserve ? free_bytes - reserve : 0;
	const uint64_t missing = needed <= c->plan->metadata_available ? 0 : needed + reserve - free_bytes;

	if (missing == 0 && data_wanted(c->copy) == 0)
		return true;
	if (!plan_chunks(c, missing, &more, err))
		return false;
	if (c->plan->n_new_chunks > 0)
		return true;
	error_set(err, ERROR_NO_SPACE, "metadata: %" PRIu64 " bytes needed, %" PRIu64 " available (%" PRIu64 " free, %" PRIu64
		  " are the kernel's reserve), new chunks could hold %" PRIu64 " of the %" PRIu64 " that are missing", needed,
		  c->plan->metadata_available, free_bytes, reserve, more, needed + reserve - free_bytes);
	if (!damage_carries(c) && !damage_skips(c))
		return error_hint(err, MAKE_ROOM);
	return error_hint(err, MAKE_ROOM "; without %s%s%s less is needed, because no damaged blocks have to be recorded",
			  damage_carries(c) ? "--on-error=continue" : "", damage_carries(c) && damage_skips(c) ? " and " : "",
			  damage_skips(c) ? "--skip-damaged" : "");
}

bool plan_check_bad_blocks(struct conversion *c, uint64_t n_more, struct error *err)
{
	const uint32_t node_size = c->volume->super.node_size;
	const uint64_t leaf = node_size - sizeof(struct disk_header), n_free = allocator_n_free_blocks(c->allocator);
	const uint64_t n_items = bad_block_items(c, c->bad.n_stored + n_more) - bad_block_items(c, c->bad.n_stored);
	uint64_t n_blocks = 2 * n_items + 2 * LEVEL_MAX, more;	/* half full leaves, and splits on the way there */

	if (n_more == 0)
		return true;
	for (more = n_blocks; more > 1; n_blocks += more)
		more = blocks_for(more, leaf / sizeof(struct disk_key_ptr) / 2);
	n_blocks = blocks_with_extents(n_blocks, leaf);
	if (n_blocks <= n_free)
		return true;
	error_set(err, ERROR_NO_SPACE, "metadata: up to %" PRIu64 " bytes needed to note %" PRIu64 " damaged blocks, %" PRIu64 " free",
		  n_blocks * node_size, n_more, n_free * node_size);
	return !volume_is_unfinished(c->volume) && error_hint(err, MAKE_ROOM);
}

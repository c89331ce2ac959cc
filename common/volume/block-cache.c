/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The cache of tree blocks. A block is on the idle list exactly while it is clean and nobody holds it. */
#include "common/volume/block-cache.h"

#include <assert.h>
#include <stdlib.h>

#include "common/crypto/secret.h"

#define N_BUCKETS (1u << 14)

struct block_cache {
	struct block *bucket[N_BUCKETS];
	struct block *oldest, *newest;
	uint64_t idle_bytes;
};

bool block_cache_new(struct block_cache **cache, struct error *err)
{
	*cache = calloc(1, sizeof(**cache));
	return *cache || error_memory(err);
}

void block_cache_free(struct block_cache *cache)
{
	if (!cache)
		return;
	for (size_t i = 0; i < N_BUCKETS; i++)
		while (cache->bucket[i]) {
			struct block *block = cache->bucket[i];

			cache->bucket[i] = block->hash_next;
			block_free(block);
		}
	free(cache);
}

struct block *block_alloc(struct volume *volume, uint64_t logical)
{
	struct block *block = calloc(1, sizeof(*block));

	if (!block)
		return NULL;
	block->bytes = calloc(1, volume->super.node_size);
	if (!block->bytes) {
		free(block);
		return NULL;
	}
	block->logical = logical;
	block->volume = volume;
	block->n_refs = 1;
	return block;
}

/*
 * Leaves of a sealed subvolume hold plain text while they change between sealed and plain. All blocks are
 * wiped, so nobody has to know which ones hold it.
 */
void block_free(struct block *block)
{
	if (block)
		wiped_free(block->bytes, block->volume->super.node_size);
	free(block);
}

/* The multiplier spreads addresses that differ in only a few bits over all buckets. */
static size_t bucket_of(uint64_t logical)
{
	return (size_t)((logical >> 12) * 0x9e3779b97f4a7c15u >> (64 - 14));
}

struct block *block_cache_find(const struct block_cache *cache, uint64_t logical)
{
	struct block *block = cache->bucket[bucket_of(logical)];

	while (block && block->logical != logical)
		block = block->hash_next;
	return block;
}

void block_cache_add(struct block_cache *cache, struct block *block)
{
	struct block **bucket = &cache->bucket[bucket_of(block->logical)];

	block->hash_next = *bucket;
	*bucket = block;
}

static bool is_idle(const struct block *block)
{
	return block->n_refs == 0 && !block->changed;
}

static void leave_idle(struct block *block)
{
	struct block_cache *cache = block->volume->cache;

	*(block->older ? &block->older->newer : &cache->oldest) = block->newer;
	*(block->newer ? &block->newer->older : &cache->newest) = block->older;
	block->older = block->newer = NULL;
	cache->idle_bytes -= block->volume->super.node_size;
}

static void discard(struct block *block)
{
	struct block **at = &block->volume->cache->bucket[bucket_of(block->logical)];

	if (is_idle(block))
		leave_idle(block);
	while (*at != block)
		at = &(*at)->hash_next;
	*at = block->hash_next;
	block_free(block);
}

static void enter_idle(struct block *block)
{
	struct block_cache *cache = block->volume->cache;

	block->older = cache->newest;
	block->newer = NULL;
	*(cache->newest ? &cache->newest->newer : &cache->oldest) = block;
	cache->newest = block;
	cache->idle_bytes += block->volume->super.node_size;
	while (cache->idle_bytes > BLOCK_CACHE_IDLE_MAX)
		discard(cache->oldest);
}

struct block *block_hold(struct block *block)
{
	if (is_idle(block))
		leave_idle(block);
	block->n_refs++;
	return block;
}

void block_put(struct block *block)
{
	if (!block)
		return;
	assert(block->n_refs > 0);
	block->n_refs--;
	if (block->is_salvaged && block->n_refs == 0)
		block_free(block);
	else if (is_idle(block))
		enter_idle(block);
}

void block_set_changed(struct block *block, bool changed)
{
	const bool was_idle = is_idle(block);

	block->changed = changed;
	if (!changed)
		block->is_new = false;
	if (was_idle && !is_idle(block))
		leave_idle(block);
	else if (!was_idle && is_idle(block))
		enter_idle(block);
}

void block_cache_drop_idle(struct volume *volume)
{
	while (volume->cache->oldest)
		discard(volume->cache->oldest);
}

void block_cache_drop_all(struct volume *volume)
{
	struct block_cache *cache = volume->cache;

	block_cache_drop_idle(volume);
	for (size_t i = 0; i < N_BUCKETS; i++) {
		struct block *next;

		for (struct block *block = cache->bucket[i]; block; block = next) {
			next = block->hash_next;
			if (block->n_refs == 0)
				discard(block);
		}
	}
}

void block_cache_forget(struct volume *volume, uint64_t logical)
{
	struct block *block = block_cache_find(volume->cache, logical);

	if (block && block->n_refs == 0)
		discard(block);
}

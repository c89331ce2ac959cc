/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Stores cached blocks: a hash table of all, and a list by age of those that may be dropped. */
#ifndef COMMON_VOLUME_BLOCK_CACHE_H
#define COMMON_VOLUME_BLOCK_CACHE_H

#include "common/volume/block.h"

/* The most bytes of clean blocks that nobody holds. */
#define BLOCK_CACHE_IDLE_MAX (64u << 20)

struct block *block_cache_find(const struct block_cache *cache, uint64_t logical);

/* Allocates a block that is not in the cache yet, all zero except logical and volume, held once. */
struct block *block_alloc(struct volume *volume, uint64_t logical);
void block_free(struct block *block);

void block_cache_add(struct block_cache *cache, struct block *block);

#endif /* COMMON_VOLUME_BLOCK_CACHE_H */

/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Reads tree blocks: from the mirrors on the device to checked nodes. */
#include "common/volume/block.h"

#include <inttypes.h>
#include <stdlib.h>

#include "common/crypto/secret.h"
#include "common/util/lower-bound.h"
#include "common/volume/block-cache.h"
#include "common/volume/csum.h"
#include "common/volume/devices.h"
#include "common/volume/mirror.h"
#include "common/volume/warn.h"

#define corrupt(where, format, ...) \
	error_set(err, ERROR_CORRUPT, "tree block at %#" PRIx64 ": " format, (uint64_t)(where), __VA_ARGS__)

const struct key *node_bound(const struct node *node, uint32_t slot, const struct key *below, struct key *bound)
{
	if (slot + 1 >= node->n_items)
		return below;
	*bound = node_key(node, slot + 1);
	return bound;
}

/* Checks that the bytes of one mirror are the block of this filesystem that belongs at logical. */
static bool check_bytes(const struct volume *volume, const uint8_t *bytes, uint64_t logical, struct node *node,
			struct error *err)
{
	const struct superblock *super = &volume->super;

	if (!csum_block_matches(super->csum_type, bytes, super->node_size))
		return corrupt(logical, "the %s checksum does not match", csum_type_name(super->csum_type));
	if (!node_read(bytes, super->node_size, logical, node, err))
		return false;
	if (!volume_has_fsid(volume, node->fsid))
		return corrupt(logical, "%s", "its fsid is that of another filesystem");
	return true;
}

static bool check_expected(const struct node *node, const struct block_expect *expect, struct error *err)
{
	char have[KEY_TEXT_SIZE], want[KEY_TEXT_SIZE];

	if (!expect)
		return true;
	if (expect->level >= 0 && node->level != expect->level)
		return corrupt(node->logical, "level is %u, %d was expected", node->level, expect->level);
	if (expect->generation && node->generation != expect->generation)
		return corrupt(node->logical, "generation is %" PRIu64 ", %" PRIu64 " was expected", node->generation,
			       expect->generation);
	if (!expect->first)
		return true;
	if (node->n_items == 0)
		return corrupt(node->logical, "nritems is 0, first key %s was expected", key_text(expect->first, want));

	const struct key first = node_key(node, 0);

	if (key_compare(&first, expect->first) != 0)
		return corrupt(node->logical, "first key is %s, %s was expected", key_text(&first, have),
			       key_text(expect->first, want));
	return true;
}

/* Reads one mirror into block. */
static bool read_mirror(struct block *block, unsigned mirror, const struct block_expect *expect, struct error *err)
{
	struct volume *volume = block->volume;

	if (!volume_read(volume, block->logical, block->bytes, volume->super.node_size, mirror, err))
		return err->kind == ERROR_IO && error_prefix(err, "tree block at %#" PRIx64, block->logical);
	return check_bytes(volume, block->bytes, block->logical, &block->node, err) &&
	       check_expected(&block->node, expect, err);
}

static unsigned chosen_mirror(const struct volume *volume, uint64_t logical)
{
	const struct mirror_choice *const choice = volume->choice;
	const size_t found = LOWER_BOUND(i, volume->n_choices, choice[i].logical < logical);

	return found < volume->n_choices && choice[found].logical == logical ? choice[found].mirror : 0;
}

/*
 * Reads the first mirror that is right. If none is, the error is that of the first mirror that exists: the others are rarely wrong in another
 * way. A missing device was already reported when the volume was opened.
 */
static bool read_any_mirror(struct block *block, const struct block_expect *expect, struct error *err)
{
	struct volume *volume = block->volume;
	const struct chunk *chunk;
	bool is_first = true, is_there = false;
	unsigned n_bad = 0;
	struct error bad;

	if (!volume_chunk(volume, block->logical, &chunk, err))
		return error_prefix(err, "tree block at %#" PRIx64, block->logical);

	const unsigned n_mirrors = chunk_n_mirrors(chunk), first = chosen_mirror(volume, block->logical);

	for (unsigned i = 0; i < n_mirrors; i++) {
		const unsigned mirror = (first + i) % n_mirrors;
		char place[MIRROR_TEXT_SIZE];

		if (read_mirror(block, mirror, expect, &bad)) {
			if (is_there)
				volume_warn_at(volume, block->logical, volume->super.node_size, "%s; mirror %u is right and is used", err->text,
					       mirror + 1);
			return true;
		}

		const bool is_missing = !volume_has_mirror(volume, block->logical, volume->super.node_size, mirror);

		n_bad += !is_missing;
		if (!is_first && (is_there || is_missing))
			continue;
		is_first = false;
		is_there = !is_missing;
		*err = bad;
		if (n_mirrors > 1)
			error_prefix(err, "mirror %u of %u (%s)", mirror + 1, n_mirrors,
				     volume_mirror_text(volume, block->logical, mirror, place));
	}
	/* If the block spans two stripes, each may come from another mirror. */
	if (volume_read_any(volume, block->logical, block->bytes, volume->super.node_size, &bad) &&
	    check_bytes(volume, block->bytes, block->logical, &block->node, &bad) && check_expected(&block->node, expect, &bad))
		return true;
	error_at(err, block->logical, volume->super.node_size);
	return n_bad > 1 && error_prefix(err, "none of %u mirrors is right", n_bad);
}

static bool give_salvaged(struct volume *volume, uint64_t logical, const struct block_expect *expect, struct block **block,
			  struct error *err)
{
	struct block *made = block_alloc(volume, logical);

	if (!made)
		return error_memory(err);
	if (!block_salvage(made, expect, err)) {
		block_free(made);
		return false;
	}
	*block = made;
	return true;
}

bool block_get(struct volume *volume, uint64_t logical, const struct block_expect *expect, struct block **block,
	       struct error *err)
{
	struct block *found = block_cache_find(volume->cache, logical);

	if (found) {
		if (!check_expected(&found->node, expect, err))
			return give_salvaged(volume, logical, expect, block, err);
		*block = block_hold(found);
		return true;
	}
	found = block_alloc(volume, logical);
	if (!found)
		return error_memory(err);
	if (!read_any_mirror(found, expect, err)) {
		block_free(found);
		return give_salvaged(volume, logical, expect, block, err);
	}
	block_cache_add(volume->cache, found);
	*block = found;
	return true;
}

bool block_child(const struct block *parent, uint32_t slot, const struct key *below, struct block **child,
		 struct error *err)
{
	const struct node *node = &parent->node;
	const struct key first = node_key(node, slot);
	struct key bound;
	const struct block_expect expect = {
		.level = node->level - 1,
		.generation = node_child_generation(node, slot),
		.first = &first,
		.below = node_bound(node, slot, below, &bound),
	};
	const uint64_t logical = node_child(node, slot);
	char have[KEY_TEXT_SIZE], want[KEY_TEXT_SIZE];

	if (!block_get(parent->volume, logical, &expect, child, err))
		return error_prefix(err, "slot %" PRIu32 " of tree block at %#" PRIx64, slot, parent->logical);
	if (!expect.below)
		return true;

	const struct key last = node_key(&(*child)->node, (*child)->node.n_items - 1);

	if (key_compare(&last, expect.below) < 0)
		return true;
	block_put(*child);
	*child = NULL;
	corrupt(logical, "last key is %s, its neighbour begins with %s", key_text(&last, have), key_text(expect.below, want));
	return give_salvaged(parent->volume, logical, &expect, child, err);
}

bool block_mirror_read(struct volume *volume, uint64_t logical, unsigned mirror, uint8_t *bytes, struct node *node, struct error *err)
{
	return volume_read_medium(volume, logical, bytes, volume->super.node_size, mirror, err) && check_bytes(volume, bytes, logical, node, err);
}

bool block_verify_mirrors(struct volume *volume, uint64_t logical, struct error *err)
{
	const uint32_t size = volume->super.node_size;
	const struct chunk *chunk;
	struct node node;
	unsigned first = 0;
	bool ok = true;

	if (!volume_chunk(volume, logical, &chunk, err))
		return error_prefix(err, "tree block at %#" PRIx64, logical);

	const unsigned n_mirrors = chunk_n_mirrors(chunk);
	uint8_t *bytes = malloc(2 * (size_t)size);

	if (!bytes)
		return error_memory(err);
	for (unsigned mirror = 0; ok && mirror < n_mirrors; mirror++) {
		uint8_t *to = !first ? bytes : bytes + size;

		if (!volume_has_mirror(volume, logical, size, mirror))
			continue;
		/* From the fourth way on, parity adds nothing new. */
		if (first && mirror >= 3 && chunk->type & GROUP_RAID6)
			break;
		ok = block_mirror_read(volume, logical, mirror, to, &node, err);
		if (ok && memcmp(bytes, to, size) != 0)
			ok = corrupt(logical, "it differs from mirror %u", first);
		if (!ok)
			error_prefix(err, "mirror %u of %u", mirror + 1, n_mirrors);
		first = first ? first : mirror + 1;
	}
	if (ok && !first)
		ok = corrupt(logical, "all of its %u mirrors are on missing devices", n_mirrors);
	wiped_free(bytes, 2 * (size_t)size);
	return ok;
}

bool block_refresh(struct block *block, struct error *err)
{
	return node_read(block->bytes, block->volume->super.node_size, block->logical, &block->node, err);
}

bool block_new(struct volume *volume, uint64_t logical, struct block **block, struct error *err)
{
	block_cache_forget(volume, logical);
	if (block_cache_find(volume->cache, logical))
		return error_set(err, ERROR_CORRUPT, "tree block %" PRIu64 ": to be allocated, but in use", logical);

	struct block *made = block_alloc(volume, logical);

	if (!made)
		return error_memory(err);
	made->node = (struct node){ .bytes = made->bytes, .size = volume->super.node_size, .logical = logical };
	made->changed = made->is_new = true;
	block_cache_add(volume->cache, made);
	*block = made;
	return true;
}

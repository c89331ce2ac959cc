/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Finds other places where the chunk tree and the root tree may be. */
#include "common/volume/fallback.h"

#include <inttypes.h>
#include <stdlib.h>

#include "common/volume/block.h"
#include "common/volume/chunk-map.h"
#include "common/volume/device-extents.h"
#include "common/volume/chunk-tree.h"

#define PLACES_MAX (SUPER_COPIES * (SUPER_BACKUPS + 1))
#define SCANNED_MAX (64u << 20)		/* bytes of system chunks; one is at most 32 MiB */
#define FOUND_CHUNKS_MAX (1u << 15)	/* limited, as they come in any order and each is inserted among the others */

struct root_place {
	uint64_t logical, generation;
	uint8_t level;
};

struct root_places {
	struct root_place at[PLACES_MAX];
	size_t n;
};

/* Adds a place, newest first. Impossible places are left out. */
static void add_place(const struct volume *volume, struct root_places *places, uint64_t logical, uint64_t generation, uint8_t level)
{
	size_t i = places->n;

	if (logical == 0 || logical % volume->super.sector_size != 0 || level >= LEVEL_MAX || places->n == PLACES_MAX)
		return;
	for (size_t k = 0; k < places->n; k++)
		if (places->at[k].logical == logical && places->at[k].generation == generation)
			return;
	for (; i > 0 && places->at[i - 1].generation < generation; i--)
		places->at[i] = places->at[i - 1];
	places->at[i] = (struct root_place){ logical, generation, level };
	places->n++;
}

static void find_places(const struct volume *volume, struct root_places *chunks, struct root_places *roots)
{
	for (unsigned n = 0; n < volume->n_copies; n++) {
		const struct super_copy *copy = &volume->copy[n];
		const struct superblock *super = &copy->super;

		if (!copy->exists || !copy->valid)
			continue;
		add_place(volume, chunks, super->chunk_root, super->chunk_root_generation, super->chunk_root_level);
		add_place(volume, roots, super->root, super->generation, super->root_level);
		for (unsigned i = 0; i < SUPER_BACKUPS; i++) {
			const struct disk_root_backup *backup = &super->disk.backup[i];

			add_place(volume, chunks, le64(backup->chunk_root), le64(backup->chunk_root_gen), backup->chunk_root_level);
			add_place(volume, roots, le64(backup->tree_root), le64(backup->tree_root_gen), backup->tree_root_level);
		}
	}
}

/* --- the chunk tree -------------------------------------------------------------------------------------------- */

static void use_chunk_root(struct volume *volume, const struct root_place *place)
{
	block_cache_drop_all(volume);
	chunk_map_truncate(volume, 0);
	volume->super.chunk_root = place->logical;
	volume->super.chunk_root_generation = place->generation;
	volume->super.chunk_root_level = place->level;
}

static bool is_chunk_leaf(struct volume *volume, uint64_t logical, struct block **block)
{
	const struct block_expect expect = { .level = 0 };
	struct error ignored = { 0 };

	if (!block_get(volume, logical, &expect, block, &ignored))
		return false;
	if ((*block)->node.owner == CHUNK_TREE_ID)
		return true;
	block_put(*block);
	return false;
}

static int compare_places(const void *a, const void *b)
{
	const struct root_place *x = a, *y = b;

	return x->generation < y->generation ? 1 : x->generation > y->generation ? -1 : x->logical < y->logical ? -1 : x->logical > y->logical;
}

/*
 * Trees are copied when they change, so old leaves stay until something overwrites them. The newest leaves
 * are read first, and older ones fill the gaps.
 */
static bool scan_system_chunks(struct volume *volume, struct error *err)
{
	const uint32_t node_size = volume->super.node_size;
	const size_t n_system = volume->n_chunks;
	struct root_place *found = malloc((SCANNED_MAX / node_size + 1) * sizeof(*found));
	size_t n = 0, n_scanned = 0;
	bool ok = found || error_memory(err);

	volume->tolerance.is_tolerant = false;
	for (size_t i = 0; ok && i < n_system; i++) {
		const struct chunk chunk = volume->chunks[i];

		for (uint64_t at = 0; at + node_size <= chunk.length && n_scanned < SCANNED_MAX; at += node_size, n_scanned += node_size) {
			struct block *block;

			if (!is_chunk_leaf(volume, chunk.logical + at, &block))
				continue;
			found[n++] = (struct root_place){ .logical = block->logical, .generation = block->node.generation };
			block_put(block);
		}
	}
	volume->tolerance.is_tolerant = true;
	if (ok)
		qsort(found, n, sizeof(*found), compare_places);
	for (size_t i = 0; ok && i < n; i++) {
		struct block *block;

		if (volume->n_chunks > FOUND_CHUNKS_MAX) {
			volume_invalid(volume, "more than %u chunks were found; older leaves of the chunk tree are not used", FOUND_CHUNKS_MAX);
			break;
		}
		if (!is_chunk_leaf(volume, found[i].logical, &block))
			continue;
		volume_invalid(volume, "a leaf of the chunk tree, of generation %" PRIu64 ", found at %#" PRIx64 ", is used",
			found[i].generation,
			       found[i].logical);
		ok = chunk_leaf_read(volume, &block->node, err);
		block_put(block);
	}
	free(found);
	return ok;
}

static bool read_what_is_left(struct volume *volume, struct error *err)
{
	if (chunk_tree_read(volume, err))
		return true;
	if (!volume_tolerates(volume, err))
		return false;
	block_cache_drop_all(volume);
	chunk_map_truncate(volume, 0);
	return chunk_array_read(volume, err) && scan_system_chunks(volume, err) &&
	       (device_extents_check(volume, err) || volume_tolerates(volume, err));
}

static bool read_chunks(struct volume *volume, const struct root_places *places, struct error *err)
{
	const struct superblock *super = &volume->super;
	const struct root_place first = { super->chunk_root, super->chunk_root_generation, super->chunk_root_level };
	struct error what = { 0 };

	/* Anything right is better than something newer that is wrong. */
	volume->tolerance.is_tolerant = false;

	bool ok = chunk_tree_read(volume, &what);

	for (size_t i = 0; !ok && error_is_damage(&what) && i < places->n; i++) {
		struct error other = { 0 };

		if (places->at[i].logical == first.logical)
			continue;
		use_chunk_root(volume, &places->at[i]);
		ok = chunk_tree_read(volume, &other);
		if (!ok && !error_is_damage(&other))
			what = other;
	}
	volume->tolerance.is_tolerant = true;
	if (ok && super->chunk_root != first.logical)
		volume_invalid(volume, "%s; the chunk tree of generation %" PRIu64 " at %#" PRIx64 " is used", what.text, super->chunk_root_generation,
			       super->chunk_root);
	if (ok)
		return true;
	if (!error_is_damage(&what))
		return *err = what, false;
	use_chunk_root(volume, &first);
	return read_what_is_left(volume, err);
}

/* --- the tree of roots ------------------------------------------------------------------------------------------- */

static bool is_root(struct volume *volume, const struct root_place *place, struct error *err)
{
	const struct block_expect expect = { .level = place->level, .generation = place->generation };
	cleanup_block struct block *block = NULL;

	return block_get(volume, place->logical, &expect, &block, err);
}

static bool choose_root(struct volume *volume, const struct root_places *places, struct error *err)
{
	struct superblock *super = &volume->super;
	const struct root_place first = { super->root, super->generation, super->root_level };
	struct error what = { 0 }, other = { 0 };
	size_t i = 0;

	volume->tolerance.is_tolerant = false;

	bool ok = is_root(volume, &first, &what);

	for (; !ok && error_is_damage(&what) && i < places->n; i++)
		ok = is_root(volume, &places->at[i], &other);
	volume->tolerance.is_tolerant = true;
	if (ok && i > 0) {
		const struct root_place *place = &places->at[i - 1];

		volume_invalid(volume, "the root tree: %s; that of generation %" PRIu64 " at %#" PRIx64 " is used", what.text, place->generation,
			       place->logical);
		super->root = place->logical;
		super->generation = place->generation;
		super->root_level = place->level;
		super->log_root = 0;
	}
	/* If none is right, the first one is used as far as possible. */
	return ok || error_is_damage(&what) || (*err = what, false);
}

bool fallback_read(struct volume *volume, bool chunks_only, struct error *err)
{
	struct root_places chunks = { 0 }, roots = { 0 };

	find_places(volume, &chunks, &roots);
	return read_chunks(volume, &chunks, err) && (chunks_only || choose_root(volume, &roots, err));
}

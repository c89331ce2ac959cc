/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Salvages tree blocks that are wanted although no mirror is right. */
#include <inttypes.h>
#include <stdlib.h>

#include "common/volume/block-cache.h"
#include "common/volume/csum.h"
#include "common/volume/devices.h"
#include "common/volume/mirror.h"
#include "format/node-salvage.h"

/* Is this a block of this filesystem, by its address or fsid? If it is intact, it must also have the wanted level. */
static bool is_plausible(const struct block *block, int level)
{
	const struct superblock *super = &block->volume->super;
	struct disk_header header;

	memcpy(&header, block->bytes, sizeof(header));
	if (le64(header.bytenr) != block->logical && !volume_has_fsid(block->volume, header.fsid))
		return false;
	return level < 0 || header.level == level || !csum_block_matches(super->csum_type, block->bytes, super->node_size);
}

/* Rebuilds the block from one mirror. *n_claimed: the number of items that it claims to have. */
static bool rebuild(struct block *block, unsigned mirror, const struct block_expect *expect, uint32_t *n_claimed, struct error *err)
{
	struct volume *volume = block->volume;
	const int level = expect ? expect->level : -1;

	if (!volume_read(volume, block->logical, block->bytes, volume->super.node_size, mirror, err))
		return false;
	if (!is_plausible(block, level))
		return error_set(err, ERROR_CORRUPT, "it is not a block of this tree");

	const struct node_limits limits = {
		.level = level < 0 ? block->bytes[offsetof(struct disk_header, level)] : (uint8_t)level,
		.first = expect ? expect->first : NULL,
		.below = expect ? expect->below : NULL,
	};

	if (limits.level >= LEVEL_MAX)
		return error_set(err, ERROR_CORRUPT, "level is %u, not 0 to %u", limits.level, LEVEL_MAX - 1);
	return node_rebuild(block->bytes, volume->super.node_size, block->logical, &limits, &block->node, n_claimed, err);
}

bool block_salvage(struct block *block, const struct block_expect *expect, struct error *err)
{
	struct volume *volume = block->volume;
	uint32_t n_best = 0, n_claimed = 0;
	unsigned best = 0;
	const struct chunk *chunk;
	struct error what = { 0 };

	if (!volume->tolerance.is_tolerant || !error_is_damage(err) || !volume_chunk(volume, block->logical, &chunk, &what))
		return false;

	const unsigned n_mirrors = chunk_n_mirrors(chunk);

	for (unsigned mirror = 0; mirror < n_mirrors; mirror++) {
		if (!rebuild(block, mirror, expect, &n_claimed, &what)) {
			if (what.kind == ERROR_MEMORY)
				return *err = what, false;
		} else if (block->node.n_items > n_best) {
			n_best = block->node.n_items;
			best = mirror;
		}
	}
	if (n_best == 0 || !rebuild(block, best, expect, &n_claimed, &what))
		return false;
	block->is_salvaged = true;
	if (n_claimed == n_best)
		volume_invalid(volume, "%s; it is used anyway", err->text);
	else
		volume_invalid(volume, "%s; %" PRIu32 " of %" PRIu32 " %s in it are used anyway", err->text, n_best, n_claimed,
			       node_is_leaf(&block->node) ? "items" : "pointers");
	*err = (struct error){ 0 };
	return true;
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Phase FINISH: what was written is read back, what was freed is wiped, the superblocks are cleared. */
#include <inttypes.h>
#include <stdlib.h>

#include "common/convert/conversion.h"

#define WIPE_PIECE (1u << 20)

/* --- reading back -------------------------------------------------------------------------------- */

/* Every mirror of a block is right; a bad one beside a good one is written again, as a scrub would. */
static bool check_block(struct volume *volume, uint64_t logical, struct error *err)
{
	cleanup_block struct block *block = NULL;
	struct error bad;

	if (block_verify_mirrors(volume, logical, &bad))
		return true;
	block_cache_forget(volume, logical);
	return block_get(volume, logical, NULL, &block, err) &&
	       volume_write(volume, logical, block->bytes, volume->super.node_size, err) &&
	       block_verify_mirrors(volume, logical, err);
}

static bool check_visit(void *context, struct block *block, bool *descend, struct error *err)
{
	(void)descend;
	return check_block(context, block->logical, err);
}

/* All trees that a conversion writes to. */
static bool read_back(struct conversion *c, struct error *err)
{
	static const uint64_t ids[] = { ROOT_TREE_ID, CHUNK_TREE_ID, EXTENT_TREE_ID, DEV_TREE_ID, CSUM_TREE_ID, FREE_SPACE_TREE_ID,
					BLOCK_GROUP_TREE_ID };
	struct volume *volume = c->volume;

	if (!volume_flush(volume, err))
		return false;
	for (size_t i = 0; i < sizeof(ids) / sizeof(ids[0]); i++) {
		struct tree tree;

		if ((ids[i] == FREE_SPACE_TREE_ID && !(volume->super.compat_ro & COMPAT_RO_FREE_SPACE_TREE)) ||
		    (ids[i] == BLOCK_GROUP_TREE_ID && !(volume->super.compat_ro & COMPAT_RO_BLOCK_GROUP_TREE)))
			continue;
		if (!tree_open(volume, ids[i], &tree, err) || !tree_walk(&tree, check_visit, volume, err))
			return false;
	}
	for (size_t i = 0; c->scan && i < c->scan->n_blocks; i++) {
		if (!check_block(volume, c->scan->block[i].logical, err))
			return false;
	}
	return true;
}

/* --- wiping ------------------------------------------------------------------------------------------ */

static bool all_zero(const uint8_t *bytes, size_t len)
{
	return len == 0 || (bytes[0] == 0 && memcmp(bytes, bytes + 1, len - 1) == 0);
}

struct wiper {
	struct volume *volume;
	uint8_t *piece, *zeros;
};

/* Zeros where there is anything else, on every mirror. */
static bool wipe_range(const struct wiper *wiper, uint64_t logical, uint64_t len, struct error *err)
{
	struct volume *volume = wiper->volume;
	struct device *device = volume->device;
	const struct chunk *chunk;

	if (!volume_chunk(volume, logical, &chunk, err))
		return false;
	for (unsigned mirror = 0; mirror < chunk_n_mirrors(chunk); mirror++) {
		const uint64_t start = chunk_physical(chunk, logical, mirror), end = start + len;

		for (uint64_t at = start; at < end;) {
			const uint64_t data = device->ops->next_data ? device->ops->next_data(device->self, at) : at;

			at = data < end ? data : end;

			const size_t n = end - at < WIPE_PIECE ? (size_t)(end - at) : WIPE_PIECE;

			if (!device_read(device, wiper->piece, n, at, err) ||
			    (!all_zero(wiper->piece, n) && !device_write(device, wiper->zeros, n, at, err)))
				return false;
			at += n;
		}
	}
	return true;
}

/* The same without the stripes that hold superblock copies. */
static bool wipe_free(const struct wiper *wiper, uint64_t logical, uint64_t len, struct error *err)
{
	if (!volume_range_is_reserved(wiper->volume, logical, len))
		return wipe_range(wiper, logical, len, err);
	for (uint64_t at = logical; at < logical + len;) {
		const uint64_t next = (at / SUPER_STRIPE + 1) * SUPER_STRIPE;
		const uint64_t n = (next < logical + len ? next : logical + len) - at;

		if (!volume_range_is_reserved(wiper->volume, at, n) && !wipe_range(wiper, at, n, err))
			return false;
		at += n;
	}
	return true;
}

static bool wipe(struct conversion *c, struct error *err)
{
	struct wiper wiper = { c->volume, malloc(WIPE_PIECE), calloc(1, WIPE_PIECE) };
	struct allocator *allocator = NULL;
	uint64_t unwiped = 0;
	bool ok = false;

	if (!wiper.piece || !wiper.zeros) {
		error_memory(err);
		goto out;
	}
	if (!allocator_open(c->volume, &allocator, err))
		goto out;
	for (size_t i = 0; i < allocator_n_groups(allocator); i++) {
		const struct group *group = allocator_group(allocator, i);

		if (!(group->flags & GROUP_METADATA)) {
			if (group->flags & GROUP_DATA)
				unwiped += group->length - group->used;
			continue;
		}
		for (size_t j = 0; j < group->n_free; j++) {
			const struct free_range *range = &group->free[j];
			const uint64_t keys = le64(c->state.keys.logical), keys_end = keys + le64(c->state.keys.length);
			const uint64_t end = range->logical + range->length;

			/* The copies of the key slots are wiped last of all. */
			if (keys >= range->logical && keys_end <= end) {
				if ((keys > range->logical && !wipe_free(&wiper, range->logical, keys - range->logical, err)) ||
				    (keys_end < end && !wipe_free(&wiper, keys_end, end - keys_end, err)))
					goto out;
			} else if (!wipe_free(&wiper, range->logical, range->length, err)) {
				goto out;
			}
		}
		conversion_progress(c, i + 1, allocator_n_groups(allocator));
	}
	for (unsigned i = 0; i < CRYPT_JOURNAL_SLOTS; i++) {
		if (!wipe_range(&wiper, le64(c->state.slot[i].logical), le64(c->state.slot[i].length), err))
			goto out;
	}
	if (c->plan)
		c->plan->unwiped_free_bytes = unwiped;
	ok = volume_flush(c->volume, err);
out:
	allocator_close(allocator);
	wiped_free(wiper.piece, WIPE_PIECE);	/* it held what nobody has wiped yet */
	free(wiper.zeros);
	return ok;
}

/* The feature bit stays where this domain was not the one that set it, or another one needs it. */
static bool verity_stays(struct conversion *c, bool *stays, struct error *err)
{
	uint16_t *numbers = NULL;
	size_t n = 0;

	*stays = true;
	if (c->direction == CRYPT_TO_SEALED || c->header.had_verity)
		return true;
	if (!domain_numbers(c->volume, &numbers, &n, err))
		return false;
	free(numbers);
	*stays = n > 0;
	return true;
}

bool finish_run(struct conversion *c, struct error *err)
{
	bool verity;

	return read_back(c, err) && wipe(c, err) && verity_stays(c, &verity, err) && state_clear(c, verity, err);
}

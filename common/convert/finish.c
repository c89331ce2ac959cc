/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Phase FINISH: reads back what was written, wipes what was freed, clears the superblocks. */
#include "common/convert/finish.h"

#include <inttypes.h>
#include <stdlib.h>

#include "common/convert/commit.h"
#include "common/convert/conversion.h"
#include "common/convert/preflight.h"
#include "common/volume/device-range.h"
#include "common/volume/mirror.h"
#include "common/volume/warn.h"

#define WIPE_PIECE (1u << 20)

/* --- reading back -------------------------------------------------------------------------------- */

/*
 * Checks that every mirror has the block that the pointer to it and the first mirror that fits say. A mirror that is invalid or of an older
 * generation is written again, as a scrub would. If two mirrors are equally good, only the last record could tell them apart: they stay as
 * they are, and this is reported.
 */
static bool check_block(struct conversion *c, const struct block *right, struct error *err)
{
	struct volume *volume = c->volume;
	const uint32_t size = volume->super.node_size;
	uint8_t *bytes = malloc(size);
	unsigned n_mirrors;
	bool is_bad = false, differs = false;

	if (!bytes)
		return error_memory(err);
	if (!volume_n_mirrors(volume, right->logical, &n_mirrors, err)) {
		free(bytes);
		return false;
	}
	for (unsigned mirror = 0; mirror < n_mirrors; mirror++) {
		struct error why;
		struct node node;

		if (!block_mirror_read(volume, right->logical, mirror, bytes, &node, &why) || node.generation < right->node.generation)
			is_bad = true;
		else if (memcmp(bytes, right->bytes, size) != 0)
			differs = true;
	}
	wiped_free(bytes, size);
	if (differs && c->n_undecided++ == 0)
		c->undecided = right->logical;
	return differs || !is_bad || volume_read_back(volume, right->logical, right->bytes, size, err);
}

static bool check_visit(void *context, struct block *block, bool *descend, struct error *err)
{
	(void)descend;
	return check_block(context, block, err);
}

/* Reads back all trees that a conversion writes to. */
static bool read_back(struct conversion *c, struct error *err)
{
	struct volume *volume = c->volume;

	if (!operation_flush(&c->op, err))
		return false;
	block_cache_drop(volume, false);
	if (!conversion_trees_walk(volume, check_visit, c, err))
		return false;
	for (size_t i = 0; c->scan && i < c->scan->n_blocks; i++) {
		cleanup_block struct block *block = NULL;

		if (!scan_block_get(c->scan, &c->scan->block[i], &block, err) || !check_block(c, block, err))
			return false;
	}
	return true;
}

/* --- wiping ------------------------------------------------------------------------------------------ */

#define PIECES 64u	/* the most pieces between two flushes */

struct wiper {
	struct conversion *c;
	const uint8_t *zeros;	/* WIPE_PIECE */
	struct { struct device *device; uint64_t at; size_t len; } piece[PIECES];
	unsigned n;
};

/* The discarded room is given back only once everything before is on the medium. Otherwise a power cut could bring back the old bytes. */
static bool settle(struct wiper *wiper, struct error *err)
{
	struct conversion *c = wiper->c;

	if (!volume_flush(c->volume, err))
		return false;
	for (unsigned i = 0; i < wiper->n; i++) {
		struct device *device = wiper->piece[i].device;
		const uint64_t at = wiper->piece[i].at;
		const size_t len = wiper->piece[i].len;
		bool again = false;

		if (le32(c->op.state.flags) & CRYPT_STATE_READ_BACK && !device_read_back(device, wiper->zeros, len, at, &again, err))
			return false;
		if (again)
			volume_warn(c->volume, "%s: zeros written at %#" PRIx64 " had not reached the device and were written again",
				    device->name, at);
		device_punch(device, at, len);
	}
	wiper->n = 0;
	return true;
}

static bool wipe_piece(struct wiper *wiper, struct device *device, uint64_t at, size_t len, struct error *err)
{
	if (!device_write(device, wiper->zeros, len, at, err))
		return false;
	wiper->piece[wiper->n].device = device;
	wiper->piece[wiper->n].at = at;
	wiper->piece[wiper->n].len = len;
	return ++wiper->n < PIECES || settle(wiper, err);
}

/*
 * Writes zeros even where it reads as zeros: after a failed flush the page cache may show zeros that the medium does not have. Only holes
 * of a sparse file need no overwriting.
 */
static bool wipe_device_range(void *context, const struct device_range *range, struct error *err)
{
	const uint64_t end = range->physical + range->len;
	struct device *const device = range->device;

	for (uint64_t at = range->physical; at < end;) {
		const uint64_t data = device_next_data(device, at);

		at = data < end ? data : end;

		const uint64_t hole = device_next_hole(device, at);
		const uint64_t stop = hole < end ? hole : end;

		for (size_t n; at < stop; at += n) {
			n = stop - at < WIPE_PIECE ? (size_t)(stop - at) : WIPE_PIECE;
			if (!wipe_piece(context, device, at, n, err))
				return false;
		}
	}
	return true;
}

/* Wipes every mirror. A conversion is refused if a device is missing. */
static bool wipe_range(struct wiper *wiper, uint64_t logical, uint64_t len, struct error *err)
{
	return device_ranges(wiper->c->volume, logical, len, wipe_device_range, wiper, err);
}

/* The same, but leaves out the stripes that hold superblock copies. */
static bool wipe_free(struct wiper *wiper, uint64_t logical, uint64_t len, struct error *err)
{
	if (!volume_range_is_reserved(wiper->c->volume, logical, len))
		return wipe_range(wiper, logical, len, err);
	for (uint64_t at = logical; at < logical + len;) {
		const uint64_t next = (at / SUPER_STRIPE + 1) * SUPER_STRIPE;
		const uint64_t n = (next < logical + len ? next : logical + len) - at;

		if (!volume_range_is_reserved(wiper->c->volume, at, n) && !wipe_range(wiper, at, n, err))
			return false;
		at += n;
	}
	return true;
}

static bool wipe(struct conversion *c, struct error *err)
{
	uint8_t *zeros = calloc(1, WIPE_PIECE);
	struct wiper wiper = { .c = c, .zeros = zeros };
	struct allocator *allocator = NULL;
	uint64_t unwiped = 0;
	bool ok = false;

	if (!zeros) {
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
			const uint64_t keys = le64(c->op.state.keys.logical), keys_end = keys + le64(c->op.state.keys.length);
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
		if (!wipe_range(&wiper, le64(c->op.state.slot[i].logical), le64(c->op.state.slot[i].length), err))
			goto out;
	}
	if (c->plan)
		c->plan->unwiped_free_bytes = unwiped;
	ok = settle(&wiper, err);
out:
	allocator_close(allocator);
	free(zeros);
	return ok;
}

/* The feature bit stays if this domain did not set it, or if another one needs it. */
static bool verity_stays(struct conversion *c, bool *stays, struct error *err)
{
	uint16_t *numbers = NULL;
	size_t n = 0;

	*stays = true;
	if (conversion_to(c)->is_sealed || c->header.had_verity)
		return true;
	if (!domain_numbers(c->volume, &numbers, &n, err))
		return false;
	free(numbers);
	*stays = n > 0;
	return true;
}

bool finish_tell(const struct conversion *c, struct error *err)
{
	if (c->not_whole.kind != ERROR_NONE) {
		error_set(err, ERROR_CORRUPT, "the conversion has finished, but not everything is intact: %s", c->not_whole.text);
		return error_hint(err, "%s", c->not_whole.hint);
	}
	return c->n_undecided == 0 ||
	       error_set(err, ERROR_CORRUPT, "the conversion has finished, but the mirrors of tree block %" PRIu64
	       	" (and %zu others) differ; all of them are valid and nothing tells which is right, so they were left as they are",
	       	c->undecided, c->n_undecided - 1);
}

bool finish_run(struct conversion *c, struct error *err)
{
	const struct journal_point at = { .direction = c->direction, .phase = c->phase, .cursor = c->cursor };
	bool verity;

	return read_back(c, err) && wipe(c, err) && verity_stays(c, &verity, err) && operation_clear(&c->op, &at, verity, err) &&
	       finish_tell(c, err);
}

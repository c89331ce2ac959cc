/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "common/convert/wipe.h"

#include <inttypes.h>
#include <stdlib.h>

#include "common/tree/allocator.h"
#include "common/volume/device-range.h"
#include "common/volume/mirror.h"
#include "common/volume/warn.h"

#define WIPE_PIECE (1u << 20)
#define PIECES 64u	/* the most pieces between two flushes */

struct wiper {
	const struct operation *op;
	const uint8_t *zeros;	/* WIPE_PIECE */
	struct { struct device *device; uint64_t at; size_t len; } piece[PIECES];
	unsigned n;
};

/* The discarded room is given back only once everything before is on the medium. Otherwise a power cut could bring back the old bytes. */
static bool settle(struct wiper *wiper, struct error *err)
{
	const struct operation *op = wiper->op;

	if (!volume_flush(op->volume, err))
		return false;
	for (unsigned i = 0; i < wiper->n; i++) {
		struct device *device = wiper->piece[i].device;
		const uint64_t at = wiper->piece[i].at;
		const size_t len = wiper->piece[i].len;
		bool again = false;

		if (le32(op->state.flags) & CRYPT_STATE_READ_BACK && !device_read_back(device, wiper->zeros, len, at, &again, err))
			return false;
		if (again)
			volume_warn(op->volume, "%s: zeros written at %#" PRIx64 " had not reached the device and were written again",
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
	return device_ranges(wiper->op->volume, logical, len, wipe_device_range, wiper, err);
}

/* The same, but leaves out the stripes that hold superblock copies. */
static bool wipe_free(struct wiper *wiper, uint64_t logical, uint64_t len, struct error *err)
{
	if (!volume_range_is_reserved(wiper->op->volume, logical, len))
		return wipe_range(wiper, logical, len, err);
	for (uint64_t at = logical; at < logical + len;) {
		const uint64_t next = (at / SUPER_STRIPE + 1) * SUPER_STRIPE;
		const uint64_t n = (next < logical + len ? next : logical + len) - at;

		if (!volume_range_is_reserved(wiper->op->volume, at, n) && !wipe_range(wiper, at, n, err))
			return false;
		at += n;
	}
	return true;
}

/* The copies of the key slots are wiped last of all, by operation_clear(). */
static bool wipe_but_keys(struct wiper *wiper, const struct free_range *range, struct error *err)
{
	const struct disk_crypt_range *const own = &wiper->op->state.keys;
	const uint64_t keys = le64(own->logical), keys_end = keys + le64(own->length), end = range->logical + range->length;

	if (keys < range->logical || keys_end > end)
		return wipe_free(wiper, range->logical, range->length, err);
	return (keys == range->logical || wipe_free(wiper, range->logical, keys - range->logical, err)) &&
	       (keys_end == end || wipe_free(wiper, keys_end, end - keys_end, err));
}

static bool wipe_groups(struct wiper *wiper, const struct allocator *allocator, wipe_progress *progress, void *context, uint64_t *unwiped,
			struct error *err)
{
	const size_t n = allocator_n_groups(allocator);

	for (size_t i = 0; i < n; i++) {
		const struct group *group = allocator_group(allocator, i);

		if (!(group->flags & GROUP_METADATA)) {
			*unwiped += group->flags & GROUP_DATA ? group->length - group->used : 0;
			continue;
		}
		for (size_t j = 0; j < group->n_free; j++) {
			if (!wipe_but_keys(wiper, &group->free[j], err))
				return false;
		}
		if (progress)
			progress(context, i + 1, n);
	}
	return true;
}

static bool wipe_slots(struct wiper *wiper, struct error *err)
{
	for (unsigned i = 0; i < CRYPT_JOURNAL_SLOTS; i++) {
		const struct disk_crypt_range *const slot = &wiper->op->state.slot[i];

		if (!wipe_range(wiper, le64(slot->logical), le64(slot->length), err))
			return false;
	}
	return settle(wiper, err);
}

bool wipe_journal(const struct operation *op, struct error *err)
{
	uint8_t *zeros = calloc(1, WIPE_PIECE);
	struct wiper wiper = { .op = op, .zeros = zeros };
	const bool ok = zeros ? wipe_slots(&wiper, err) : error_memory(err);

	free(zeros);
	return ok;
}

bool wipe_all(const struct operation *op, wipe_progress *progress, void *context, uint64_t *unwiped, struct error *err)
{
	uint8_t *zeros = calloc(1, WIPE_PIECE);
	struct wiper wiper = { .op = op, .zeros = zeros };
	struct allocator *allocator = NULL;
	bool ok = zeros ? allocator_open(op->volume, &allocator, err) : error_memory(err);

	*unwiped = 0;
	ok = ok && wipe_groups(&wiper, allocator, progress, context, unwiped, err) && wipe_slots(&wiper, err);
	allocator_close(allocator);
	free(zeros);
	return ok;
}

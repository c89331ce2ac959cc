/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "common/convert/wipe.h"

#include <inttypes.h>
#include <stdlib.h>

#include "common/fs/csum-lookup.h"
#include "common/tree/allocator.h"
#include "common/volume/device-extents.h"
#include "common/volume/device-range.h"
#include "common/volume/mirror.h"
#include "common/volume/parity-write.h"
#include "common/volume/warn.h"

#define WIPE_PIECE (1u << 20)
#define PIECES 64u	/* the most pieces between two flushes */

struct wiper {
	const struct operation *op;
	const uint8_t *zeros;	/* WIPE_PIECE */
	struct { struct device *device; uint64_t at; size_t len; } piece[PIECES];	/* device NULL: at is logical, a part of a row with parity */
	unsigned n;
	const struct convert_ui *ui;
	enum crypt_direction direction;
	uint64_t done, total;		/* bytes of free space */
	uint64_t types;			/* of the groups whose free space is wiped */
	bool may_stop;
	bool gives_back;		/* holes take room that was reserved for them, see holes.h */
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

		/* Should its parity have got lost, other data would have none. */
		if (!device) {
			if (!volume_read_back(op->volume, at, wiper->zeros, len, err))
				return false;
			continue;
		}
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

/* What has been written and is not flushed yet. */
static bool note_piece(struct wiper *wiper, struct device *device, uint64_t at, size_t len, struct error *err)
{
	wiper->piece[wiper->n].device = device;
	wiper->piece[wiper->n].at = at;
	wiper->piece[wiper->n].len = len;
	return ++wiper->n < PIECES || settle(wiper, err);
}

static bool wipe_piece(struct wiper *wiper, struct device *device, uint64_t at, size_t len, struct error *err)
{
	return device_write(device, wiper->zeros, len, at, err) && note_piece(wiper, device, at, len, err);
}

/*
 * Writes zeros even where it reads as zeros: after a failed flush the page cache may show zeros that the medium does not have. Only holes
 * of a sparse file need no overwriting.
 */
static bool wipe_device_range(void *context, const struct device_range *range, struct error *err)
{
	const uint64_t end = range->physical + range->len;
	struct device *const device = range->device;
	const struct wiper *const wiper = context;

	/* What is on a lost device is beyond reach. */
	for (uint64_t at = range->physical; device && at < end;) {
		const uint64_t next = device_next_data(device, at), data = next < end ? next : end;

		if (wiper->gives_back && data > at)
			device_punch(device, at, data - at);
		at = data;

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

/* A part of a row with parity. */
struct row_part {
	struct wiper *wiper;
	uint64_t logical;
	bool is_whole;		/* then its parity becomes zeros as well */
	bool has_data;
};

static bool look_for_data(void *context, const struct device_range *range, struct error *err)
{
	struct row_part *part = context;

	(void)err;
	if (part->is_whole || !range->parity)
		part->has_data = part->has_data || device_next_data(range->device, range->physical) < range->physical + range->len;
	return true;
}

static bool note_range(void *context, const struct device_range *range, struct error *err)
{
	const struct row_part *part = context;

	/* Parity is visited once more for each piece of the data. */
	return (range->parity && !(part->is_whole && range->logical == part->logical)) ||
	       note_piece(part->wiper, range->device, range->physical, (size_t)range->len, err);
}

/*
 * Parity must stay right for what else is in the row. Holes of sparse files stay holes; where they were made before a crash, parity may not be
 * what it should be.
 */
static bool wipe_row(struct wiper *wiper, uint64_t logical, uint64_t len, bool is_whole, struct error *err)
{
	struct row_part part = { wiper, logical, is_whole, false };
	struct volume *volume = wiper->op->volume;
	bool changed = false;

	if (!device_ranges(volume, logical, len, look_for_data, &part, err))
		return false;
	if (!is_whole && (!volume_settle_parity(volume, logical, len, part.has_data ? PARITY_KEEP : PARITY_MAKE, &changed, err) ||
			  (changed && !volume_flush(volume, err))))
		return false;
	if (!part.has_data)
		return true;
	for (uint64_t at = 0; at < len; at += WIPE_PIECE) {
		const size_t n = len - at < WIPE_PIECE ? (size_t)(len - at) : WIPE_PIECE;

		if (!volume_write(volume, logical + at, wiper->zeros, n, err) || (!is_whole && !note_piece(wiper, NULL, logical + at, n, err)))
			return false;
	}
	return device_ranges(volume, logical, len, note_range, &part, err);
}

/* Wipes every mirror. */
static bool wipe_range(struct wiper *wiper, uint64_t logical, uint64_t len, struct error *err)
{
	struct volume *volume = wiper->op->volume;
	const struct chunk *chunk;

	if (!volume_chunk(volume, logical, &chunk, err))
		return false;
	if (!(chunk->type & GROUP_PARITY))
		return device_ranges(volume, logical, len, wipe_device_range, wiper, err);
	for (uint64_t n; len > 0; logical += n, len -= n) {
		uint64_t row, size;

		if (!volume_stripe_row(volume, logical, &row, &size, err))
			return false;
		n = row + size - logical;
		n = n < len ? n : len;
		if (!wipe_row(wiper, logical, n, n == size, err))
			return false;
	}
	return true;
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

/* --- free space ------------------------------------------------------------------------------------------------- */

/* Progress is told, and a signal heard, at least this often. */
#define STEP (64u << 20)

static bool step_done(struct wiper *wiper, uint64_t len, struct error *err)
{
	const struct convert_ui *ui = wiper->ui;
	const struct convert_progress progress = { CRYPT_PHASE_FINISH, wiper->direction, wiper->done += len, wiper->total };

	if (ui && ui->progress)
		ui->progress(ui->context, &progress);
	return !wiper->may_stop || !ui || !ui->stop || !ui->stop(ui->context) || error_set(err, ERROR_STOPPED, "stopped at a safe point");
}

static bool wipe_steps(struct wiper *wiper, uint64_t logical, uint64_t len, struct error *err)
{
	for (uint64_t n; len > 0; logical += n, len -= n) {
		n = len < STEP ? len : STEP;
		if (!wipe_free(wiper, logical, n, err) || !step_done(wiper, n, err))
			return false;
	}
	return true;
}

/* The copies of the key slots are wiped last of all, by operation_clear(). */
static bool wipe_free_range(void *context, const struct group *group, uint64_t logical, uint64_t len, struct error *err)
{
	struct wiper *wiper = context;
	const struct disk_crypt_range *const own = &wiper->op->state.keys;
	const uint64_t keys = le64(own->logical), keys_end = keys + le64(own->length), end = logical + len;

	(void)group;
	if (keys < logical || keys_end > end)
		return wipe_steps(wiper, logical, len, err);
	return wipe_steps(wiper, logical, keys - logical, err) && wipe_steps(wiper, keys_end, end - keys_end, err);
}

static bool wipe_gap(void *context, struct device *device, uint64_t at, uint64_t len, struct error *err)
{
	for (uint64_t n; len > 0; at += n, len -= n) {
		n = len < STEP ? len : STEP;
		if (!wipe_device_range(context, &(struct device_range){ .device = device, .physical = at, .len = n }, err) ||
		    !step_done(context, n, err))
			return false;
	}
	return true;
}

static bool count_gap(void *context, struct device *device, uint64_t at, uint64_t len, struct error *err)
{
	uint64_t *const total = context;

	(void)device, (void)at, (void)err;
	*total += len;
	return true;
}

static bool wipe_slots(struct wiper *wiper, struct error *err)
{
	wiper->gives_back = true;
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

#define GROUPS_ALL (GROUP_METADATA | GROUP_DATA | GROUP_SYSTEM)

static bool has_csums(void *context, uint64_t logical, size_t n_sectors, const uint8_t *csums, struct error *err)
{
	(void)context, (void)csums;
	return error_set(err, ERROR_CORRUPT, "%zu sectors at %" PRIu64 " are free according to the extent tree, but have checksums", n_sectors, logical);
}

static bool check_range(void *context, const struct group *group, uint64_t logical, uint64_t len, struct error *err)
{
	return !(group->flags & GROUP_DATA) || csum_lookup(context, logical, len, has_csums, NULL, err);
}

bool wipe_check_free(struct volume *volume, const struct convert_ui *ui, struct error *err)
{
	if (!ui || !ui->wipe_free || free_space_visit(volume, GROUPS_ALL, check_range, volume, err))
		return true;
	if (err->kind == ERROR_CORRUPT) {
		error_prefix(err, "--wipe-free");
		error_hint(err, "what is free cannot be told for sure; `btrfs check` says more. Without --wipe-free free data space is left as it is");
	}
	return false;
}

static bool any_range(void *context, const struct group *group, uint64_t logical, uint64_t len, struct error *err)
{
	(void)context, (void)group, (void)logical, (void)len, (void)err;
	return true;
}

/*
 * What can be wiped: nothing is written before all groups that it is in were found to be sound. That data groups are, was checked in the
 * beginning (unless the wish came later): this must not be what an unfinished change fails of for ever.
 */
static bool choose_types(struct wiper *wiper, struct error *err)
{
	struct volume *const volume = wiper->op->volume;
	struct error why = { 0 };

	wiper->types = GROUP_METADATA;
	if (le32(wiper->op->state.flags) & CRYPT_STATE_WIPE_FREE) {
		if (free_space_visit(volume, GROUPS_ALL, check_range, volume, &why)) {
			wiper->types = GROUPS_ALL;
			return true;
		}
		if (why.kind != ERROR_CORRUPT) {
			*err = why;
			return false;
		}
		volume_warn(volume, "free data space is not wiped: %s", why.text);
	}
	return free_space_visit(volume, GROUP_METADATA, any_range, NULL, err);
}

static bool wipe_space(struct wiper *wiper, uint64_t *unwiped, struct error *err)
{
	struct volume *const volume = wiper->op->volume;

	*unwiped = 0;
	if (!choose_types(wiper, err))
		return false;

	const bool all = wiper->types == GROUPS_ALL;

	wiper->may_stop = all;
	if (!free_space_bytes(volume, wiper->types, 0, &wiper->total, err) ||
	    !(all ? device_gaps(volume, count_gap, &wiper->total, err) : free_space_bytes(volume, GROUP_DATA, GROUP_METADATA, unwiped, err)))
		return false;
	return free_space_visit(volume, wiper->types, wipe_free_range, wiper, err) && (!all || device_gaps(volume, wipe_gap, wiper, err)) &&
	       wipe_slots(wiper, err);
}

bool wipe_all(const struct operation *op, const struct convert_ui *ui, enum crypt_direction direction, uint64_t *unwiped, struct error *err)
{
	uint8_t *zeros = calloc(1, WIPE_PIECE);
	struct wiper wiper = { .op = op, .zeros = zeros, .ui = ui, .direction = direction };
	const bool ok = zeros ? wipe_space(&wiper, unwiped, err) : error_memory(err);

	free(zeros);
	return ok;
}

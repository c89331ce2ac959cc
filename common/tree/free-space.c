/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Exact updates of the free space tree, in both of its forms. */
#include "common/tree/free-space.h"

#include <inttypes.h>

#include "common/tree/tree-edit.h"
#include "format/extent-item.h"

/* One change: where, and in which block group. */
struct change {
	struct transaction *tx;
	const struct group *group;
	uint64_t start, end;
	bool freed;
};

static bool disagree(const struct change *change, struct error *err)
{
	return error_set(err, ERROR_CORRUPT, "free space tree: %" PRIu64 " of %" PRIu64 " bytes is %s there, not %s",
			 change->start, change->end - change->start, change->freed ? "free" : "used",
			 change->freed ? "used" : "free");
}

static struct key extent_key(uint64_t start, uint64_t end)
{
	return (struct key){ start, KEY_FREE_SPACE_EXTENT, end - start };
}

/* --- one item per free run ------------------------------------------------- */

/* Finds the item of the run that begins at or before `at`, if it is in the block group. */
static bool run_before(const struct change *change, uint64_t at, bool *found, struct key *key, struct error *err)
{
	const struct key limit = { at, KEY_FREE_SPACE_EXTENT, UINT64_MAX };

	*key = (struct key){ 0 };
	if (!tree_edit_last(change->tx, FREE_SPACE_TREE_ID, &limit, found, key, err))
		return false;
	if (!*found || key->type != KEY_FREE_SPACE_EXTENT || key->objectid < change->group->logical) {
		*found = false;
		return true;
	}
	return key->offset <= UINT64_MAX - key->objectid ||
	       error_set(err, ERROR_CORRUPT, "free space tree: run at %" PRIu64 " has %" PRIu64 " bytes", key->objectid,
			 key->offset);
}

static bool take_from_runs(const struct change *change, int *n_more, struct error *err)
{
	struct transaction *tx = change->tx;
	struct key run;
	bool found;

	if (!run_before(change, change->start, &found, &run, err))
		return false;

	const uint64_t run_start = run.objectid, run_end = run.objectid + run.offset;

	if (!found || run_end < change->end)
		return disagree(change, err);

	const struct key before = extent_key(run_start, change->start), after = extent_key(change->end, run_end);

	*n_more = (before.offset > 0) + (after.offset > 0) - 1;
	if (before.offset == 0 && after.offset == 0)
		return tree_edit_remove(tx, FREE_SPACE_TREE_ID, &run, err);
	if (!tree_edit_rename(tx, FREE_SPACE_TREE_ID, &run, before.offset > 0 ? &before : &after, err))
		return false;
	return before.offset == 0 || after.offset == 0 || tree_edit_insert(tx, FREE_SPACE_TREE_ID, &after, NULL, 0, err);
}

static bool give_to_runs(const struct change *change, int *n_more, struct error *err)
{
	struct transaction *tx = change->tx;
	struct key left, right;
	bool joins_left, joins_right;

	if (!run_before(change, change->end, &joins_right, &right, err))
		return false;
	joins_right = joins_right && right.objectid == change->end && change->end < change->group->logical + change->group->length;
	if (!run_before(change, change->end - 1, &joins_left, &left, err))
		return false;
	if (joins_left && (left.objectid >= change->start || left.objectid + left.offset > change->start))
		return disagree(change, err);
	joins_left = joins_left && left.objectid + left.offset == change->start;

	const struct key run = extent_key(joins_left ? left.objectid : change->start,
					  joins_right ? right.objectid + right.offset : change->end);

	*n_more = 1 - joins_left - joins_right;
	if (joins_left && joins_right && !tree_edit_remove(tx, FREE_SPACE_TREE_ID, &right, err))
		return false;
	if (joins_left || joins_right)
		return tree_edit_rename(tx, FREE_SPACE_TREE_ID, joins_left ? &left : &right, &run, err);
	return tree_edit_insert(tx, FREE_SPACE_TREE_ID, &run, NULL, 0, err);
}

/* --- bitmaps --------------------------------------------------------------------- */

/* The bitmap that covers `at`: where it begins, and its sectors. */
struct bitmap {
	struct key key;
	uint64_t end;
	const uint8_t *bits;
};

static bool find_bitmap(const struct change *change, uint64_t at, struct bitmap *bitmap, struct error *err)
{
	const uint32_t sector = change->tx->volume->super.sector_size;
	const struct key limit = { at, KEY_FREE_SPACE_BITMAP, UINT64_MAX };
	uint8_t *bits;
	uint32_t len;
	bool found;

	if (!tree_edit_last(change->tx, FREE_SPACE_TREE_ID, &limit, &found, &bitmap->key, err))
		return false;

	const uint64_t start = bitmap->key.objectid, size = bitmap->key.offset;

	if (!found || bitmap->key.type != KEY_FREE_SPACE_BITMAP || start < change->group->logical || at - start >= size)
		return error_set(err, ERROR_CORRUPT, "free space tree: no bitmap for %" PRIu64 " in block group %" PRIu64, at,
				 change->group->logical);
	if (!tree_edit_find(change->tx, FREE_SPACE_TREE_ID, &bitmap->key, &bits, &len, err))
		return false;
	if (size % sector != 0 || size / sector > 8ull * len || size > UINT64_MAX - start)
		return error_set(err, ERROR_CORRUPT, "free space tree: bitmap at %" PRIu64 " for %" PRIu64 " bytes has %u bytes",
				 start, size, len);
	bitmap->end = start + size;
	bitmap->bits = bits;
	return true;
}

static uint64_t bit_of(const struct change *change, const struct bitmap *bitmap, uint64_t at)
{
	return (at - bitmap->key.objectid) / change->tx->volume->super.sector_size;
}

static bool is_free(const struct change *change, uint64_t at, bool *free, struct error *err)
{
	struct bitmap bitmap;

	if (!find_bitmap(change, at, &bitmap, err))
		return false;

	const uint64_t bit = bit_of(change, &bitmap, at);

	*free = bitmap.bits[bit / 8] >> (bit % 8) & 1;
	return true;
}

/* Changes the bits of the part that lies in the bitmap of `at`. */
static bool flip_bits(const struct change *change, uint64_t at, uint64_t *next, struct error *err)
{
	const uint32_t sector = change->tx->volume->super.sector_size;
	struct bitmap bitmap;
	uint8_t *bits;

	if (!find_bitmap(change, at, &bitmap, err) ||
	    !tree_edit_payload(change->tx, FREE_SPACE_TREE_ID, &bitmap.key, 0, &bits, err))
		return false;
	for (; at < change->end && at < bitmap.end; at += sector) {
		const uint64_t bit = bit_of(change, &bitmap, at);
		const uint8_t mask = 1u << (bit % 8);

		if (!(bits[bit / 8] & mask) != change->freed)
			return disagree(change, err);
		bits[bit / 8] ^= mask;
	}
	*next = at;
	return true;
}

static bool change_bitmaps(const struct change *change, int *n_more, struct error *err)
{
	const uint32_t sector = change->tx->volume->super.sector_size;
	bool free_before = false, free_after = false;

	if (change->start > change->group->logical && !is_free(change, change->start - sector, &free_before, err))
		return false;
	if (change->end < change->group->logical + change->group->length && !is_free(change, change->end, &free_after, err))
		return false;
	for (uint64_t at = change->start; at < change->end;) {
		if (!flip_bits(change, at, &at, err))
			return false;
	}
	*n_more = change->freed ? 1 - free_before - free_after : free_before + free_after - 1;
	return true;
}

/* --- both ------------------------------------------------------------------------ */

static bool read_info(const struct change *change, const struct key *key, struct free_space_info *info, struct error *err)
{
	uint8_t *data;
	uint32_t len;

	if (!tree_edit_find(change->tx, FREE_SPACE_TREE_ID, key, &data, &len, err))
		return false;
	if (!data)
		return error_set(err, ERROR_CORRUPT, "free space tree: it has no entry for block group %" PRIu64, key->objectid);

	struct cursor item = { data, len, key->objectid };

	return free_space_info_read(&item, info, err);
}

static bool count_runs(const struct change *change, const struct key *key, uint32_t have, int n_more, struct error *err)
{
	struct disk_free_space_info *disk;
	uint8_t *data;

	if (n_more == 0)
		return true;
	if (n_more < 0 && have == 0)
		return error_set(err, ERROR_CORRUPT, "free space tree: block group %" PRIu64 " has free runs, but counts 0",
				 key->objectid);
	if (!tree_edit_payload(change->tx, FREE_SPACE_TREE_ID, key, sizeof(*disk), &data, err))
		return false;
	disk = (struct disk_free_space_info *)data;
	disk->extent_count = to_le32(have + n_more);
	return true;
}

static bool apply(struct transaction *tx, uint64_t logical, uint64_t length, bool freed, struct error *err)
{
	const struct change change = {
		.tx = tx,
		.group = allocator_group_of(tx->allocator, logical),
		.start = logical,
		.end = logical + length,
		.freed = freed,
	};
	struct free_space_info info;
	int n_more = 0;

	if (!(tx->volume->super.compat_ro & COMPAT_RO_FREE_SPACE_TREE))
		return true;
	if (!change.group)
		return error_set(err, ERROR_CORRUPT, "tree block %" PRIu64 " is in no block group", logical);

	const struct key key = { change.group->logical, KEY_FREE_SPACE_INFO, change.group->length };

	if (!read_info(&change, &key, &info, err))
		return false;
	if (info.flags & FREE_SPACE_USING_BITMAPS) {
		if (!change_bitmaps(&change, &n_more, err))
			return false;
	} else if (freed ? !give_to_runs(&change, &n_more, err) : !take_from_runs(&change, &n_more, err)) {
		return false;
	}
	return count_runs(&change, &key, info.extent_count, n_more, err);
}

bool free_space_remove(struct transaction *tx, uint64_t logical, uint64_t length, struct error *err)
{
	return apply(tx, logical, length, false, err);
}

bool free_space_add(struct transaction *tx, uint64_t logical, uint64_t length, struct error *err)
{
	return apply(tx, logical, length, true, err);
}

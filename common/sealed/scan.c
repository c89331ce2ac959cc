/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Walks the trees of a set of subvolumes, visiting each block once, and collects what they consist of. */
#include "common/sealed/scan.h"

#include <inttypes.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "common/sealed/scan-bad.h"
#include "common/util/lower-bound.h"
#include "common/util/record-table.h"
#include "common/util/sorted64.h"
#include "common/volume/csum.h"
#include "common/volume/tolerance.h"
#include "format/inode.h"

struct builder {
	struct scan *scan;
	bool over;		/* list damage instead of failing */
	uint32_t member;	/* the current one */
	struct record_table blocks, extents;
};

/* --- what a leaf says ------------------------------------------------------- */

/* The length that the extent tree does not know is the wrong one. If it knows neither, the last one is. */
static bool two_lengths(struct builder *b, const struct key *key, const struct file_extent *item, uint64_t where, struct scan_extent *extent,
			struct error *err)
{
	struct volume *volume = b->scan->volume;
	const struct scan_extent first = *extent;
	struct error what = { 0 };

	error_set(&what, ERROR_CORRUPT, "file extent at %#" PRIx64 ": disk_num_bytes of the extent at %" PRIu64 " is %" PRIu64
		  ", elsewhere %" PRIu64, where, item->disk_bytenr, item->disk_num_bytes, (uint64_t)extent->length);
	if (!b->over || item->disk_num_bytes > SCAN_LENGTH_MAX || scan_extent_is_known(volume, extent->logical, extent->length) ||
	    !scan_extent_is_known(volume, extent->logical, item->disk_num_bytes))
		return scan_survive(b->scan, b->over, key->objectid, b->member, &what, err);
	error_set(&what, ERROR_CORRUPT, "extent item at %" PRIu64 ": disk_num_bytes of the extent at %" PRIu64 " is %" PRIu64
		  ", elsewhere %" PRIu64, first.file_offset, first.logical, (uint64_t)first.length, item->disk_num_bytes);
	*extent = (struct scan_extent){ .logical = first.logical, .length = item->disk_num_bytes, .inode = key->objectid,
					.file_offset = key->offset, .member = b->member };
	return scan_survive(b->scan, b->over, first.inode, first.member, &what, err);
}

/* Several items, from several members, may refer to one extent. The first one names it; each one counts for the mark. */
static bool note_extent(struct builder *b, const struct key *key, const struct file_extent *item, uint64_t where, struct error *err)
{
	struct scan_extent *extent = record_table_find(&b->extents, item->disk_bytenr);

	if (!extent) {
		void *record;

		if (item->disk_num_bytes > SCAN_LENGTH_MAX) {
			struct error what = { 0 };

			error_set(&what, ERROR_CORRUPT, "file extent at %#" PRIx64 ": disk_num_bytes is %" PRIu64 ", at most %" PRIu64, where,
				  item->disk_num_bytes, SCAN_LENGTH_MAX);
			return scan_survive(b->scan, b->over, key->objectid, b->member, &what, err);
		}
		if (!record_table_add(&b->extents, item->disk_bytenr, &record, err))
			return false;
		extent = record;
		extent->length = item->disk_num_bytes;
		extent->inode = key->objectid;
		extent->file_offset = key->offset;
		extent->member = b->member;
	}
	if (extent->length != item->disk_num_bytes && !two_lengths(b, key, item, where, extent, err))
		return false;
	if (extent->length != item->disk_num_bytes)
		return true;
	if (item->type == FILE_EXTENT_REG) {
		extent->marked |= item->other_encoding == SEAL_MARK;
		extent->unmarked |= item->other_encoding != SEAL_MARK;
	}
	/* This program never marks a prealloc item, because btrfs check takes that for damage. */
	extent->foreign_mark |= item->other_encoding != 0 &&
				(item->other_encoding != SEAL_MARK || item->type != FILE_EXTENT_REG);
	return true;
}

/* Lists an extent item that is partly wrong. */
static bool bad_extent(struct builder *b, const struct key *key, struct cursor item, const struct error *what, struct error *err)
{
	struct disk_file_extent disk = { 0 };
	const size_t n_bad = b->scan->n_bad;

	if (!scan_survive(b->scan, b->over, key->objectid, b->member, what, err))
		return false;
	memcpy(&disk, item.at, item.left < sizeof(disk) ? item.left : sizeof(disk));
	b->scan->bad[n_bad].marked = le16(disk.other_encoding) == SEAL_MARK;
	return true;
}

static bool scan_item(struct builder *b, const struct key *key, struct cursor item, struct error *err)
{
	const uint64_t where = item.offset;
	struct error what = { 0 };

	if (key->type == KEY_EXTENT_DATA) {
		const struct cursor whole = item;
		struct file_extent extent;

		if (!file_extent_read(&item, key->offset, b->scan->volume->super.sector_size, &extent, &what))
			return bad_extent(b, key, whole, &what, err);
		return !file_extent_has_disk(&extent) || note_extent(b, key, &extent, where, err);
	}
	if (key->type == KEY_INODE_ITEM) {
		struct inode inode;

		if (!inode_read(&item, &inode, &what))
			return scan_survive(b->scan, b->over, key->objectid, b->member, &what, err);
		b->scan->n_regular_files += S_ISREG(inode.mode);
	}
	return true;
}

static bool scan_leaf(struct builder *b, const struct node *leaf, struct error *err)
{
	b->scan->n_leaves++;
	for (uint32_t i = 0; i < leaf->n_items; i++) {
		const struct key key = node_key(leaf, i);

		if (!scan_item(b, &key, leaf_item(leaf, i), err))
			return false;
	}
	return true;
}

/* --- the trees ---------------------------------------------------------------- */

/*
 * Returns a hash, which is small, of what a pointer says about its block, and of where the keys below must end
 * (below NULL: anywhere). first: NULL for a root.
 */
static uint64_t pointer_says(uint64_t generation, const struct key *first, const struct key *below)
{
	static const struct key any;
	const struct key *const keys[] = { first ? first : &any, below ? below : &any };
	uint8_t text[8 + 2 * 18] = { 0 };
	uint8_t hash[CSUM_SIZE] = { 0 };
	uint64_t said;
	size_t at = 0;

	memcpy(text, &generation, 8);
	at += 8;
	for (size_t i = 0; i < 2; i++, at += 18) {
		memcpy(text + at, &keys[i]->objectid, 8);
		memcpy(text + at + 8, &keys[i]->offset, 8);
		text[at + 16] = keys[i]->type;
		text[at + 17] = i == 0 ? first != NULL : below != NULL;
	}
	csum_compute(CSUM_XXHASH64, text, sizeof(text), hash);
	memcpy(&said, hash, sizeof(said));
	return said;
}

/* Sets *seen if the tree of some member led here before. *block is valid until the next block is noted. */
static bool note_block(struct builder *b, uint64_t logical, uint8_t level, struct scan_block **block, bool *seen, struct error *err)
{
	void *record;

	*block = record_table_find(&b->blocks, logical);
	*seen = *block != NULL;
	if (*seen && (*block)->level != level)
		return error_set(err, ERROR_CORRUPT, "tree block %" PRIu64 ": level is %u, elsewhere %u", logical, level,
				 (*block)->level);
	if (*seen)
		return true;
	if (!record_table_add(&b->blocks, logical, &record, err))
		return false;
	*block = record;
	(*block)->member = b->member;
	(*block)->level = level;
	return true;
}

/* Lists a pointer that leads to nothing. noted: the block, which is lost too, as no other pointer led to it (NULL: not so). */
static bool lose_block(struct builder *b, struct scan_block *noted, const struct error *what, struct error *err)
{
	if (!b->over || !error_is_damage(what)) {
		*err = *what;
		return false;
	}
	if (noted)
		noted->is_lost = true;
	return scan_bad_add(b->scan, 0, b->member, what, err);
}

static bool walk_children(struct builder *b, const struct block *block, const struct key *below, struct error *err);

/* seen: everything below is known, but not that it lies within the bounds of this pointer. */
static bool walk_block(struct builder *b, const struct block *block, const struct key *below, bool seen, struct error *err)
{
	if (!node_is_leaf(&block->node))
		return walk_children(b, block, below, err);
	return seen || scan_leaf(b, &block->node, err);
}

/*
 * Goes at most LEVEL_MAX deep: the block layer refuses a child whose level is not one less. A shared block is not read again if the pointer to
 * it says the same as an earlier one that proved right.
 */
static bool walk_children(struct builder *b, const struct block *block, const struct key *below, struct error *err)
{
	const struct node *const node = &block->node;

	for (uint32_t i = 0; i < node->n_items; i++) {
		const struct key first = node_key(node, i);
		struct key bound;
		const struct key *const end = node_bound(node, i, below, &bound);
		const uint64_t says = pointer_says(node_child_generation(node, i), &first, end);
		cleanup_block struct block *child = NULL;
		struct scan_block *noted;
		struct error what = { 0 };
		bool seen;

		if (!note_block(b, node_child(node, i), (uint8_t)(node->level - 1), &noted, &seen, &what)) {
			if (!lose_block(b, NULL, &what, err))
				return false;
			continue;
		}
		if (seen && (noted->pointer == says || noted->is_lost))
			continue;
		if (!block_child(block, i, below, &child, &what)) {
			if (!lose_block(b, seen ? NULL : noted, &what, err))
				return false;
			continue;
		}
		noted->pointer = says;
		if (!walk_block(b, child, end, seen, err))
			return false;
	}
	return true;
}

static bool walk_root(struct builder *b, const struct tree *tree, struct error *err)
{
	const struct block_expect expect = { .level = tree->level, .generation = tree->generation };
	cleanup_block struct block *root = NULL;
	struct scan_block *noted;
	bool seen;

	if (!note_block(b, tree->logical, (uint8_t)tree->level, &noted, &seen, err) ||
	    !block_get(b->scan->volume, tree->logical, &expect, &root, err))
		return false;
	noted->pointer = pointer_says(tree->generation, NULL, NULL);
	return walk_block(b, root, NULL, seen, err);
}

static bool walk_members(struct builder *b, struct error *err)
{
	struct scan *const scan = b->scan;

	for (size_t i = 0; i < scan->n_members; i++) {
		b->member = (uint32_t)i;
		if (!walk_root(b, &scan->tree[i], err))
			return error_prefix(err, "subvolume %" PRIu64, scan->member[i]);
	}
	return true;
}

static bool open_members(struct scan *scan, const uint64_t *ids, size_t n, struct error *err)
{
	if (n > SCAN_MEMBERS_MAX)
		return error_set(err, ERROR_REFUSED, "%zu subvolumes at once, at most %" PRIu64 " are supported", n, SCAN_MEMBERS_MAX);
	scan->member = calloc(n, sizeof(*scan->member));
	scan->tree = calloc(n, sizeof(*scan->tree));
	if (!scan->member || !scan->tree)
		return error_memory(err);
	memcpy(scan->member, ids, n * sizeof(*ids));
	sort64(scan->member, n);
	scan->n_members = n;
	for (size_t i = 0; i < n; i++) {
		if (!tree_open(scan->volume, scan->member[i], &scan->tree[i], err))
			return false;
	}
	return true;
}

/* Moves the sorted records of the tables to the scan. */
static void take_records(struct builder *b)
{
	struct scan *const scan = b->scan;
	const size_t n = b->blocks.n;

	scan->block = record_table_take_sorted(&b->blocks);
	for (size_t i = 0; i < n; i++) {
		if (!scan->block[i].is_lost)
			scan->block[scan->n_blocks++] = scan->block[i];
	}
	scan->n_extents = b->extents.n;
	scan->extent = record_table_take_sorted(&b->extents);
}

void scan_free(struct scan *scan)
{
	if (!scan)
		return;
	free(scan->member);
	free(scan->tree);
	free(scan->block);
	free(scan->extent);
	scan_bad_free(scan);
	free(scan);
}

const struct scan_block *scan_block_at(const struct scan *scan, uint64_t logical)
{
	const size_t i = LOWER_BOUND(at, scan->n_blocks, scan->block[at].logical < logical);

	return i < scan->n_blocks && scan->block[i].logical == logical ? &scan->block[i] : NULL;
}

const struct scan_extent *scan_extent_at(const struct scan *scan, uint64_t logical)
{
	const size_t i = LOWER_BOUND(at, scan->n_extents, scan->extent[at].logical < logical);

	return i < scan->n_extents && scan->extent[i].logical == logical ? &scan->extent[i] : NULL;
}

bool scan_block_get(const struct scan *scan, const struct scan_block *at, struct block **block, struct error *err)
{
	const struct block_expect expect = { .level = at->level };

	return block_get(scan->volume, at->logical, &expect, block, err) || error_prefix(err, "subvolume %" PRIu64, scan->member[at->member]);
}

static bool run(struct volume *volume, const uint64_t *ids, size_t n, bool over, struct scan **scan, struct error *err)
{
	struct builder b = {
		.over = over,
		.blocks.record_size = sizeof(struct scan_block),
		.extents.record_size = sizeof(struct scan_extent),
	};

	static_assert(offsetof(struct scan_block, logical) == 0 && offsetof(struct scan_extent, logical) == 0, "record tables");
	static_assert(sizeof(struct scan_extent) == 32, "with 8 bytes of index: 40");
	b.scan = calloc(1, sizeof(*b.scan));
	if (!b.scan)
		return error_memory(err);
	b.scan->volume = volume;

	bool ok = open_members(b.scan, ids, n, err) && walk_members(&b, err);

	if (ok) {
		take_records(&b);
		ok = scan_check(b.scan, over, err);
	}
	record_table_free(&b.blocks);
	record_table_free(&b.extents);
	if (ok)
		*scan = b.scan;
	else
		scan_free(b.scan);
	return ok;
}

bool scan_run(struct volume *volume, const uint64_t *ids, size_t n, struct scan **scan, struct error *err)
{
	return run(volume, ids, n, false, scan, err);
}

bool scan_run_over(struct volume *volume, const uint64_t *ids, size_t n, struct scan **scan, struct error *err)
{
	return run(volume, ids, n, true, scan, err);
}

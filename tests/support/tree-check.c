/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Compares the trees of a filesystem with each other. */
#include "tests/support/tree-check.h"

#include <inttypes.h>
#include <stdlib.h>

#include <xxhash.h>

#include "common/tree/allocator.h"
#include "common/util/set64.h"
#include "common/volume/mirror.h"
#include "common/volume/stripe.h"
#include "format/extent-item.h"

#define wrong(...) error_set(err, ERROR_CORRUPT, __VA_ARGS__)

/* --- blocks and their extent items -------------------------------------------------- */

struct blocks {
	struct volume *volume;
	struct tree extent_tree;
	struct set64 seen;
	uint64_t owner;
	bool exact;	/* root items count every block */
};

static bool check_extent_item(struct tree_iter *iter, const struct block *block, uint64_t owner, struct error *err)
{
	struct extent_item extent;
	struct extent_ref ref;

	if (!extent_item_read(&iter->item, &iter->key, &extent, err))
		return false;
	if (!(extent.flags & EXTENT_FLAG_TREE_BLOCK) || extent.refs != 1 || extent.level != block->node.level ||
	    extent.generation != block->node.generation)
		return wrong("tree block %" PRIu64 ": its extent item is another's", block->logical);
	if (extent.inline_refs.left == 0)
		return wrong("tree block %" PRIu64 ": no reference in its extent item", block->logical);
	if (!extent_ref_next(&extent.inline_refs, &ref, err))
		return false;
	if (ref.type != KEY_TREE_BLOCK_REF || ref.root != owner || extent.inline_refs.left != 0)
		return wrong("tree block %" PRIu64 ": reference to tree %" PRIu64 ", not %" PRIu64, block->logical, ref.root, owner);
	return true;
}

static bool check_block(void *context, struct block *block, bool *descend, struct error *err)
{
	struct blocks *blocks = context;
	const uint32_t size = blocks->volume->super.node_size;
	const struct key skinny = { block->logical, KEY_METADATA_ITEM, block->node.level };
	const struct key full = { block->logical, KEY_EXTENT_ITEM, size };
	cleanup_tree_iter struct tree_iter iter = { 0 };
	bool added, found;

	(void)descend;
	if (!set64_add(&blocks->seen, block->logical, &added, err))
		return false;
	if (!added || block->node.owner != blocks->owner)
		return wrong("tree block %" PRIu64 " is in two trees", block->logical);
	if (block->logical % size != 0)
		return wrong("tree block %" PRIu64 " is not aligned", block->logical);
	if (!block->changed && !block_verify_mirrors(blocks->volume, block->logical, err))
		return false;
	if (!tree_find(&blocks->extent_tree, &skinny, &iter, &found, err) ||
	    (!found && !tree_find(&blocks->extent_tree, &full, &iter, &found, err)))
		return false;
	if (!found)
		return wrong("tree block %" PRIu64 " of tree %" PRIu64 " has no extent item", block->logical, blocks->owner);
	return check_extent_item(&iter, block, blocks->owner, err);
}

static bool check_tree(struct blocks *blocks, uint64_t id, struct error *err)
{
	struct tree tree;
	struct root root;
	struct key key;
	const size_t before = set64_count(&blocks->seen);

	if (!tree_open_root(blocks->volume, id, &tree, &root, &key, err))
		return err->kind == ERROR_NOT_FOUND;
	blocks->owner = id;
	if (!tree_walk(&tree, check_block, blocks, err))
		return false;

	cleanup_block struct block *top = NULL;

	if (!block_get(blocks->volume, tree.logical, NULL, &top, err))
		return false;
	if (top->node.level > 0 && top->node.n_items == 1)
		return wrong("tree %" PRIu64 ": the root has one child, which should have become the root", id);

	const uint64_t used = (set64_count(&blocks->seen) - before) * blocks->volume->super.node_size;

	if (blocks->exact && id != ROOT_TREE_ID && id != CHUNK_TREE_ID && root.bytes_used != used)
		return wrong("tree %" PRIu64 ": root item counts %" PRIu64 " bytes, its blocks take %" PRIu64, id, root.bytes_used,
			     used);
	return true;
}

/* Subvolumes may share their blocks, so that only a count of references says whether they are right: that is left to btrfs check. */
static bool is_of_subvolume(struct cursor refs, bool *is, struct error *err)
{
	struct extent_ref ref;

	*is = true;
	if (refs.left == 0)
		return true;
	if (!extent_ref_next(&refs, &ref, err))
		return false;
	*is = ref.type != KEY_TREE_BLOCK_REF || (ref.root >= FIRST_FREE_ID && ref.root <= LAST_FREE_ID);
	return true;
}

/* mkfs.btrfs writes these trees. */
static bool check_blocks(struct volume *volume, bool exact, struct error *err)
{
	static const uint64_t ids[] = { ROOT_TREE_ID, EXTENT_TREE_ID, CHUNK_TREE_ID, DEV_TREE_ID, FS_TREE_ID, CSUM_TREE_ID,
					UUID_TREE_ID, FREE_SPACE_TREE_ID, BLOCK_GROUP_TREE_ID, DATA_RELOC_TREE_ID };
	const struct key first = { 0 };
	struct blocks blocks = { .volume = volume, .exact = exact };
	cleanup_tree_iter struct tree_iter iter = { 0 };
	size_t n = 0;
	bool ok = tree_open(volume, EXTENT_TREE_ID, &blocks.extent_tree, err);

	for (size_t i = 0; ok && i < sizeof(ids) / sizeof(*ids); i++)
		ok = check_tree(&blocks, ids[i], err);
	ok = ok && tree_seek(&blocks.extent_tree, &first, &iter, err);
	while (ok && iter.valid) {
		struct extent_item extent;

		if (iter.key.type == KEY_METADATA_ITEM || iter.key.type == KEY_EXTENT_ITEM) {
			bool of_subvolume = false;

			ok = extent_item_read(&iter.item, &iter.key, &extent, err) &&
			     (!(extent.flags & EXTENT_FLAG_TREE_BLOCK) || is_of_subvolume(extent.inline_refs, &of_subvolume, err));
			n += ok && (extent.flags & EXTENT_FLAG_TREE_BLOCK) && !of_subvolume;
		}
		ok = ok && tree_next(&iter, err);
	}
	if (ok && n != set64_count(&blocks.seen))
		ok = wrong("%zu tree blocks have extent items, %zu are in trees", n, set64_count(&blocks.seen));
	set64_free(&blocks.seen);
	return ok;
}

/* --- free space ---------------------------------------------------------------------- */

/* The next run that a group's bitmaps show; they are read as one row of bits. */
static bool read_bitmaps(const struct group *group, struct tree_iter *iter, struct ranges *runs, struct error *err)
{
	const uint32_t sector = iter->tree.volume->super.sector_size;
	uint64_t at = group->logical;

	while (iter->valid && iter->key.type == KEY_FREE_SPACE_BITMAP && iter->key.objectid < group->logical + group->length) {
		if (iter->key.objectid != at)
			return wrong("free space tree: bitmap at %" PRIu64 ", not %" PRIu64, iter->key.objectid, at);
		for (uint64_t bit = 0; bit < iter->key.offset / sector; bit++, at += sector) {
			if (iter->item.at[bit / 8] >> (bit % 8) & 1 && !ranges_add(runs, at, sector, err))
				return false;
		}
		if (!tree_next(iter, err))
			return false;
	}
	return at == group->logical + group->length || wrong("free space tree: the bitmaps end at %" PRIu64, at);
}

static bool read_runs(const struct group *group, struct tree_iter *iter, struct ranges *runs, struct error *err)
{
	while (iter->valid && iter->key.type == KEY_FREE_SPACE_EXTENT && iter->key.objectid < group->logical + group->length) {
		if (!ranges_add(runs, iter->key.objectid, iter->key.offset, err) || !tree_next(iter, err))
			return false;
	}
	return true;
}

static bool check_group(const struct tree *tree, const struct group *group, struct error *err)
{
	const struct key key = { group->logical, KEY_FREE_SPACE_INFO, group->length };
	cleanup_tree_iter struct tree_iter iter = { 0 };
	struct ranges runs = { 0 };
	struct free_space_info info;
	bool ok;

	if (!tree_find(tree, &key, &iter, &ok, err))
		return false;
	if (!ok)
		return wrong("free space tree: nothing about group %" PRIu64, group->logical);
	if (!free_space_info_read(&iter.item, &info, err) || !tree_next(&iter, err))
		return false;
	ok = info.flags & FREE_SPACE_USING_BITMAPS ? read_bitmaps(group, &iter, &runs, err) : read_runs(group, &iter, &runs, err);
	if (ok && runs.n != info.extent_count)
		ok = wrong("free space tree: group %" PRIu64 " counts %u runs, has %zu", group->logical, info.extent_count, runs.n);
	if (ok && runs.n != group->n_free && (group->flags & GROUP_METADATA))
		ok = wrong("free space tree: group %" PRIu64 " has %zu runs, the extent tree leaves %zu", group->logical, runs.n,
			   group->n_free);
	for (size_t i = 0; ok && i < group->n_free; i++) {
		const size_t at = ranges_find(&runs, group->free[i].logical);

		if (at == runs.n || memcmp(&runs.range[at], &group->free[i], sizeof(struct free_range)) != 0)
			ok = wrong("free space tree: no run at %" PRIu64 " of %" PRIu64, group->free[i].logical, group->free[i].length);
	}
	ranges_free(&runs);
	return ok;
}

/* mkfs.btrfs leaves items behind for groups that it removed again: only groups that there are count. */
static bool check_free_space(struct volume *volume, const struct allocator *allocator, struct error *err)
{
	struct tree tree;

	if (!(volume->super.compat_ro & COMPAT_RO_FREE_SPACE_TREE))
		return true;
	if (!tree_open(volume, FREE_SPACE_TREE_ID, &tree, err))
		return false;
	for (size_t i = 0; i < allocator_n_groups(allocator); i++) {
		if (!check_group(&tree, allocator_group(allocator, i), err))
			return false;
	}
	return true;
}

/* --- chunks and devices ------------------------------------------------------------------ */

/* Each stripe is a device extent. */
static bool check_stripes(const struct tree *tree, const struct chunk *chunk, struct error *err)
{
	for (unsigned i = 0; i < chunk->n_stripes; i++) {
		const struct key key = { chunk->stripe[i].devid, KEY_DEV_EXTENT, chunk->stripe[i].physical };
		cleanup_tree_iter struct tree_iter iter = { 0 };
		struct disk_dev_extent disk;
		bool found;

		if (!tree_find(tree, &key, &iter, &found, err))
			return false;
		if (!found || iter.item.left != sizeof(disk))
			return wrong("chunk %" PRIu64 ": its stripe at %" PRIu64 " is no device extent", chunk->logical, key.offset);
		memcpy(&disk, iter.item.at, sizeof(disk));
		if (le64(disk.chunk_tree) != CHUNK_TREE_ID || le64(disk.chunk_objectid) != FIRST_CHUNK_TREE_ID ||
		    le64(disk.chunk_offset) != chunk->logical || le64(disk.length) != stripe_length(chunk))
			return wrong("device extent at %" PRIu64 " is not that of chunk %" PRIu64, key.offset, chunk->logical);
	}
	return true;
}

static bool count_items(const struct tree *tree, uint64_t objectid, uint8_t type, size_t *n, struct error *err)
{
	const struct key first = { objectid, type, 0 };
	cleanup_tree_iter struct tree_iter iter = { 0 };

	*n = 0;
	if (!tree_seek(tree, &first, &iter, err))
		return false;
	for (; iter.valid && iter.key.objectid == objectid && iter.key.type == type; (*n)++) {
		if (!tree_next(&iter, err))
			return false;
	}
	return true;
}

/* What a device has of the chunks. */
static void count_stripes(const struct volume *volume, uint64_t devid, size_t *n, uint64_t *bytes)
{
	*n = 0;
	*bytes = 0;
	for (size_t i = 0; i < volume->n_chunks; i++) {
		const struct chunk *const chunk = &volume->chunks[i];

		for (unsigned k = 0; k < chunk->n_stripes; k++) {
			if (chunk->stripe[k].devid == devid) {
				++*n;
				*bytes += stripe_length(chunk);
			}
		}
	}
}

/* Its extents, and its bytes in its item and in what the superblocks have of that. */
static bool check_device(const struct tree *chunks, const struct tree *devices, const struct volume_device *device, struct error *err)
{
	const struct key key = { DEV_ITEMS_ID, KEY_DEV_ITEM, device->devid };
	cleanup_tree_iter struct tree_iter iter = { 0 };
	size_t n_stripes, n;
	uint64_t used;
	bool found;

	count_stripes(chunks->volume, device->devid, &n_stripes, &used);
	if (!count_items(devices, device->devid, KEY_DEV_EXTENT, &n, err))
		return false;
	if (n != n_stripes)
		return wrong("device tree: device %" PRIu64 " has %zu extents, the chunks have %zu stripes", device->devid, n, n_stripes);
	if (!tree_find(chunks, &key, &iter, &found, err))
		return false;
	if (!found || iter.item.left != sizeof(device->item))
		return wrong("device %" PRIu64 " has no item", device->devid);
	if (device->device && memcmp(iter.item.at, &device->item, sizeof(device->item)) != 0)
		return wrong("device %" PRIu64 ": the superblock has another item", device->devid);
	return le64(device->item.bytes_used) == used ||
	       wrong("device %" PRIu64 ": %" PRIu64 " bytes used, its chunks take %" PRIu64, device->devid, le64(device->item.bytes_used), used);
}

static bool check_chunks(struct volume *volume, struct error *err)
{
	struct tree chunks, devices;
	size_t n;

	if (!tree_open(volume, CHUNK_TREE_ID, &chunks, err) || !tree_open(volume, DEV_TREE_ID, &devices, err))
		return false;
	for (size_t i = 0; i < volume->n_chunks; i++) {
		if (!check_stripes(&devices, &volume->chunks[i], err))
			return false;
	}
	if (!count_items(&chunks, FIRST_CHUNK_TREE_ID, KEY_CHUNK_ITEM, &n, err))
		return false;
	if (n != volume->n_chunks)
		return wrong("chunk tree: %zu chunks, %zu are known", n, volume->n_chunks);
	for (size_t i = 0; i < volume->n_devices; i++) {
		if (!check_device(&chunks, &devices, &volume->devices[i], err))
			return false;
	}
	return true;
}

static bool check(struct volume *volume, bool exact, struct error *err)
{
	struct allocator *allocator;
	uint64_t used = 0;

	if (!allocator_open(volume, &allocator, err))
		return false;
	for (size_t i = 0; i < allocator_n_groups(allocator); i++)
		used += allocator_group(allocator, i)->used;

	bool ok = check_free_space(volume, allocator, err) && check_blocks(volume, exact, err) && check_chunks(volume, err);

	if (ok && used != volume->super.bytes_used)
		ok = wrong("superblock: %" PRIu64 " bytes used, the groups say %" PRIu64, volume->super.bytes_used, used);
	if (ok && (le64(volume->super.disk.bytes_used) != used || volume->super.disk.root_level != volume->super.root_level))
		ok = wrong("superblock: its bytes differ from its numbers");
	allocator_close(allocator);
	return ok;
}

bool tree_check(struct volume *volume, struct error *err)
{
	return check(volume, true, err);
}

bool tree_check_used(struct volume *volume, struct error *err)
{
	return check(volume, false, err);
}

/* --- a fingerprint --------------------------------------------------------------------- */

static bool add_block(void *context, struct block *block, bool *descend, struct error *err)
{
	uint32_t gap_at;
	const uint32_t gap = node_gap(&block->node, &gap_at);
	uint64_t *sum = context;

	(void)descend;
	(void)err;
	/* Checksum and gap are made right only when a transaction settles. */
	*sum = XXH64(block->bytes + CSUM_SIZE, gap_at - CSUM_SIZE, *sum);
	*sum = XXH64(block->bytes + gap_at + gap, block->node.size - gap_at - gap, *sum);
	return true;
}

bool tree_fingerprint(struct volume *volume, uint64_t *sum, struct error *err)
{
	static const uint64_t ids[] = { ROOT_TREE_ID, EXTENT_TREE_ID, CHUNK_TREE_ID, DEV_TREE_ID, FREE_SPACE_TREE_ID,
					BLOCK_GROUP_TREE_ID };
	struct tree tree;

	*sum = XXH64(&volume->super.disk, sizeof(volume->super.disk), volume->super.bytes_used + volume->super.root_level);
	for (size_t i = 0; i < sizeof(ids) / sizeof(*ids); i++) {
		if (!tree_open(volume, ids[i], &tree, err)) {
			if (err->kind != ERROR_NOT_FOUND)
				return false;
			continue;
		}
		if (!tree_walk(&tree, add_block, sum, err))
			return false;
	}
	return true;
}

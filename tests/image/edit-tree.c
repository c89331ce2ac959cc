/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Edits the root tree of a real image the way a conversion does, for the kernel and btrfs check to judge:
 *   edit-tree IMAGE insert FIRST N BLOCKS    adds items; a transaction ends at BLOCKS blocks
 *   edit-tree IMAGE remove FIRST N STEP      removes every STEPth of them, one by one
 *   edit-tree IMAGE cut FIRST LAST           removes a range by its edges
 *   edit-tree IMAGE sweep                    frees blocks of the root tree that cutting left behind
 *   edit-tree IMAGE check FIRST N STEP       exactly these are there, with the right payload
 *   edit-tree IMAGE bitmaps                  turns the free space tree into bitmaps, as a kernel may
 *   edit-tree IMAGE group-tree               moves the block group items to a tree of their own, as newer filesystems have it
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/tree/transaction.h"
#include "common/tree/tree-edit.h"
#include "common/util/set64.h"
#include "format/extent-item.h"

struct run {
	struct volume *volume;
	struct allocator *allocator;
	struct transaction *tx;
	size_t blocks_max;
	size_t n_transactions, n_blocks;
};

/* --- transactions straight to the image ------------------------------------------ */

static bool write_block(struct volume *volume, const struct block *block, struct error *err)
{
	return volume_write(volume, block->logical, block->bytes, volume->super.node_size, err);
}

static bool write_all(struct run *run, struct error *err)
{
	struct volume *volume = run->volume;
	const size_t n = transaction_n_blocks(run->tx);

	if (!transaction_settle(run->tx, err))
		return false;
	if (transaction_n_blocks(run->tx) > n || transaction_n_changed(run->tx) + transaction_n_new(run->tx) > n)
		return error_set(err, ERROR_CORRUPT, "%zu blocks were announced, %zu are changed and %zu new", n,
				 transaction_n_changed(run->tx), transaction_n_new(run->tx));
	for (size_t i = 0; i < transaction_n_new(run->tx); i++) {
		if (!write_block(volume, transaction_new(run->tx, i), err))
			return false;
	}
	for (size_t i = 0; i < transaction_n_changed(run->tx); i++) {
		if (!write_block(volume, transaction_changed(run->tx, i), err))
			return false;
	}
	if (!(volume->super.compat_ro & COMPAT_RO_FREE_SPACE_TREE))
		volume->super.disk.cache_generation = to_le64(volume->super.generation - 1);
	run->n_transactions++;
	run->n_blocks += n;
	return volume_write_supers(volume, &volume->super.disk, err);
}

static bool commit(struct run *run, struct error *err)
{
	const bool ok = write_all(run, err);

	if (ok)
		transaction_end(run->tx);
	else
		transaction_drop(run->tx);
	run->tx = NULL;
	return ok;
}

static bool begin(struct run *run, struct error *err)
{
	return run->tx || transaction_begin(run->volume, run->allocator, &run->tx, err);
}

static bool commit_if_full(struct run *run, struct error *err)
{
	return transaction_n_blocks(run->tx) < run->blocks_max || commit(run, err);
}

/* --- items whose size and payload follow from their number -------------------------- */

static uint64_t mix(uint64_t x)
{
	x = (x ^ x >> 31) * 0x9e3779b97f4a7c15u;
	x = (x ^ x >> 29) * 0xbf58476d1ce4e5b9u;
	return x ^ x >> 32;
}

static struct key key_of(uint64_t number)
{
	return (struct key){ CRYPT_ID, KEY_PERSISTENT_ITEM, number };
}

static uint32_t len_of(uint64_t number, uint32_t node_size)
{
	const uint32_t max = node_size - sizeof(struct disk_header) - sizeof(struct disk_item);
	const uint64_t r = mix(number);

	switch (r % 8) {
	case 0:
		return max;
	case 1:
		return max / 2 - sizeof(struct disk_item) / 2 - 1;
	case 2:
		return 0;
	default:
		return r / 8 % (max / 4);
	}
}

static void fill(uint8_t *payload, uint32_t len, uint64_t number)
{
	for (uint32_t i = 0; i < len; i++)
		payload[i] = mix(number * 65599 + i / 8) >> (i % 8 * 8);
}

static bool insert(struct run *run, uint64_t first, uint64_t n, struct error *err)
{
	static uint8_t payload[NODE_SIZE_MAX];

	for (uint64_t number = first; number < first + n; number++) {
		const struct key key = key_of(number);
		const uint32_t len = len_of(number, run->volume->super.node_size);

		fill(payload, len, number);
		if (!begin(run, err) || !tree_insert(run->tx, ROOT_TREE_ID, &key, payload, len, err) || !commit_if_full(run, err))
			return false;
	}
	return true;
}

static bool take_out(struct run *run, uint64_t first, uint64_t n, uint64_t step, struct error *err)
{
	for (uint64_t number = first; number < first + n; number += step) {
		const struct key key = key_of(number);

		if (!begin(run, err) || !tree_remove(run->tx, ROOT_TREE_ID, &key, err) || !commit_if_full(run, err))
			return false;
	}
	return true;
}

static bool check(struct run *run, uint64_t first, uint64_t n, uint64_t step, struct error *err)
{
	static uint8_t payload[NODE_SIZE_MAX];
	const struct key begin_key = key_of(0);
	cleanup_tree_iter struct tree_iter iter = { 0 };
	struct tree tree;

	if (!tree_open(run->volume, ROOT_TREE_ID, &tree, err) || !tree_seek(&tree, &begin_key, &iter, err))
		return false;
	for (uint64_t number = first; number < first + n; number += step) {
		const struct key key = key_of(number);
		const uint32_t len = len_of(number, run->volume->super.node_size);

		fill(payload, len, number);
		if (!iter.valid || key_compare(&iter.key, &key) != 0)
			return error_set(err, ERROR_CORRUPT, "item %" PRIu64 " is missing", number);
		if (iter.item.left != len || memcmp(iter.item.at, payload, len) != 0)
			return error_set(err, ERROR_CORRUPT, "item %" PRIu64 " has another payload", number);
		if (!tree_next(&iter, err))
			return false;
	}
	if (iter.valid && iter.key.objectid == CRYPT_ID)
		return error_set(err, ERROR_CORRUPT, "item %" PRIu64 " is too much", iter.key.offset);
	return true;
}

/* --- what a cut leaves behind ------------------------------------------------------- */

static bool note_block(void *context, struct block *block, bool *descend, struct error *err)
{
	(void)descend;
	return set64_add(context, block->logical, NULL, err);
}

struct lost {
	uint64_t logical;
	uint8_t level;
};

static bool is_of_root_tree(struct tree_iter *iter, struct lost *lost, bool *yes, struct error *err)
{
	struct extent_item extent;
	struct extent_ref ref;

	*yes = false;
	if (iter->key.type != KEY_METADATA_ITEM && iter->key.type != KEY_EXTENT_ITEM)
		return true;
	if (!extent_item_read(&iter->item, &iter->key, &extent, err))
		return false;
	if (!(extent.flags & EXTENT_FLAG_TREE_BLOCK) || extent.inline_refs.left == 0)
		return true;
	if (!extent_ref_next(&extent.inline_refs, &ref, err))
		return false;
	*yes = ref.type == KEY_TREE_BLOCK_REF && ref.root == ROOT_TREE_ID;
	*lost = (struct lost){ iter->key.objectid, extent.level };
	return true;
}

static bool find_lost(struct run *run, struct lost **lost, size_t *n, struct error *err)
{
	const struct key first = { 0 };
	cleanup_tree_iter struct tree_iter iter = { 0 };
	cleanup_set64 struct set64 reached = { 0 };
	struct tree root_tree, tree;
	size_t room = 0;

	if (!tree_open(run->volume, ROOT_TREE_ID, &root_tree, err) || !tree_walk(&root_tree, note_block, &reached, err) ||
	    !tree_open(run->volume, EXTENT_TREE_ID, &tree, err) || !tree_seek(&tree, &first, &iter, err))
		return false;
	while (iter.valid) {
		struct lost one;
		bool yes;

		if (!is_of_root_tree(&iter, &one, &yes, err))
			return false;
		if (yes && !set64_has(&reached, one.logical)) {
			if (*n == room) {
				room = room ? 2 * room : 64;
				*lost = realloc(*lost, room * sizeof(**lost));
				if (!*lost)
					return error_memory(err);
			}
			(*lost)[(*n)++] = one;
		}
		if (!tree_next(&iter, err))
			return false;
	}
	return true;
}

static bool sweep(struct run *run, struct error *err)
{
	struct lost *lost = NULL;
	size_t n = 0;
	bool ok = find_lost(run, &lost, &n, err);

	for (size_t i = 0; ok && i < n; i++)
		ok = begin(run, err) && transaction_free_block(run->tx, lost[i].logical, lost[i].level, err) &&
		     commit_if_full(run, err);
	free(lost);
	if (ok)
		printf("%zu blocks swept\n", n);
	return ok;
}

/* --- free space as bitmaps ------------------------------------------------------------- */

static bool next_run(struct run *run, const struct group *group, struct key *key, bool *found, struct error *err)
{
	const struct key limit = { group->logical + group->length - 1, KEY_FREE_SPACE_EXTENT, UINT64_MAX };

	if (!tree_edit_last(run->tx, FREE_SPACE_TREE_ID, &limit, found, key, err))
		return false;
	*found = *found && key->type == KEY_FREE_SPACE_EXTENT && key->objectid >= group->logical;
	return true;
}

/* Nothing pending is carried before all of the group has its new form. */
static bool to_bitmaps(struct run *run, const struct group *group, struct error *err)
{
	const uint32_t sector = run->volume->super.sector_size;
	const uint64_t n_bits = group->length / sector, per_item = FREE_SPACE_BITMAP_SIZE * 8;
	const struct key info_key = { group->logical, KEY_FREE_SPACE_INFO, group->length };
	uint8_t *bits = calloc(1, n_bits / 8 + 1), *data;
	struct key key;
	bool found = true, ok = bits != NULL;

	while (ok && (ok = next_run(run, group, &key, &found, err)) && found) {
		for (uint64_t i = 0; i < key.offset / sector; i++) {
			const uint64_t bit = (key.objectid - group->logical) / sector + i;

			bits[bit / 8] |= 1u << (bit % 8);
		}
		ok = tree_edit_remove(run->tx, FREE_SPACE_TREE_ID, &key, err);
	}
	for (uint64_t bit = 0; ok && bit < n_bits; bit += per_item) {
		const uint64_t n = n_bits - bit < per_item ? n_bits - bit : per_item;

		key = (struct key){ group->logical + bit * sector, KEY_FREE_SPACE_BITMAP, n * sector };
		ok = tree_edit_insert(run->tx, FREE_SPACE_TREE_ID, &key, bits + bit / 8, (n + 7) / 8, err);
	}
	if (ok && tree_edit_payload(run->tx, FREE_SPACE_TREE_ID, &info_key, 8, &data, err))
		((struct disk_free_space_info *)data)->flags = to_le32(FREE_SPACE_USING_BITMAPS);
	else
		ok = false;
	free(bits);
	return ok;
}

static bool all_to_bitmaps(struct run *run, struct error *err)
{
	for (size_t i = 0; i < allocator_n_groups(run->allocator); i++) {
		if (!begin(run, err) || !to_bitmaps(run, allocator_group(run->allocator, i), err))
			return false;
	}
	return transaction_carry(run->tx, err);
}

/* --- a block group tree ------------------------------------------------------------------ */

/* Its root: a leaf like that of the extent tree, with a root item like that one's. */
static bool make_group_tree(struct run *run, struct error *err)
{
	struct transaction *tx = run->tx;
	const struct key from = { EXTENT_TREE_ID, KEY_ROOT_ITEM, 0 }, to = { BLOCK_GROUP_TREE_ID, KEY_ROOT_ITEM, 0 };
	const struct le64 owner = to_le64(BLOCK_GROUP_TREE_ID);
	struct disk_root_item item;
	struct block *source, *root;
	struct tree tree;
	uint8_t *data;
	uint32_t len;

	if (!tree_edit_find(tx, ROOT_TREE_ID, &from, &data, &len, err))
		return false;
	if (!data || len != sizeof(item))
		return error_set(err, ERROR_CORRUPT, "no root item of the extent tree");
	memcpy(&item, data, sizeof(item));
	if (!tree_open(run->volume, EXTENT_TREE_ID, &tree, err) || !block_get(run->volume, tree.logical, NULL, &source, err))
		return false;

	const bool ok = transaction_new_block(tx, source, 0, &root, err);

	block_put(source);
	if (!ok)
		return false;
	memcpy(root->bytes + offsetof(struct disk_header, owner), &owner, sizeof(owner));
	tx->pending[tx->n_pending - 1].owner = BLOCK_GROUP_TREE_ID;
	item.bytenr = to_le64(root->logical);
	item.bytes_used = to_le64(0);
	item.level = 0;
	return block_refresh(root, err) && tree_edit_insert(tx, ROOT_TREE_ID, &to, &item, sizeof(item), err);
}

static bool to_group_tree(struct run *run, struct error *err)
{
	struct superblock *super = &run->volume->super;

	if (!begin(run, err) || !make_group_tree(run, err))
		return false;
	for (size_t i = 0; i < allocator_n_groups(run->allocator); i++) {
		const struct group *group = allocator_group(run->allocator, i);
		const struct key key = { group->logical, KEY_BLOCK_GROUP_ITEM, group->length };
		struct disk_block_group item;
		uint8_t *data;

		if (!tree_edit_payload(run->tx, EXTENT_TREE_ID, &key, sizeof(item), &data, err))
			return false;
		memcpy(&item, data, sizeof(item));
		if (!tree_edit_remove(run->tx, EXTENT_TREE_ID, &key, err) ||
		    !tree_edit_insert(run->tx, BLOCK_GROUP_TREE_ID, &key, &item, sizeof(item), err))
			return false;
	}
	super->compat_ro |= COMPAT_RO_BLOCK_GROUP_TREE;
	super->disk.compat_ro_flags = to_le64(super->compat_ro);
	return transaction_carry(run->tx, err);
}

/* --- the command line ---------------------------------------------------------------- */

static bool cut(struct run *run, uint64_t first, uint64_t last, struct error *err)
{
	const struct key a = key_of(first), b = key_of(last);

	return begin(run, err) && tree_cut(run->tx, ROOT_TREE_ID, &a, &b, err);
}

static bool run_command(struct run *run, const char *command, const uint64_t n[3], struct error *err)
{
	if (!strcmp(command, "insert"))
		return run->blocks_max = n[2], insert(run, n[0], n[1], err);
	if (!strcmp(command, "remove"))
		return take_out(run, n[0], n[1], n[2], err);
	if (!strcmp(command, "check"))
		return check(run, n[0], n[1], n[2], err);
	if (!strcmp(command, "cut"))
		return cut(run, n[0], n[1], err);
	if (!strcmp(command, "sweep"))
		return sweep(run, err);
	if (!strcmp(command, "bitmaps"))
		return all_to_bitmaps(run, err);
	if (!strcmp(command, "group-tree"))
		return to_group_tree(run, err);
	return error_set(err, ERROR_USAGE, "unknown command %s", command);
}

static bool run_on(const char *path, const char *command, const uint64_t n[3], struct error *err)
{
	cleanup_volume struct volume *volume = NULL;
	struct run run = { .blocks_max = 300 };
	struct device *device;

	if (!device_open(path, true, &device, err) || !volume_open(device, &(struct volume_options){ 0 }, &volume, err) ||
	    !allocator_open(volume, &run.allocator, err))
		return false;
	run.volume = volume;

	bool ok = run_command(&run, command, n, err);

	if (run.tx && ok)
		ok = commit(&run, err);
	else if (run.tx)
		transaction_drop(run.tx);
	allocator_close(run.allocator);
	if (ok)
		printf("%s: %zu transactions, %zu blocks, root level %u\n", command, run.n_transactions, run.n_blocks,
		       volume->super.root_level);
	return ok;
}

int main(int argc, char **argv)
{
	uint64_t n[3] = { 0 };
	struct error err = { 0 };

	if (argc < 3 || argc > 6) {
		fprintf(stderr, "usage: edit-tree IMAGE COMMAND [NUMBER...]\n");
		return 1;
	}
	for (int i = 3; i < argc; i++)
		n[i - 3] = strtoull(argv[i], NULL, 0);
	if (!run_on(argv[1], argv[2], n, &err)) {
		fprintf(stderr, "edit-tree: %s\n", err.text);
		return err.kind;
	}
	return 0;
}

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

#include "tests/support/edit.h"

struct run {
	struct volume *volume;
	struct allocator *allocator;
	struct transaction *tx;
	size_t blocks_max;
	size_t n_transactions, n_blocks;
};

static bool commit(struct run *run, struct error *err)
{
	struct transaction *tx = run->tx;

	run->tx = NULL;
	run->n_transactions++;
	run->n_blocks += transaction_n_blocks(tx);
	return edit_commit(run->volume, tx, err);
}

static bool begin(struct run *run, struct error *err)
{
	return run->tx || transaction_begin(run->volume, run->allocator, &run->tx, err);
}

static bool commit_if_full(struct run *run, struct error *err)
{
	return transaction_n_blocks(run->tx) < run->blocks_max || commit(run, err);
}

static struct key key_of(uint64_t number)
{
	return (struct key){ CRYPT_ID, KEY_PERSISTENT_ITEM, number };
}

static bool insert(struct run *run, uint64_t first, uint64_t n, struct error *err)
{
	static uint8_t payload[NODE_SIZE_MAX];

	for (uint64_t number = first; number < first + n; number++) {
		const struct key key = key_of(number);
		const uint32_t len = edit_len(number, run->volume->super.node_size);

		edit_fill(payload, len, number);
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
		const uint32_t len = edit_len(number, run->volume->super.node_size);

		edit_fill(payload, len, number);
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

static bool sweep(struct run *run, struct error *err)
{
	struct edit_lost *lost;
	size_t n = 0;
	bool ok = edit_find_lost(run->volume, ROOT_TREE_ID, &lost, &n, err);

	for (size_t i = 0; ok && i < n; i++)
		ok = begin(run, err) && transaction_free_block(run->tx, lost[i].logical, lost[i].level, err) &&
		     commit_if_full(run, err);
	free(lost);
	if (ok)
		printf("%zu blocks swept\n", n);
	return ok;
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
		return begin(run, err) && edit_to_bitmaps(run->tx, err);
	if (!strcmp(command, "group-tree"))
		return begin(run, err) && edit_to_group_tree(run->tx, err);
	return error_set(err, ERROR_USAGE, "unknown command %s", command);
}

static bool run_on(const char *path, const char *command, const uint64_t n[3], struct error *err)
{
	cleanup_volume struct volume *volume = NULL;
	struct run run = { .blocks_max = 300 };
	struct device *device;

	if (!device_open(path, DEVICE_WRITABLE, &device, err) || !volume_open(device, &(struct volume_options){ 0 }, &volume, err) ||
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

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * eat-metadata IMAGE LEFT [DEVICE...]: fills the metadata block groups of a real image up to LEFT bytes for tree blocks, which a kernel, with
 * its reserve, cannot.  A range that a journal fits into is spared where groups are mixed.  The blocks go to the device tree: the
 * kernel's reserve does not grow with it.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/tree/leaf.h"
#include "tests/support/edit.h"

#define DEVICES_MORE 16
#define BLOCKS_AT_ONCE 2000u
#define SPARED ((3u << 20) + (64u << 10))	/* three slots and the copies of the keys */

static bool spare_journal(struct allocator *allocator, struct error *err)
{
	struct free_range range;

	return allocator_find_journals(allocator, 1, SPARED, SPARED, &range, err) &&
	       allocator_reserve(allocator, range.logical, range.length, err);
}

/* Each item fills a leaf. */
static bool eat(struct volume *volume, struct allocator *allocator, uint64_t left, struct error *err)
{
	const uint32_t node_size = volume->super.node_size, len = leaf_payload_max(node_size);
	struct transaction *tx = NULL;
	uint64_t number = 0;

	while (allocator_n_free_blocks(allocator) * node_size > left) {
		const struct key key = { CRYPT_ID + 1, KEY_PERSISTENT_ITEM, number++ };

		if (!tx && !transaction_begin(volume, allocator, &tx, err))
			return false;
		if (!tree_insert(tx, DEV_TREE_ID, &key, NULL, len, err)) {
			transaction_drop(tx);
			return false;
		}
		if (transaction_n_blocks(tx) >= BLOCKS_AT_ONCE) {
			if (!edit_commit(volume, tx, err))
				return false;
			tx = NULL;
		}
	}
	return !tx || edit_commit(volume, tx, err);
}

int main(int argc, char **argv)
{
	struct device *device, *others[DEVICES_MORE];
	struct volume_options options = { .others = others };
	struct volume *volume = NULL;
	struct allocator *allocator = NULL;
	struct error err = { 0 };
	bool ok;

	if (argc < 3 || argc > 3 + DEVICES_MORE) {
		fprintf(stderr, "usage: eat-metadata IMAGE LEFT [DEVICE...]\n");
		return 1;
	}
	ok = device_open(argv[1], DEVICE_WRITABLE, &device, &err);
	for (int i = 3; ok && i < argc; i++)
		ok = device_open(argv[i], DEVICE_WRITABLE, &others[options.n_others++], &err);
	ok = ok && volume_open(device, &options, &volume, &err) && allocator_open(volume, &allocator, &err) && spare_journal(allocator, &err) &&
	     eat(volume, allocator, strtoull(argv[2], NULL, 0), &err);
	if (ok)
		printf("%" PRIu64 " tree blocks are left\n", allocator_n_free_blocks(allocator));
	else
		fprintf(stderr, "eat-metadata: %s\n", err.text);
	allocator_close(allocator);
	volume_close(volume);
	return ok ? 0 : 1;
}

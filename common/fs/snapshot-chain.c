/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A subvolume has its own uuid and that of its source. Subvolumes that share one of these are in one chain: sorted by uuid, they are
 * neighbours. Sets are trees of indexes whose paths are halved by every search, so rings and long chains cost no more.
 */
#include "common/fs/snapshot-chain.h"

#include <stdlib.h>
#include <string.h>
#include <uuid/uuid.h>

struct mention {
	uint8_t uuid[UUID_SIZE];
	uint32_t by;
};

static int compare_mentions(const void *left, const void *right)
{
	const struct mention *const a = left, *const b = right;

	return memcmp(a->uuid, b->uuid, UUID_SIZE);
}

static uint32_t find_top(uint32_t *chain, uint32_t i)
{
	while (chain[i] != i) {
		chain[i] = chain[chain[i]];
		i = chain[i];
	}
	return i;
}

static size_t collect(const struct subvolume_list *list, struct mention *mention)
{
	size_t n = 0;

	for (uint32_t i = 0; i < list->n; i++) {
		const struct root *const root = &list->at[i].root;
		const uint8_t *const uuids[] = { root->uuid, root->parent_uuid };

		for (size_t u = 0; u < 2; u++) {
			if (!root->has_v2 || root->is_short || uuid_is_null(uuids[u]))
				continue;	/* items of old kernels have no uuid */
			memcpy(mention[n].uuid, uuids[u], UUID_SIZE);
			mention[n++].by = i;
		}
	}
	return n;
}

bool snapshot_chains(const struct subvolume_list *list, uint32_t **chain, struct error *err)
{
	struct mention *const mention = calloc(2 * list->n + 1, sizeof(*mention));
	uint32_t *const top = calloc(list->n + 1, sizeof(*top));
	size_t n;

	*chain = top;
	if (!mention || !top) {
		free(mention);
		return error_memory(err);
	}
	for (uint32_t i = 0; i < list->n; i++)
		top[i] = i;
	n = collect(list, mention);
	qsort(mention, n, sizeof(*mention), compare_mentions);
	for (size_t i = 1; i < n; i++) {
		if (compare_mentions(&mention[i - 1], &mention[i]) == 0)
			top[find_top(top, mention[i].by)] = find_top(top, mention[i - 1].by);
	}
	for (uint32_t i = 0; i < list->n; i++)
		top[i] = find_top(top, i);
	free(mention);
	return true;
}

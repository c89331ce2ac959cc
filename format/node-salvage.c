/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Salvages what can be shown of a damaged tree block without reading outside it. */
#include "format/node-salvage.h"

#include <stdlib.h>

void node_salvage(const uint8_t *bytes, uint32_t size, uint64_t logical, struct node *out, uint32_t *n_items_claimed)
{
	*out = node_of_header(bytes, size, logical);

	const size_t entry = node_is_leaf(out) ? sizeof(struct disk_item) : sizeof(struct disk_key_ptr);
	const uint32_t max = (size - sizeof(struct disk_header)) / entry;

	*n_items_claimed = out->n_items;
	if (out->n_items > max)
		out->n_items = max;
}

struct salvaged_item node_salvage_item(const struct node *node, uint32_t slot)
{
	const uint32_t room = node->size - (uint32_t)sizeof(struct disk_header);
	struct disk_item disk;

	memcpy(&disk, node->bytes + sizeof(struct disk_header) + slot * sizeof(disk), sizeof(disk));

	struct salvaged_item item = { .offset = le32(disk.offset), .size = le32(disk.size) };

	item.inside = item.offset >= node->n_items * sizeof(disk) && item.offset <= room && item.size <= room - item.offset;
	if (item.inside) {
		const uint32_t at = (uint32_t)sizeof(struct disk_header) + item.offset;

		item.item = (struct cursor){ node->bytes + at, item.size, node->logical + at };
	}
	return item;
}

/* --- rebuilding ---------------------------------------------------------------------------------------------- */

static bool can_be_used(const struct node *node, uint32_t slot, const struct node_limits *limits)
{
	const struct key key = node_key(node, slot);

	if ((limits->first && key_compare(&key, limits->first) < 0) || (limits->below && key_compare(&key, limits->below) >= 0))
		return false;
	if (node_is_leaf(node))
		return node_salvage_item(node, slot).inside;
	return node_child(node, slot) != 0 && node_child(node, slot) % NODE_SIZE_MIN == 0;
}

/*
 * The longest ascending run of keys: a key that is far off removes only itself, not everything after it. best[n]: the slot that ends the
 * best run of n + 1; before[slot]: the previous slot in its run. Returns the length of the run, and its slots in best[].
 */
static uint32_t longest_run(const struct node *node, const struct node_limits *limits, uint32_t *best, uint32_t *before)
{
	uint32_t n = 0;

	for (uint32_t slot = 0; slot < node->n_items; slot++) {
		uint32_t low = 0, high = n;

		if (!can_be_used(node, slot, limits))
			continue;

		const struct key key = node_key(node, slot);

		while (low < high) {
			const uint32_t middle = low + (high - low) / 2;
			const struct key other = node_key(node, best[middle]);

			if (key_compare(&other, &key) < 0)
				low = middle + 1;
			else
				high = middle;
		}
		before[slot] = low > 0 ? best[low - 1] : UINT32_MAX;
		best[low] = slot;
		n += low == n;
	}
	for (uint32_t i = n, slot = n > 0 ? best[n - 1] : 0; i > 0; i--) {
		best[i - 1] = slot;
		slot = before[slot];
	}
	return n;
}

bool node_rebuild(uint8_t *bytes, uint32_t size, uint64_t logical, const struct node_limits *limits, struct node *out,
		  uint32_t *n_items_claimed, struct error *err)
{
	const size_t entry = limits->level == 0 ? sizeof(struct disk_item) : sizeof(struct disk_key_ptr);
	const uint32_t most = (size - sizeof(struct disk_header)) / entry;
	uint32_t *room = malloc(2 * (size_t)most * sizeof(*room));
	uint8_t *entries = bytes + sizeof(struct disk_header);
	struct node node;

	if (!room)
		return error_memory(err);
	node_salvage(bytes, size, logical, &node, n_items_claimed);
	node.level = limits->level;
	node.n_items = *n_items_claimed < most ? *n_items_claimed : most;

	const uint32_t n = longest_run(&node, limits, room, room + most);

	/* Moves forwards: each entry stays, or goes to a place already copied. */
	for (uint32_t i = 0; i < n; i++)
		memmove(entries + i * entry, entries + room[i] * entry, entry);
	free(room);
	if (n == 0)
		return error_set(err, ERROR_CORRUPT, "nothing in it can be used");
	node.n_items = n;
	*out = node;
	return true;
}

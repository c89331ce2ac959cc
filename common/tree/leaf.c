/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Edits the bytes of one tree block: the payloads of a leaf grow from its end, the headers from its beginning. */
#include "common/tree/leaf.h"

static uint8_t *entries(struct leaf_bytes block)
{
	return block.at + sizeof(struct disk_header);
}

static uint8_t level(struct leaf_bytes block)
{
	return block.at[offsetof(struct disk_header, level)];
}

uint32_t leaf_n_items(struct leaf_bytes block)
{
	struct le32 n;

	memcpy(&n, block.at + offsetof(struct disk_header, nritems), sizeof(n));
	return le32(n);
}

void leaf_set_n_items(struct leaf_bytes block, uint32_t n)
{
	const struct le32 disk = to_le32(n);

	memcpy(block.at + offsetof(struct disk_header, nritems), &disk, sizeof(disk));
}

static struct disk_item item_get(struct leaf_bytes leaf, uint32_t slot)
{
	struct disk_item item;

	memcpy(&item, entries(leaf) + slot * sizeof(item), sizeof(item));
	return item;
}

static void item_put(struct leaf_bytes leaf, uint32_t slot, const struct disk_item *item)
{
	memcpy(entries(leaf) + slot * sizeof(*item), item, sizeof(*item));
}

/* Where the payload of a slot ends, counted from the end of the header. For slot n_items: where free space ends. */
static uint32_t data_end(struct leaf_bytes leaf, uint32_t slot)
{
	return slot == 0 ? leaf.size - sizeof(struct disk_header) : le32(item_get(leaf, slot - 1).offset);
}

/* Moves the payloads of slots first..n-1 by this many bytes towards the end (negative: the beginning) of the leaf. */
static void shift_data(struct leaf_bytes leaf, uint32_t first, uint32_t n, int32_t by)
{
	if (first == n)
		return;

	const uint32_t start = data_end(leaf, n), len = data_end(leaf, first) - start;

	memmove(entries(leaf) + start + by, entries(leaf) + start, len);
	for (uint32_t slot = first; slot < n; slot++) {
		struct disk_item item = item_get(leaf, slot);

		item.offset = to_le32(le32(item.offset) + by);
		item_put(leaf, slot, &item);
	}
}

uint32_t leaf_used(struct leaf_bytes leaf, uint32_t first, uint32_t n)
{
	return n * sizeof(struct disk_item) + data_end(leaf, first) - data_end(leaf, first + n);
}

uint32_t leaf_free(struct leaf_bytes leaf)
{
	return leaf.size - sizeof(struct disk_header) - leaf_used(leaf, 0, leaf_n_items(leaf));
}

uint8_t *leaf_insert(struct leaf_bytes leaf, uint32_t slot, const struct key *key, uint32_t len)
{
	const uint32_t n = leaf_n_items(leaf);

	assert(level(leaf) == 0 && slot <= n);
	assert(leaf_free(leaf) >= sizeof(struct disk_item) && leaf_free(leaf) - sizeof(struct disk_item) >= len);

	const uint32_t end = data_end(leaf, slot);
	const struct disk_item item = { key_to_disk(key), to_le32(end - len), to_le32(len) };
	uint8_t *const at = entries(leaf) + slot * sizeof(item);

	shift_data(leaf, slot, n, -(int32_t)len);
	memmove(at + sizeof(item), at, (n - slot) * sizeof(item));
	item_put(leaf, slot, &item);
	leaf_set_n_items(leaf, n + 1);
	return memset(entries(leaf) + end - len, 0, len);
}

void leaf_remove(struct leaf_bytes leaf, uint32_t first, uint32_t n)
{
	const uint32_t n_items = leaf_n_items(leaf);

	assert(level(leaf) == 0 && first <= n_items && n <= n_items - first);

	uint8_t *const at = entries(leaf) + first * sizeof(struct disk_item);

	shift_data(leaf, first + n, n_items, (int32_t)(data_end(leaf, first) - data_end(leaf, first + n)));
	memmove(at, at + n * sizeof(struct disk_item), (n_items - first - n) * sizeof(struct disk_item));
	leaf_set_n_items(leaf, n_items - n);
}

void leaf_move_tail(struct leaf_bytes from, uint32_t first, struct leaf_bytes to)
{
	const uint32_t n = leaf_n_items(from);

	assert(level(from) == 0 && level(to) == 0 && first <= n && leaf_n_items(to) == 0 && from.size == to.size);

	const uint32_t start = data_end(from, n), len = data_end(from, first) - start;
	const uint32_t by = data_end(from, 0) - data_end(from, first);

	memcpy(entries(to) + start + by, entries(from) + start, len);
	for (uint32_t slot = first; slot < n; slot++) {
		struct disk_item item = item_get(from, slot);

		item.offset = to_le32(le32(item.offset) + by);
		item_put(to, slot - first, &item);
	}
	leaf_set_n_items(to, n - first);
	leaf_set_n_items(from, first);
}

void inner_insert(struct leaf_bytes inner, uint32_t slot, const struct key *key, uint64_t child, uint64_t generation)
{
	const struct disk_key_ptr pointer = { key_to_disk(key), to_le64(child), to_le64(generation) };
	const uint32_t n = leaf_n_items(inner);
	uint8_t *const at = entries(inner) + slot * sizeof(pointer);

	assert(level(inner) > 0 && slot <= n && n < inner_pointers_max(inner.size));
	memmove(at + sizeof(pointer), at, (n - slot) * sizeof(pointer));
	memcpy(at, &pointer, sizeof(pointer));
	leaf_set_n_items(inner, n + 1);
}

void inner_remove(struct leaf_bytes inner, uint32_t first, uint32_t n)
{
	const uint32_t n_items = leaf_n_items(inner);
	uint8_t *const at = entries(inner) + first * sizeof(struct disk_key_ptr);

	assert(level(inner) > 0 && first <= n_items && n <= n_items - first);
	memmove(at, at + n * sizeof(struct disk_key_ptr), (n_items - first - n) * sizeof(struct disk_key_ptr));
	leaf_set_n_items(inner, n_items - n);
}

void inner_move_tail(struct leaf_bytes from, uint32_t first, struct leaf_bytes to)
{
	const uint32_t n = leaf_n_items(from);

	assert(level(from) > 0 && level(to) == level(from) && first <= n && leaf_n_items(to) == 0);
	memcpy(entries(to), entries(from) + first * sizeof(struct disk_key_ptr),
	       (n - first) * sizeof(struct disk_key_ptr));
	leaf_set_n_items(to, n - first);
	leaf_set_n_items(from, first);
}

void leaf_set_key(struct leaf_bytes block, uint32_t slot, const struct key *key)
{
	const struct disk_key disk = key_to_disk(key);
	const size_t entry = level(block) == 0 ? sizeof(struct disk_item) : sizeof(struct disk_key_ptr);

	assert(slot < leaf_n_items(block));
	memcpy(entries(block) + slot * entry, &disk, sizeof(disk));
}

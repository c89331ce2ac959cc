/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Checks a whole tree block once, so that the accessors can trust it. */
#include "format/node.h"

#include <inttypes.h>

#define corrupt(format, ...) \
	error_set(err, ERROR_CORRUPT, "tree block at %#" PRIx64 ": " format, node->logical, __VA_ARGS__)

static size_t entry_size(const struct node *node)
{
	return node_is_leaf(node) ? sizeof(struct disk_item) : sizeof(struct disk_key_ptr);
}

static const uint8_t *entry_at(const struct node *node, uint32_t slot)
{
	return node->bytes + sizeof(struct disk_header) + slot * entry_size(node);
}

static struct disk_item item_of(const struct node *node, uint32_t slot)
{
	struct disk_item item;

	memcpy(&item, entry_at(node, slot), sizeof(item));
	return item;
}

static struct disk_key_ptr pointer_of(const struct node *node, uint32_t slot)
{
	struct disk_key_ptr pointer;

	memcpy(&pointer, entry_at(node, slot), sizeof(pointer));
	return pointer;
}

struct key node_key(const struct node *node, uint32_t slot)
{
	struct disk_key disk;	/* both kinds of entries begin with a key */

	memcpy(&disk, entry_at(node, slot), sizeof(disk));
	return key_from_disk(&disk);
}

uint64_t node_child(const struct node *node, uint32_t slot)
{
	return le64(pointer_of(node, slot).blockptr);
}

uint64_t node_child_generation(const struct node *node, uint32_t slot)
{
	return le64(pointer_of(node, slot).generation);
}

uint32_t leaf_item_at(const struct node *node, uint32_t slot)
{
	return sizeof(struct disk_header) + le32(item_of(node, slot).offset);
}

struct cursor leaf_item(const struct node *node, uint32_t slot)
{
	const uint32_t at = leaf_item_at(node, slot);

	return (struct cursor){ node->bytes + at, le32(item_of(node, slot).size), node->logical + at };
}

uint32_t node_gap(const struct node *node, uint32_t *gap_at)
{
	const uint32_t start = entry_at(node, node->n_items) - node->bytes;
	const bool has_data = node_is_leaf(node) && node->n_items > 0;
	const uint32_t end = has_data ? leaf_item_at(node, node->n_items - 1) : node->size;

	*gap_at = start;
	return end - start;
}

uint32_t node_search(const struct node *node, const struct key *key)
{
	uint32_t low = 0, high = node->n_items;

	while (low < high) {
		const uint32_t middle = low + (high - low) / 2;
		const struct key found = node_key(node, middle);

		if (key_compare(&found, key) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

uint32_t node_pointer_slot(const struct node *node, const struct key *key)
{
	const uint32_t slot = node_search(node, key);

	if (slot < node->n_items) {
		const struct key found = node_key(node, slot);

		if (key_compare(&found, key) == 0)
			return slot;
	}
	return slot > 0 ? slot - 1 : 0;
}

static bool check_keys(const struct node *node, struct error *err)
{
	struct key previous = { 0 };

	for (uint32_t slot = 0; slot < node->n_items; slot++) {
		const struct key key = node_key(node, slot);

		if (slot > 0 && key_compare(&previous, &key) >= 0) {
			char have[KEY_TEXT_SIZE], before[KEY_TEXT_SIZE];

			return corrupt("slot %u: key is %s, not above %s of the slot before it", slot,
				       key_text(&key, have), key_text(&previous, before));
		}
		previous = key;
	}
	return true;
}

/* Item data fill a leaf from its end, one item after the other, at most down to the item headers. */
static bool check_items(const struct node *node, struct error *err)
{
	const uint32_t headers_end = node->n_items * sizeof(struct disk_item);
	uint32_t data_start = node->size - sizeof(struct disk_header);

	for (uint32_t slot = 0; slot < node->n_items; slot++) {
		const struct disk_item item = item_of(node, slot);
		const uint32_t offset = le32(item.offset), size = le32(item.size);

		if ((uint64_t)offset + size != data_start)
			return corrupt("slot %u: offset is %u and size is %u, which ends at %" PRIu64 ", not at %u",
				       slot, offset, size, (uint64_t)offset + size, data_start);
		if (offset < headers_end)
			return corrupt("slot %u: offset is %u, the item headers end at %u", slot, offset, headers_end);
		data_start = offset;
	}
	return true;
}

static bool check_pointers(const struct node *node, struct error *err)
{
	for (uint32_t slot = 0; slot < node->n_items; slot++) {
		const uint64_t child = node_child(node, slot);

		if (child == 0 || child % NODE_SIZE_MIN != 0)
			return corrupt("slot %u: blockptr is %#" PRIx64 ", not a nonzero multiple of %u", slot, child,
				       NODE_SIZE_MIN);
	}
	return true;
}

static bool check(const struct node *node, uint64_t bytenr, struct error *err)
{
	const uint32_t room = node->size - sizeof(struct disk_header);
	const uint32_t max = room / entry_size(node);

	if (bytenr != node->logical)
		return corrupt("bytenr is %#" PRIx64 ", not where it is", bytenr);
	if (node->level >= LEVEL_MAX)
		return corrupt("level is %u, not 0 to %u", node->level, LEVEL_MAX - 1);
	if (node->n_items > max)
		return corrupt("nritems is %u, at most %u fit", node->n_items, max);
	if (node->n_items == 0 && !node_is_leaf(node))
		return corrupt("nritems is 0 at level %u, only a leaf may be empty", node->level);
	if (!check_keys(node, err))
		return false;
	return node_is_leaf(node) ? check_items(node, err) : check_pointers(node, err);
}

struct node node_of_header(const uint8_t *bytes, uint32_t size, uint64_t logical)
{
	struct disk_header disk;

	memcpy(&disk, bytes, sizeof(disk));

	struct node node = {
		.bytes = bytes,
		.size = size,
		.logical = logical,
		.generation = le64(disk.generation),
		.owner = le64(disk.owner),
		.flags = le64(disk.flags),
		.n_items = le32(disk.nritems),
		.level = disk.level,
	};

	memcpy(node.fsid, disk.fsid, sizeof(node.fsid));
	return node;
}

bool node_read(const uint8_t *bytes, uint32_t size, uint64_t logical, struct node *out, struct error *err)
{
	struct cursor block = { bytes, size, logical };
	struct disk_header disk;

	if (!cursor_read(&block, &disk, sizeof(disk)))
		return error_set(err, ERROR_CORRUPT, "tree block at %#" PRIx64 ": %u bytes, a header takes %zu", logical,
				 size, sizeof(disk));

	const struct node node = node_of_header(bytes, size, logical);

	if (!check(&node, le64(disk.bytenr), err))
		return false;
	*out = node;
	return true;
}

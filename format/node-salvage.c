/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What of a damaged tree block can be shown without leaving it. */
#include "format/node-salvage.h"

void node_salvage(const uint8_t *bytes, uint32_t size, uint64_t logical, struct node *out, uint32_t *n_items_claimed)
{
	struct disk_header disk;

	memcpy(&disk, bytes, sizeof(disk));

	const size_t entry = disk.level == 0 ? sizeof(struct disk_item) : sizeof(struct disk_key_ptr);
	const uint32_t max = (size - sizeof(disk)) / entry;

	*n_items_claimed = le32(disk.nritems);
	*out = (struct node){
		.bytes = bytes,
		.size = size,
		.logical = logical,
		.generation = le64(disk.generation),
		.owner = le64(disk.owner),
		.flags = le64(disk.flags),
		.n_items = *n_items_claimed < max ? *n_items_claimed : max,
		.level = disk.level,
	};
	memcpy(out->fsid, disk.fsid, sizeof(out->fsid));
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

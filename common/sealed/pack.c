/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Packs units and inline units into items that fill leaves, the same way every time. */
#include "common/sealed/pack.h"

/* A shorter unit is not worth the room at the end of an item. */
#define UNIT_BLOCKS_WORTH 16u

uint32_t crypt_item_max(uint32_t node_size)
{
	const uint32_t leaf = node_size - (uint32_t)sizeof(struct disk_header);
	const uint32_t full = sizeof(struct disk_item) + sizeof(struct disk_crypt_head) + sizeof(struct disk_crypt_unit) +
			      CRYPT_UNIT_BLOCKS_MAX * CRYPT_TAG_SIZE;
	const uint32_t n_items = leaf / full ? leaf / full : 1;

	return leaf / n_items - (uint32_t)sizeof(struct disk_item);
}

unsigned inline_units_per_item(uint32_t node_size)
{
	return (crypt_item_max(node_size) - sizeof(struct disk_crypt_head)) / sizeof(struct disk_crypt_inline_unit);
}

uint8_t *unit_pack_put(uint8_t *out, const struct scan *scan, const struct scan_extent *extent, uint64_t offset, uint32_t blocks,
			enum crypt_cipher cipher)
{
	const struct disk_crypt_unit unit = {
		.u = {
			.cipher = cipher,
			.unit_id = to_le64(extent->logical + offset),
			.blocks = to_le32(blocks),
			.extent_len = to_le64(extent->length),
			.offset_in_extent = to_le64(offset),
		},
		.root = to_le64(scan->member[extent->member]),
		.inode = to_le64(extent->inode),
		.file_offset = to_le64(extent->file_offset),
		.address = to_le64(extent->logical),
	};

	memcpy(out, &unit, sizeof(unit));
	memset(out + sizeof(unit), 0, (size_t)blocks * CRYPT_TAG_SIZE);
	return out + sizeof(unit) + (size_t)blocks * CRYPT_TAG_SIZE;
}

bool unit_pack_next(struct unit_packer *packer, enum crypt_cipher cipher, uint8_t *out, uint32_t *len, unsigned *n_units)
{
	const struct scan *scan = packer->scan;
	uint32_t used = sizeof(struct disk_crypt_head);

	*n_units = 0;
	while (packer->extent < scan->n_extents) {
		const struct scan_extent *extent = &scan->extent[packer->extent];
		const uint64_t left = (extent->length - packer->offset) / CRYPT_BLOCK;
		const uint32_t room = packer->item_max - used;
		uint64_t blocks = left < CRYPT_UNIT_BLOCKS_MAX ? left : CRYPT_UNIT_BLOCKS_MAX;

		if (room < sizeof(struct disk_crypt_unit) + CRYPT_TAG_SIZE)
			break;

		const uint32_t fit = (room - (uint32_t)sizeof(struct disk_crypt_unit)) / CRYPT_TAG_SIZE;

		if (fit < blocks && fit < UNIT_BLOCKS_WORTH)
			break;
		if (fit < blocks)
			blocks = fit;
		if (out)
			unit_pack_put(out + used, scan, extent, packer->offset, (uint32_t)blocks, cipher);
		used += (uint32_t)(sizeof(struct disk_crypt_unit) + blocks * CRYPT_TAG_SIZE);
		(*n_units)++;
		packer->offset += blocks * CRYPT_BLOCK;
		if (packer->offset == extent->length) {
			packer->extent++;
			packer->offset = 0;
		}
	}
	if (*n_units == 0)
		return false;
	*len = used;
	if (out) {
		struct disk_crypt_head head;

		crypt_head_write(&head, CRYPT_UNITS, *n_units);
		memcpy(out, &head, sizeof(head));
	}
	return true;
}

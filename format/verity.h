/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Items of a file with fs-verity: its descriptor, in two parts, and its Merkle tree, in pieces. */
#ifndef FORMAT_VERITY_H
#define FORMAT_VERITY_H

#include "format/cursor.h"
#include "format/ondisk.h"

struct disk_verity_size {	/* (inode, VERITY_DESC_ITEM, 0); the descriptor itself begins at offset 1 */
	struct le64 size;
	uint8_t reserved[16];
	uint8_t encryption;
};
static_assert(sizeof(struct disk_verity_size) == 25, "btrfs_verity_descriptor_item");

struct disk_verity_descriptor {		/* followed by sig_size bytes of signature */
	uint8_t version;
	uint8_t hash_algorithm;
	uint8_t log_block_size;
	uint8_t salt_size;
	struct le32 sig_size;
	struct le64 data_size;
	uint8_t root_hash[64];
	uint8_t salt[32];
	uint8_t reserved[144];
};
static_assert(sizeof(struct disk_verity_descriptor) == 256, "fsverity_descriptor");

struct verity_size {
	uint64_t size;		/* of the descriptor with its signature */
	uint8_t encryption;
	uint8_t reserved[16];
};
bool verity_size_read(struct cursor *item, struct verity_size *size, struct error *err) must_use;

struct verity_descriptor {
	uint8_t version, hash_algorithm, log_block_size, salt_size;
	uint32_t sig_size;
	uint64_t data_size;
	uint8_t root_hash[64], salt[32];
};
/* Version 1, salt_size at most 32. What follows it is left in item. */
bool verity_descriptor_read(struct cursor *item, struct verity_descriptor *descriptor, struct error *err) must_use;

#endif /* FORMAT_VERITY_H */

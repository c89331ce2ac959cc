/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Reads the descriptor of a file with fs-verity. */
#include "format/verity.h"

#include <inttypes.h>

#define corrupt_at(kind, format, ...) \
	error_set(err, ERROR_CORRUPT, kind " at %#" PRIx64 ": " format, item->offset, __VA_ARGS__)

bool verity_size_read(struct cursor *item, struct verity_size *out, struct error *err)
{
	struct disk_verity_size disk;

	if (item->left != sizeof(disk) || !cursor_read(item, &disk, sizeof(disk)))
		return corrupt_at("verity descriptor item", "%zu bytes, not %zu", item->left, sizeof(disk));
	*out = (struct verity_size){ .size = le64(disk.size), .encryption = disk.encryption };
	memcpy(out->reserved, disk.reserved, sizeof(out->reserved));
	return true;
}

bool verity_descriptor_read(struct cursor *item, struct verity_descriptor *out, struct error *err)
{
	struct disk_verity_descriptor disk;
	struct cursor rest = *item;

	if (!cursor_read(&rest, &disk, sizeof(disk)))
		return corrupt_at("verity descriptor", "%zu bytes, not %zu", item->left, sizeof(disk));
	if (disk.version != 1)
		return corrupt_at("verity descriptor", "version is %u, not 1", disk.version);
	if (disk.salt_size > sizeof(disk.salt))
		return corrupt_at("verity descriptor", "salt_size is %u, at most %zu", disk.salt_size, sizeof(disk.salt));
	*out = (struct verity_descriptor){
		.version = disk.version,
		.hash_algorithm = disk.hash_algorithm,
		.log_block_size = disk.log_block_size,
		.salt_size = disk.salt_size,
		.sig_size = le32(disk.sig_size),
		.data_size = le64(disk.data_size),
	};
	memcpy(out->root_hash, disk.root_hash, sizeof(out->root_hash));
	memcpy(out->salt, disk.salt, sizeof(out->salt));
	*item = rest;
	return true;
}

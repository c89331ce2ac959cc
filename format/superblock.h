/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The superblock: checked fields, and the raw bytes for writing it back. */
#ifndef FORMAT_SUPERBLOCK_H
#define FORMAT_SUPERBLOCK_H

#include "format/cursor.h"
#include "format/ondisk.h"

enum csum_type {
	CSUM_CRC32C = 0,
	CSUM_XXHASH64 = 1,
	CSUM_SHA256 = 2,
	CSUM_BLAKE2B = 3,
};

struct superblock {
	struct disk_superblock disk;	/* as read; csum not checked here */
	uint8_t fsid[FSID_SIZE];
	uint8_t metadata_fsid[FSID_SIZE];	/* what tree headers carry: metadata_uuid or fsid */
	uint64_t bytenr, flags, generation;
	uint64_t root, chunk_root, log_root;
	uint64_t chunk_root_generation;
	uint64_t total_bytes, bytes_used, n_devices;
	uint64_t compat, compat_ro, incompat;
	uint64_t cache_generation;
	uint32_t sector_size, node_size;
	enum csum_type csum_type;
	uint8_t root_level, chunk_root_level, log_root_level;
	uint64_t devid;
	uint8_t dev_uuid[UUID_SIZE];
	uint64_t dev_total_bytes;
	struct cursor sys_chunks;	/* borrowed from .disk of this struct: do not copy the struct without fixing it */
};

/*
 * Reads SUPER_SIZE bytes found at physical address where. ERROR_NOT_FOUND if the magic is missing. Checks sizes (powers of two, sector
 * 4096..65536, node sector..65536), csum type, levels, root addresses aligned, sys_chunk_array_size <= 2048, bytenr == where, n_devices >=
 * 1: ERROR_CORRUPT.
 */
bool superblock_read(const uint8_t bytes[SUPER_SIZE], uint64_t where, struct superblock *super, struct error *err) must_use;

/* Does it say that a conversion is unfinished: by our incompat bit, or by a state in the bytes after its fields? */
bool superblock_is_unfinished(const struct superblock *super);

/* Each sets a field in both forms: the native one, which is read, and the one that is written back. */
void superblock_set_root_level(struct superblock *super, uint8_t level);
void superblock_set_chunk_root(struct superblock *super, uint64_t logical);
void superblock_set_chunk_root_level(struct superblock *super, uint8_t level);
void superblock_set_bytes_used(struct superblock *super, uint64_t bytes);

/* What a conversion leaves in the superblock while it is unfinished, in bytes that are about to be written: its state, and the bit that announces it. */
void superblock_put_state(struct disk_superblock *disk, const void *state, size_t len);
void superblock_clear_state(struct disk_superblock *disk);

/* Physical address of copy n (0..2) on a device. */
uint64_t superblock_offset(unsigned copy);

/* How many copies a device of this size carries (0..3). */
unsigned superblock_n_copies(uint64_t device_size);

/* Bytes of a checksum of this type: 4, 8, 32, 32. */
unsigned csum_type_size(enum csum_type type);
const char *csum_type_name(enum csum_type type);	/* "crc32c", "xxhash64", "sha256", "blake2b" */

#endif /* FORMAT_SUPERBLOCK_H */

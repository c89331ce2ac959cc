/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Checks a superblock, and knows where its copies are. */
#include "format/superblock.h"

#include <assert.h>
#include <inttypes.h>

#include "format/crypt.h"

#define corrupt(format, ...) \
	error_set(err, ERROR_CORRUPT, "superblock at %#" PRIx64 ": " format, where, __VA_ARGS__)

static const uint64_t copy_offset[SUPER_COPIES] = { SUPER_OFFSET_0, SUPER_OFFSET_1, SUPER_OFFSET_2 };

void superblock_set_root_level(struct superblock *super, uint8_t level)
{
	super->root_level = super->disk.root_level = level;
}

void superblock_set_chunk_root(struct superblock *super, uint64_t logical)
{
	super->chunk_root = logical;
	super->disk.chunk_root = to_le64(logical);
}

void superblock_set_chunk_root_level(struct superblock *super, uint8_t level)
{
	super->chunk_root_level = super->disk.chunk_root_level = level;
}

void superblock_set_bytes_used(struct superblock *super, uint64_t bytes)
{
	super->bytes_used = bytes;
	super->disk.bytes_used = to_le64(bytes);
}

void superblock_put_state(struct disk_superblock *disk, const void *state, size_t len)
{
	assert(len <= sizeof(disk->tail));
	memset(disk->tail, 0, sizeof(disk->tail));
	memcpy(disk->tail, state, len);
	disk->incompat_flags = to_le64(le64(disk->incompat_flags) | INCOMPAT_CRYPT_UNFINISHED);
}

void superblock_clear_state(struct disk_superblock *disk)
{
	memset(disk->tail, 0, sizeof(disk->tail));
	disk->incompat_flags = to_le64(le64(disk->incompat_flags) & ~INCOMPAT_CRYPT_UNFINISHED);
}

uint64_t superblock_offset(unsigned copy)
{
	return copy_offset[copy];
}

bool superblock_is_unfinished(const struct superblock *super)
{
	return super->incompat & INCOMPAT_CRYPT_UNFINISHED ||
	       memcmp(super->disk.tail, CRYPT_STATE_MAGIC, strlen(CRYPT_STATE_MAGIC)) == 0;
}

unsigned superblock_n_copies(uint64_t device_size)
{
	unsigned n = 0;

	while (n < SUPER_COPIES && device_size >= copy_offset[n] + SUPER_SIZE)
		n++;
	return n;
}

static const struct {
	const char *name;
	unsigned size;
} csum_types[] = {
	[CSUM_CRC32C] = { "crc32c", 4 },
	[CSUM_XXHASH64] = { "xxhash64", 8 },
	[CSUM_SHA256] = { "sha256", 32 },
	[CSUM_BLAKE2B] = { "blake2b", 32 },
};

unsigned csum_type_size(enum csum_type type)
{
	return csum_types[type].size;
}

const char *csum_type_name(enum csum_type type)
{
	return csum_types[type].name;
}

static bool is_size(uint32_t size, uint32_t min)
{
	return size >= min && size <= NODE_SIZE_MAX && (size & (size - 1)) == 0;
}

static bool check_sizes(const struct disk_superblock *disk, uint64_t where, struct error *err)
{
	const uint32_t sector = le32(disk->sectorsize), node = le32(disk->nodesize);
	const uint32_t array = le32(disk->sys_chunk_array_size);
	const uint32_t array_min = sizeof(struct disk_key) + sizeof(struct disk_chunk) + sizeof(struct disk_stripe);
	const uint32_t array_max = sizeof(disk->sys_chunk_array);

	if (le64(disk->num_devices) == 0)
		return corrupt("num_devices is 0, not at least %d", 1);
	if (!is_size(sector, NODE_SIZE_MIN))
		return corrupt("sectorsize is %u, not a power of two from %u to %u", sector, NODE_SIZE_MIN, NODE_SIZE_MAX);
	if (!is_size(node, sector))
		return corrupt("nodesize is %u, not a power of two from %u to %u", node, sector, NODE_SIZE_MAX);
	if (array < array_min || array > array_max)
		return corrupt("sys_chunk_array_size is %u, not %u to %u", array, array_min, array_max);
	if (le16(disk->csum_type) > CSUM_BLAKE2B)
		return corrupt("csum_type is %u, not 0 to %u", le16(disk->csum_type), CSUM_BLAKE2B);
	return true;
}

static bool check_root(const struct disk_superblock *disk, const char *name, uint64_t logical, bool may_be_absent,
		       unsigned level, uint64_t where, struct error *err)
{
	const uint32_t sector = le32(disk->sectorsize);

	if (logical % sector != 0)
		return corrupt("%s is %#" PRIx64 ", not a multiple of %u", name, logical, sector);
	if (logical == 0 && !may_be_absent)
		return corrupt("%s is 0, not an address", name);
	if (level >= LEVEL_MAX)
		return corrupt("%s_level is %u, not 0 to %u", name, level, LEVEL_MAX - 1);
	return true;
}

static bool check(const struct disk_superblock *disk, uint64_t where, struct error *err)
{
	if (memcmp(disk->magic, SUPER_MAGIC, sizeof(disk->magic)) != 0)
		return error_set(err, ERROR_NOT_FOUND, "no btrfs superblock at %#" PRIx64, where);
	if (le64(disk->bytenr) != where)
		return corrupt("bytenr is %#" PRIx64 ", not where it is", le64(disk->bytenr));
	return check_sizes(disk, where, err) &&
	       check_root(disk, "root", le64(disk->root), false, disk->root_level, where, err) &&
	       check_root(disk, "chunk_root", le64(disk->chunk_root), false, disk->chunk_root_level, where, err) &&
	       check_root(disk, "log_root", le64(disk->log_root), true, disk->log_root_level, where, err);
}

bool superblock_read(const uint8_t bytes[SUPER_SIZE], uint64_t where, struct superblock *super, struct error *err)
{
	struct disk_superblock disk;

	memcpy(&disk, bytes, sizeof(disk));
	if (!check(&disk, where, err))
		return false;

	*super = (struct superblock){
		.disk = disk,
		.bytenr = where,
		.flags = le64(disk.flags),
		.generation = le64(disk.generation),
		.root = le64(disk.root),
		.chunk_root = le64(disk.chunk_root),
		.log_root = le64(disk.log_root),
		.chunk_root_generation = le64(disk.chunk_root_generation),
		.total_bytes = le64(disk.total_bytes),
		.bytes_used = le64(disk.bytes_used),
		.n_devices = le64(disk.num_devices),
		.compat = le64(disk.compat_flags),
		.compat_ro = le64(disk.compat_ro_flags),
		.incompat = le64(disk.incompat_flags),
		.cache_generation = le64(disk.cache_generation),
		.sector_size = le32(disk.sectorsize),
		.node_size = le32(disk.nodesize),
		.csum_type = le16(disk.csum_type),
		.root_level = disk.root_level,
		.chunk_root_level = disk.chunk_root_level,
		.log_root_level = disk.log_root_level,
		.devid = le64(disk.dev_item.devid),
		.dev_total_bytes = le64(disk.dev_item.total_bytes),
	};

	const bool renamed = super->incompat & INCOMPAT_METADATA_UUID;

	memcpy(super->fsid, disk.fsid, FSID_SIZE);
	memcpy(super->metadata_fsid, renamed ? disk.metadata_uuid : disk.fsid, FSID_SIZE);
	memcpy(super->dev_uuid, disk.dev_item.uuid, UUID_SIZE);
	super->sys_chunks = (struct cursor){
		super->disk.sys_chunk_array,
		le32(disk.sys_chunk_array_size),
		where + offsetof(struct disk_superblock, sys_chunk_array),
	};
	return true;
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The structs of the btrfs disk format that this program reads or writes, byte for byte, and their constants. Alignment is 1 and every
 * number is a struct of its own, so that nobody computes with disk bytes by accident. Specified in format/README.md.
 */
#ifndef FORMAT_ONDISK_H
#define FORMAT_ONDISK_H

#include <assert.h>
#include <endian.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct le16 { uint8_t byte[2]; };
struct le32 { uint8_t byte[4]; };
struct le64 { uint8_t byte[8]; };

static inline uint16_t le16(struct le16 v)
{
	uint16_t x;

	memcpy(&x, v.byte, sizeof(x));
	return le16toh(x);
}

static inline uint32_t le32(struct le32 v)
{
	uint32_t x;

	memcpy(&x, v.byte, sizeof(x));
	return le32toh(x);
}

static inline uint64_t le64(struct le64 v)
{
	uint64_t x;

	memcpy(&x, v.byte, sizeof(x));
	return le64toh(x);
}

static inline struct le16 to_le16(uint16_t x)
{
	struct le16 v;

	x = htole16(x);
	memcpy(v.byte, &x, sizeof(x));
	return v;
}

static inline struct le32 to_le32(uint32_t x)
{
	struct le32 v;

	x = htole32(x);
	memcpy(v.byte, &x, sizeof(x));
	return v;
}

static inline struct le64 to_le64(uint64_t x)
{
	struct le64 v;

	x = htole64(x);
	memcpy(v.byte, &x, sizeof(x));
	return v;
}

/* Sizes and places */
#define SUPER_SIZE		4096u
#define SUPER_OFFSET_0		(64ull << 10)
#define SUPER_OFFSET_1		(64ull << 20)
#define SUPER_OFFSET_2		(256ull << 30)
#define SUPER_BACKUPS		4u
#define SUPER_COPIES		3
#define SUPER_STRIPE		(64u << 10)	/* free space trees call these stripes free; never touch them */
#define DEVICE_RESERVED		(1u << 20)	/* the first MiB of every device is reserved */
#define SUPER_MAGIC		"_BHRfS_M"
#define SUPER_TAIL_OFFSET	0xdcbu		/* unused bytes of the superblock: 0xdcb..0xfff */
#define SUPER_TAIL_SIZE		(SUPER_SIZE - SUPER_TAIL_OFFSET)
#define CSUM_SIZE		32u		/* room for a checksum in headers */
#define FSID_SIZE		16u
#define UUID_SIZE		16u
#define NODE_SIZE_MIN		4096u
#define NODE_SIZE_MAX		65536u
#define LEVEL_MAX		8u
#define NAME_MAX_BYTES		255u

/* Object ids */
#define ROOT_TREE_ID		1ull
#define EXTENT_TREE_ID		2ull
#define CHUNK_TREE_ID		3ull
#define DEV_TREE_ID		4ull
#define FS_TREE_ID		5ull
#define CSUM_TREE_ID		7ull
#define QUOTA_TREE_ID		8ull
#define UUID_TREE_ID		9ull
#define FREE_SPACE_TREE_ID	10ull
#define BLOCK_GROUP_TREE_ID	11ull
#define RAID_STRIPE_TREE_ID	12ull
#define FIRST_FREE_ID		256ull
#define LAST_FREE_ID		0xffffffffffffff00ull	/* -256 */
#define DEV_ITEMS_ID		1ull
#define FIRST_CHUNK_TREE_ID	256ull
#define BALANCE_ID		0xfffffffffffffffcull	/* -4 */
#define ORPHAN_ID		0xfffffffffffffffbull	/* -5 */
#define TREE_LOG_ID		0xfffffffffffffffaull	/* -6 */
#define TREE_RELOC_ID		0xfffffffffffffff8ull	/* -8 */
#define DATA_RELOC_TREE_ID	0xfffffffffffffff7ull	/* -9 */
#define EXTENT_CSUM_ID		0xfffffffffffffff6ull	/* -10 */
#define FREE_SPACE_ID		0xfffffffffffffff5ull	/* -11 */
#define CRYPT_ID		0xffffffffffffff38ull	/* -200: crypt items, in the root tree */

/* Key types */
#define KEY_INODE_ITEM		1u
#define KEY_INODE_REF		12u
#define KEY_INODE_EXTREF	13u
#define KEY_XATTR_ITEM		24u
#define KEY_VERITY_DESC		36u
#define KEY_VERITY_MERKLE	37u
#define KEY_FSCRYPT_INODE_CTX	41u
#define KEY_FSCRYPT_CTX		42u
#define KEY_ORPHAN_ITEM		48u
#define KEY_DIR_LOG_ITEM	60u
#define KEY_DIR_LOG_INDEX	72u
#define KEY_DIR_ITEM		84u
#define KEY_DIR_INDEX		96u
#define KEY_EXTENT_DATA		108u
#define KEY_CSUM_ITEM		120u	/* before 2009 */
#define KEY_EXTENT_CSUM		128u
#define KEY_ROOT_ITEM		132u
#define KEY_ROOT_BACKREF	144u
#define KEY_ROOT_REF		156u
#define KEY_EXTENT_ITEM		168u
#define KEY_METADATA_ITEM	169u
#define KEY_EXTENT_OWNER_REF	172u
#define KEY_TREE_BLOCK_REF	176u
#define KEY_EXTENT_DATA_REF	178u
#define KEY_EXTENT_REF_V0	180u	/* before 2009 */
#define KEY_SHARED_BLOCK_REF	182u
#define KEY_SHARED_DATA_REF	184u
#define KEY_BLOCK_GROUP_ITEM	192u
#define KEY_FREE_SPACE_INFO	198u
#define KEY_FREE_SPACE_EXTENT	199u
#define KEY_FREE_SPACE_BITMAP	200u
#define KEY_DEV_EXTENT		204u
#define KEY_DEV_ITEM		216u
#define KEY_CHUNK_ITEM		228u
#define KEY_RAID_STRIPE		230u
#define KEY_QGROUP_STATUS	240u
#define KEY_QGROUP_INFO		242u
#define KEY_QGROUP_LIMIT	244u
#define KEY_QGROUP_RELATION	246u
#define KEY_TEMPORARY_ITEM	248u	/* balance status */
#define KEY_PERSISTENT_ITEM	249u	/* device statistics, crypt items */
#define KEY_DEV_REPLACE		250u
#define KEY_UUID_SUBVOL		251u
#define KEY_UUID_RECEIVED	252u
#define KEY_STRING_ITEM		253u

/* Superblock features and flags */
#define COMPAT_RO_FREE_SPACE_TREE	(1ull << 0)
#define COMPAT_RO_FREE_SPACE_TREE_VALID	(1ull << 1)
#define COMPAT_RO_VERITY		(1ull << 2)
#define COMPAT_RO_BLOCK_GROUP_TREE	(1ull << 3)
#define INCOMPAT_MIXED_BACKREF		(1ull << 0)
#define INCOMPAT_DEFAULT_SUBVOL		(1ull << 1)
#define INCOMPAT_MIXED_GROUPS		(1ull << 2)
#define INCOMPAT_COMPRESS_LZO		(1ull << 3)
#define INCOMPAT_COMPRESS_ZSTD		(1ull << 4)
#define INCOMPAT_BIG_METADATA		(1ull << 5)
#define INCOMPAT_EXTENDED_IREF		(1ull << 6)
#define INCOMPAT_RAID56			(1ull << 7)
#define INCOMPAT_SKINNY_METADATA	(1ull << 8)
#define INCOMPAT_NO_HOLES		(1ull << 9)
#define INCOMPAT_METADATA_UUID		(1ull << 10)
#define INCOMPAT_RAID1C34		(1ull << 11)
#define INCOMPAT_ZONED			(1ull << 12)
#define INCOMPAT_EXTENT_TREE_V2		(1ull << 13)
#define INCOMPAT_RAID_STRIPE_TREE	(1ull << 14)
#define INCOMPAT_ENCRYPT		(1ull << 15)	/* the upstream fscrypt proposal */
#define INCOMPAT_SIMPLE_QUOTA		(1ull << 16)
#define INCOMPAT_REMAP_TREE		(1ull << 17)
#define INCOMPAT_CRYPT_UNFINISHED	(1ull << 63)	/* ours: a conversion is unfinished */
#define SUPER_FLAG_ERROR		(1ull << 2)
#define SUPER_FLAG_SEEDING		(1ull << 32)
#define SUPER_FLAG_METADUMP		(1ull << 33)
#define SUPER_FLAG_METADUMP_V2		(1ull << 34)
#define SUPER_FLAG_CHANGING_FSID	(1ull << 35)
#define SUPER_FLAG_CHANGING_FSID_V2	(1ull << 36)	/* in btrfs-progs 6.3 to 6.6 also of data checksums */
#define SUPER_FLAG_CHANGING_META_CSUM_OLD (1ull << 37)	/* in those alone */
#define SUPER_FLAG_CHANGING_BG_TREE	(1ull << 38)
#define SUPER_FLAG_CHANGING_DATA_CSUM	(1ull << 39)
#define SUPER_FLAG_CHANGING_META_CSUM	(1ull << 40)

/* Block groups, chunks, profiles */
#define GROUP_DATA		(1ull << 0)
#define GROUP_SYSTEM		(1ull << 1)
#define GROUP_METADATA		(1ull << 2)
#define GROUP_TYPE_MASK		(GROUP_DATA | GROUP_SYSTEM | GROUP_METADATA)
#define GROUP_RAID0		(1ull << 3)
#define GROUP_RAID1		(1ull << 4)
#define GROUP_DUP		(1ull << 5)
#define GROUP_RAID10		(1ull << 6)
#define GROUP_RAID5		(1ull << 7)
#define GROUP_RAID6		(1ull << 8)
#define GROUP_RAID1C3		(1ull << 9)
#define GROUP_RAID1C4		(1ull << 10)
#define GROUP_PARITY		(GROUP_RAID5 | GROUP_RAID6)
#define GROUP_PROFILE_MASK	(0xffull << 3)

/* Root items, inodes, file extents, extent items */
#define ROOT_RDONLY		(1ull << 0)
#define ROOT_DEAD		(1ull << 48)
#define ROOT_ENCRYPT_2016	(1ull << 49)
#define INODE_NODATASUM		(1ull << 0)
#define INODE_NODATACOW		(1ull << 1)
#define INODE_IMMUTABLE		(1ull << 6)
#define INODE_SYNC		(1ull << 5)
#define INODE_APPEND		(1ull << 7)
#define INODE_NODUMP		(1ull << 8)
#define INODE_NOATIME		(1ull << 9)
#define INODE_DIRSYNC		(1ull << 10)
#define INODE_RO_VERITY		(1ull << 32)	/* in the 64-bit flags word: ro_flags bit 0 */
#define FILE_EXTENT_INLINE	0u
#define FILE_EXTENT_REG		1u
#define FILE_EXTENT_PREALLOC	2u
#define COMPRESS_NONE		0u
#define COMPRESS_ZLIB		1u
#define COMPRESS_LZO		2u
#define COMPRESS_ZSTD		3u
#define SEAL_MARK		0xc5eau		/* file extent other_encoding of a sealed extent */
#define LEGACY_MARK		0x2016u		/* of an extent in the format of 2016, while it is being decrypted; plus its field `encryption` */
#define HEADER_FLAG_RELOC	(1ull << 1)

#define EXTENT_FLAG_DATA	(1ull << 0)
#define EXTENT_FLAG_TREE_BLOCK	(1ull << 1)
#define EXTENT_FLAG_FULL_BACKREF (1ull << 8)
#define FREE_SPACE_USING_BITMAPS (1u << 0)
#define FREE_SPACE_BITMAP_SIZE	256u		/* bytes; one bit per sector */

struct disk_key {
	struct le64 objectid;
	uint8_t type;
	struct le64 offset;
};
static_assert(sizeof(struct disk_key) == 17, "btrfs_disk_key");

struct disk_header {
	uint8_t csum[CSUM_SIZE];
	uint8_t fsid[FSID_SIZE];
	struct le64 bytenr;
	struct le64 flags;
	uint8_t chunk_tree_uuid[UUID_SIZE];
	struct le64 generation;
	struct le64 owner;
	struct le32 nritems;
	uint8_t level;
};
static_assert(sizeof(struct disk_header) == 101, "btrfs_header");

struct disk_item {
	struct disk_key key;
	struct le32 offset;	/* from the end of the header */
	struct le32 size;
};
static_assert(sizeof(struct disk_item) == 25, "btrfs_item");

struct disk_key_ptr {
	struct disk_key key;
	struct le64 blockptr;
	struct le64 generation;
};
static_assert(sizeof(struct disk_key_ptr) == 33, "btrfs_key_ptr");

struct disk_dev_item {
	struct le64 devid;
	struct le64 total_bytes;
	struct le64 bytes_used;
	struct le32 io_align;
	struct le32 io_width;
	struct le32 sector_size;
	struct le64 type;
	struct le64 generation;
	struct le64 start_offset;
	struct le32 dev_group;
	uint8_t seek_speed;
	uint8_t bandwidth;
	uint8_t uuid[UUID_SIZE];
	uint8_t fsid[FSID_SIZE];
};
static_assert(sizeof(struct disk_dev_item) == 98, "btrfs_dev_item");

struct disk_stripe {
	struct le64 devid;
	struct le64 offset;
	uint8_t dev_uuid[UUID_SIZE];
};
static_assert(sizeof(struct disk_stripe) == 32, "btrfs_stripe");

struct disk_chunk {	/* followed by num_stripes struct disk_stripe */
	struct le64 length;
	struct le64 owner;
	struct le64 stripe_len;
	struct le64 type;
	struct le32 io_align;
	struct le32 io_width;
	struct le32 sector_size;
	struct le16 num_stripes;
	struct le16 sub_stripes;
};
static_assert(sizeof(struct disk_chunk) == 48, "btrfs_chunk without stripes");

struct disk_root_backup {
	struct le64 tree_root, tree_root_gen;
	struct le64 chunk_root, chunk_root_gen;
	struct le64 extent_root, extent_root_gen;
	struct le64 fs_root, fs_root_gen;
	struct le64 dev_root, dev_root_gen;
	struct le64 csum_root, csum_root_gen;
	struct le64 total_bytes;
	struct le64 bytes_used;
	struct le64 num_devices;
	struct le64 unused[4];
	uint8_t tree_root_level;
	uint8_t chunk_root_level;
	uint8_t extent_root_level;
	uint8_t fs_root_level;
	uint8_t dev_root_level;
	uint8_t csum_root_level;
	uint8_t unused_8[10];
};
static_assert(sizeof(struct disk_root_backup) == 168, "btrfs_root_backup");

struct disk_superblock {
	uint8_t csum[CSUM_SIZE];
	uint8_t fsid[FSID_SIZE];
	struct le64 bytenr;
	struct le64 flags;
	uint8_t magic[8];
	struct le64 generation;
	struct le64 root;
	struct le64 chunk_root;
	struct le64 log_root;
	struct le64 log_root_transid;
	struct le64 total_bytes;
	struct le64 bytes_used;
	struct le64 root_dir_objectid;
	struct le64 num_devices;
	struct le32 sectorsize;
	struct le32 nodesize;
	struct le32 leafsize;
	struct le32 stripesize;
	struct le32 sys_chunk_array_size;
	struct le64 chunk_root_generation;
	struct le64 compat_flags;
	struct le64 compat_ro_flags;
	struct le64 incompat_flags;
	struct le16 csum_type;
	uint8_t root_level;
	uint8_t chunk_root_level;
	uint8_t log_root_level;
	struct disk_dev_item dev_item;
	uint8_t label[256];
	struct le64 cache_generation;
	struct le64 uuid_tree_generation;
	uint8_t metadata_uuid[FSID_SIZE];
	struct le64 nr_global_roots;
	struct le64 reserved[27];
	uint8_t sys_chunk_array[2048];
	struct disk_root_backup backup[SUPER_BACKUPS];
	uint8_t tail[SUPER_TAIL_SIZE];	/* unused by btrfs; ours while a conversion is unfinished */
};
static_assert(sizeof(struct disk_superblock) == SUPER_SIZE, "btrfs_super_block");
static_assert(offsetof(struct disk_superblock, incompat_flags) == 0xbc, "incompat_flags");
static_assert(offsetof(struct disk_superblock, sys_chunk_array) == 0x32b, "sys_chunk_array");
static_assert(offsetof(struct disk_superblock, tail) == SUPER_TAIL_OFFSET, "padding");

struct disk_timespec {
	struct le64 sec;
	struct le32 nsec;
};

struct disk_inode_item {
	struct le64 generation;
	struct le64 transid;
	struct le64 size;
	struct le64 nbytes;
	struct le64 block_group;
	struct le32 nlink;
	struct le32 uid;
	struct le32 gid;
	struct le32 mode;
	struct le64 rdev;
	struct le64 flags;
	struct le64 sequence;
	struct le64 reserved[4];
	struct disk_timespec atime, ctime, mtime, otime;
};
static_assert(sizeof(struct disk_inode_item) == 160, "btrfs_inode_item");

struct disk_inode_ref {	/* followed by the name */
	struct le64 index;
	struct le16 name_len;
};
static_assert(sizeof(struct disk_inode_ref) == 10, "btrfs_inode_ref");

struct disk_inode_extref {	/* followed by the name */
	struct le64 parent;
	struct le64 index;
	struct le16 name_len;
};
static_assert(sizeof(struct disk_inode_extref) == 18, "btrfs_inode_extref");

struct disk_dir_item {	/* followed by the name, then the data of an xattr */
	struct disk_key location;
	struct le64 transid;
	struct le16 data_len;
	struct le16 name_len;
	uint8_t type;
};
static_assert(sizeof(struct disk_dir_item) == 30, "btrfs_dir_item");

struct disk_root_item {
	struct disk_inode_item inode;
	struct le64 generation;
	struct le64 root_dirid;
	struct le64 bytenr;
	struct le64 byte_limit;
	struct le64 bytes_used;
	struct le64 last_snapshot;
	struct le64 flags;
	struct le32 refs;
	struct disk_key drop_progress;
	uint8_t drop_level;
	uint8_t level;
	/* from here on only valid if generation_v2 == generation */
	struct le64 generation_v2;
	uint8_t uuid[UUID_SIZE];
	uint8_t parent_uuid[UUID_SIZE];
	uint8_t received_uuid[UUID_SIZE];
	struct le64 ctransid, otransid, stransid, rtransid;
	struct disk_timespec ctime, otime, stime, rtime;
	uint8_t reserved[64];	/* first 24 bytes: struct disk_crypt_tag */
};
static_assert(sizeof(struct disk_root_item) == 439, "btrfs_root_item");
static_assert(offsetof(struct disk_root_item, reserved) == 375, "btrfs_root_item.reserved");

/* The tag of an encrypted subvolume, in the reserved bytes of its root item, with the layout of 2016. */
struct disk_crypt_tag {
	uint8_t algorithm[16];	/* NUL padded */
	struct le32 key_len;	/* bytes */
	struct le32 key_hash;
};
static_assert(sizeof(struct disk_crypt_tag) == 24, "crypt tag");

struct disk_root_ref {	/* followed by the name */
	struct le64 dirid;
	struct le64 sequence;
	struct le16 name_len;
};
static_assert(sizeof(struct disk_root_ref) == 18, "btrfs_root_ref");

struct disk_file_extent {	/* an inline extent ends after type; its payload follows */
	struct le64 generation;
	struct le64 ram_bytes;
	uint8_t compression;
	uint8_t encryption;
	struct le16 other_encoding;
	uint8_t type;
	struct le64 disk_bytenr;
	struct le64 disk_num_bytes;
	struct le64 offset;
	struct le64 num_bytes;
};
static_assert(sizeof(struct disk_file_extent) == 53, "btrfs_file_extent_item");
#define FILE_EXTENT_INLINE_HEADER 21u
static_assert(offsetof(struct disk_file_extent, disk_bytenr) == FILE_EXTENT_INLINE_HEADER, "inline payload");

struct disk_extent_item {	/* followed by a disk_tree_block_info (not skinny), then inline refs */
	struct le64 refs;
	struct le64 generation;
	struct le64 flags;
};
static_assert(sizeof(struct disk_extent_item) == 24, "btrfs_extent_item");

struct disk_tree_block_info {
	struct disk_key key;
	uint8_t level;
};
static_assert(sizeof(struct disk_tree_block_info) == 18, "btrfs_tree_block_info");

struct disk_extent_inline_ref {	/* type, then the data it implies */
	uint8_t type;
	struct le64 offset;
};
static_assert(sizeof(struct disk_extent_inline_ref) == 9, "btrfs_extent_inline_ref");

struct disk_extent_data_ref {
	struct le64 root;
	struct le64 objectid;
	struct le64 offset;
	struct le32 count;
};
static_assert(sizeof(struct disk_extent_data_ref) == 28, "btrfs_extent_data_ref");

struct disk_shared_data_ref {
	struct le32 count;
};

struct disk_block_group {
	struct le64 used;
	struct le64 chunk_objectid;
	struct le64 flags;
};
static_assert(sizeof(struct disk_block_group) == 24, "btrfs_block_group_item");

struct disk_free_space_info {
	struct le32 extent_count;
	struct le32 flags;
};
static_assert(sizeof(struct disk_free_space_info) == 8, "btrfs_free_space_info");

struct disk_dev_extent {
	struct le64 chunk_tree;
	struct le64 chunk_objectid;
	struct le64 chunk_offset;
	struct le64 length;
	uint8_t chunk_tree_uuid[UUID_SIZE];
};
static_assert(sizeof(struct disk_dev_extent) == 48, "btrfs_dev_extent");

#endif /* FORMAT_ONDISK_H */

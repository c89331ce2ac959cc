/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "cmd/dump/super-fields.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <uuid/uuid.h>

#include "cmd/json.h"
#include "common/util/escape.h"
#include "common/util/hex.h"
#include "common/volume/csum.h"
#include "common/volume/volume.h"

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))

static const struct bit_name super_flags[] = {
	{ 1 << 0, "WRITTEN" }, { 1 << 1, "RELOC" }, { SUPER_FLAG_ERROR, "ERROR" }, { SUPER_FLAG_SEEDING, "SEEDING" },
	{ SUPER_FLAG_METADUMP, "METADUMP" }, { SUPER_FLAG_METADUMP_V2, "METADUMP_V2" },
	{ SUPER_FLAG_CHANGING_FSID, "CHANGING_FSID" }, { SUPER_FLAG_CHANGING_FSID_V2, "CHANGING_FSID_V2" },
	{ SUPER_FLAG_CHANGING_BG_TREE, "CHANGING_BG_TREE" }, { SUPER_FLAG_CHANGING_DATA_CSUM, "CHANGING_DATA_CSUM" },
	{ SUPER_FLAG_CHANGING_META_CSUM, "CHANGING_META_CSUM" },
};
static const struct bit_name compat_ro_flags[] = {
	{ COMPAT_RO_FREE_SPACE_TREE, "FREE_SPACE_TREE" }, { COMPAT_RO_FREE_SPACE_TREE_VALID, "FREE_SPACE_TREE_VALID" },
	{ COMPAT_RO_VERITY, "VERITY" }, { COMPAT_RO_BLOCK_GROUP_TREE, "BLOCK_GROUP_TREE" },
};
static const struct bit_name incompat_flags[] = {
	{ INCOMPAT_MIXED_BACKREF, "MIXED_BACKREF" }, { INCOMPAT_DEFAULT_SUBVOL, "DEFAULT_SUBVOL" },
	{ INCOMPAT_MIXED_GROUPS, "MIXED_GROUPS" }, { INCOMPAT_COMPRESS_LZO, "COMPRESS_LZO" },
	{ INCOMPAT_COMPRESS_ZSTD, "COMPRESS_ZSTD" }, { INCOMPAT_BIG_METADATA, "BIG_METADATA" },
	{ INCOMPAT_EXTENDED_IREF, "EXTENDED_IREF" }, { INCOMPAT_RAID56, "RAID56" },
	{ INCOMPAT_SKINNY_METADATA, "SKINNY_METADATA" }, { INCOMPAT_NO_HOLES, "NO_HOLES" },
	{ INCOMPAT_METADATA_UUID, "METADATA_UUID" }, { INCOMPAT_RAID1C34, "RAID1C34" }, { INCOMPAT_ZONED, "ZONED" },
	{ INCOMPAT_EXTENT_TREE_V2, "EXTENT_TREE_V2" }, { INCOMPAT_RAID_STRIPE_TREE, "RAID_STRIPE_TREE" },
	{ INCOMPAT_ENCRYPT, "ENCRYPT" }, { INCOMPAT_SIMPLE_QUOTA, "SIMPLE_QUOTA" }, { INCOMPAT_REMAP_TREE, "REMAP_TREE" },
	{ INCOMPAT_CRYPT_UNFINISHED, "CRYPT_UNFINISHED" },
};

static void put_flags(struct dump *dump, const char *label, uint64_t flags, const struct bit_name *names, size_t n)
{
	const char *before = "( ";
	char text[512];

	if (dump->object) {
		dump_bits(dump, label, flags, bits_text(flags, names, n, text, sizeof(text)));
		return;
	}
	snprintf(text, sizeof(text), "0x%" PRIx64, flags);
	dump_text(dump, label, text);
	for (size_t i = 0; i < n; i++) {
		if (flags & names[i].bit) {
			printf("%s\t\t\t%s%s", before[0] == '(' ? "" : " |\n", before, names[i].name);
			before = "  ";
		}
		flags &= ~names[i].bit;
	}
	if (flags) {
		printf("%s\t\t\t%sunknown flag: 0x%" PRIx64, before[0] == '(' ? "" : " |\n", before, flags);
		before = "  ";
	}
	if (before[0] == ' ')
		puts(" )");
}

static void put_csum(struct dump *dump, const struct disk_superblock *disk)
{
	const enum csum_type type = le16(disk->csum_type);
	const bool known = le16(disk->csum_type) <= CSUM_BLAKE2B;
	const unsigned size = known ? csum_type_size(type) : CSUM_SIZE;
	const bool matches = known && csum_block_matches(type, (const uint8_t *)disk, sizeof(*disk));
	char text[2 * CSUM_SIZE + 32] = "0x";

	if (dump->object) {
		dump_number(dump, "csum_type", type);
		dump_text(dump, "csum_type_name", known ? csum_type_name(type) : "unknown");
		dump_hex(dump, "csum", disk->csum, size);
		json_flag(dump->object, "csum_matches", matches);
		return;
	}
	/* The words of btrfs-progs. */
	snprintf(text, sizeof(text), "%u (%s)", type, type == CSUM_BLAKE2B ? "blake2" : known ? csum_type_name(type) : "INVALID");
	dump_text(dump, "csum_type", text);
	dump_number(dump, "csum_size", size);
	strcpy(text, "0x");
	hex_text(disk->csum, size, text + 2);
	strcat(text, !known ? " [UNKNOWN CSUM TYPE OR SIZE]" : matches ? " [match]" : " [DON'T MATCH]");
	dump_text(dump, "csum", text);
}

/* A value that must be a certain one. */
static void put_compared(struct dump *dump, const char *label, const char *value, bool is_right)
{
	char text[128];

	snprintf(text, sizeof(text), "%s%s", value, dump->object ? "" : is_right ? " [match]" : " [DON'T MATCH]");
	dump_text(dump, label, text);
}

static void put_device(struct dump *dump, const struct disk_superblock *disk, const uint8_t *fsid)
{
#define OF_DEVICE(member) VALUE("dev_item." #member, dev->member)
	const struct disk_dev_item *dev = &disk->dev_item;
	char uuid[UUID_STR_LEN];

	dump_uuid(dump, "dev_item.uuid", dev->uuid);
	uuid_unparse_lower(dev->fsid, uuid);
	put_compared(dump, "dev_item.fsid", uuid, memcmp(dev->fsid, fsid, FSID_SIZE) == 0);
	VALUES(OF_DEVICE(type), OF_DEVICE(total_bytes), OF_DEVICE(bytes_used));
	VALUES(OF_DEVICE(io_align), OF_DEVICE(io_width), OF_DEVICE(sector_size));
	VALUES(OF_DEVICE(devid), OF_DEVICE(dev_group), OF_DEVICE(seek_speed), OF_DEVICE(bandwidth), OF_DEVICE(generation));
#undef OF_DEVICE
}

void super_fields(struct dump *dump, const struct disk_superblock *disk)
{
	const bool has_metadata_uuid = le64(disk->incompat_flags) & INCOMPAT_METADATA_UUID;
	const uint8_t *const metadata_uuid = has_metadata_uuid ? disk->metadata_uuid : disk->fsid;
	char magic[ESCAPED_SIZE(sizeof(disk->magic))];

	put_csum(dump, disk);
	VALUE_OF(*disk, bytenr);
	put_flags(dump, "flags", le64(disk->flags), super_flags, ARRAY_SIZE(super_flags));
	escape_text(disk->magic, sizeof(disk->magic), magic, sizeof(magic));
	put_compared(dump, "magic", magic, memcmp(disk->magic, SUPER_MAGIC, sizeof(disk->magic)) == 0);
	dump_uuid(dump, "fsid", disk->fsid);
	dump_uuid(dump, "metadata_uuid", metadata_uuid);
	dump_name(dump, "label", disk->label, strnlen((const char *)disk->label, sizeof(disk->label)));
	VALUES(VALUE_OF(*disk, generation), VALUE_OF(*disk, root), VALUE("sys_array_size", disk->sys_chunk_array_size));
	VALUES(VALUE_OF(*disk, chunk_root_generation), VALUE_OF(*disk, root_level), VALUE_OF(*disk, chunk_root), VALUE_OF(*disk, chunk_root_level));
	VALUES(VALUE_OF(*disk, log_root), VALUE("log_root_transid (deprecated)", disk->log_root_transid), VALUE_OF(*disk, log_root_level));
	VALUES(VALUE_OF(*disk, total_bytes), VALUE_OF(*disk, bytes_used));
	VALUES(VALUE_OF(*disk, sectorsize), VALUE_OF(*disk, nodesize), VALUE("leafsize (deprecated)", disk->leafsize), VALUE_OF(*disk, stripesize));
	VALUES(VALUE("root_dir", disk->root_dir_objectid), VALUE_OF(*disk, num_devices));
	put_flags(dump, "compat_flags", le64(disk->compat_flags), NULL, 0);
	put_flags(dump, "compat_ro_flags", le64(disk->compat_ro_flags), compat_ro_flags, ARRAY_SIZE(compat_ro_flags));
	put_flags(dump, "incompat_flags", le64(disk->incompat_flags), incompat_flags, ARRAY_SIZE(incompat_flags));
	VALUES(VALUE_OF(*disk, cache_generation), VALUE_OF(*disk, uuid_tree_generation));
	put_device(dump, disk, metadata_uuid);
}

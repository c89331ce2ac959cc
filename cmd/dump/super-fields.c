/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The fields of one superblock, with the names and the layout of `btrfs inspect-internal dump-super`. */
#include "cmd/dump/super-fields.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <uuid/uuid.h>

#include "cmd/dump/out.h"
#include "cmd/json.h"
#include "common/util/escape.h"
#include "common/util/hex.h"
#include "common/volume/csum.h"
#include "common/volume/volume.h"

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))
#define VALUE_COLUMN 24u

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

/* A field is a member of line or, if that is NULL, a line of text. */

static void print_label(const char *label)
{
	size_t column = printf("%s", label);

	do {
		putchar('\t');
		column = column / 8 * 8 + 8;
	} while (column < VALUE_COLUMN);
}

/* "dev_item.uuid" is "dev_item_uuid" in JSON. */
static const char *member_name(const char *label)
{
	static char name[48];
	size_t n = 0;

	for (; label[n] && label[n] != ' ' && n + 1 < sizeof(name); n++)
		name[n] = label[n] == '.' ? '_' : label[n];
	name[n] = '\0';
	return name;
}

void super_text(struct json_object *line, const char *label, const char *text)
{
	if (line) {
		json_text(line, member_name(label), text);
	} else {
		print_label(label);
		puts(text);
	}
}

static void put_u64(struct json_object *line, const char *label, uint64_t value)
{
	char text[24];

	snprintf(text, sizeof(text), "%" PRIu64, value);
	super_text(line, label, text);
}

static void put_number(struct json_object *line, const char *label, uint32_t value)
{
	if (line)
		json_number(line, member_name(label), value);
	else
		put_u64(line, label, value);
}

static void put_uuid(struct json_object *line, const char *label, const uint8_t *uuid, const char *note)
{
	char text[UUID_STR_LEN + 24];

	uuid_unparse_lower(uuid, text);
	if (!line)
		strcat(text, note);
	super_text(line, label, text);
}

static void put_flags(struct json_object *line, const char *label, uint64_t flags, const struct bit_name *names, size_t n)
{
	const char *before = "( ";
	char text[512];

	if (line) {
		char with_names[48];

		snprintf(with_names, sizeof(with_names), "%s_names", label);
		json_format(line, label, "0x%" PRIx64, flags);
		json_text(line, with_names, bits_text(flags, names, n, text, sizeof(text)));
		return;
	}
	snprintf(text, sizeof(text), "0x%" PRIx64, flags);
	super_text(line, label, text);
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

static void put_csum(struct json_object *line, const struct disk_superblock *disk)
{
	const enum csum_type type = le16(disk->csum_type);
	const bool known = le16(disk->csum_type) <= CSUM_BLAKE2B;
	const unsigned size = known ? csum_type_size(type) : CSUM_SIZE;
	const bool matches = known && csum_block_matches(type, (const uint8_t *)disk, sizeof(*disk));
	char text[2 * CSUM_SIZE + 32] = "0x";

	if (line) {
		json_number(line, "csum_type", type);
		json_text(line, "csum_type_name", known ? csum_type_name(type) : "unknown");
		json_hex(line, "csum", disk->csum, size);
		json_flag(line, "csum_matches", matches);
		return;
	}
	/* The words of btrfs-progs. */
	snprintf(text, sizeof(text), "%u (%s)", type, type == CSUM_BLAKE2B ? "blake2" : known ? csum_type_name(type) : "INVALID");
	super_text(line, "csum_type", text);
	put_u64(line, "csum_size", size);
	strcpy(text, "0x");
	hex_text(disk->csum, size, text + 2);
	strcat(text, !known ? " [UNKNOWN CSUM TYPE OR SIZE]" : matches ? " [match]" : " [DON'T MATCH]");
	super_text(line, "csum", text);
}

static void put_escaped(struct json_object *line, const char *label, const uint8_t *bytes, size_t size)
{
	char *text = escape_new(bytes, strnlen((const char *)bytes, size));

	if (line)
		json_name(line, label, bytes, strnlen((const char *)bytes, size));
	else
		super_text(line, label, text ? text : "?");
	free(text);
}

static void put_magic(struct json_object *line, const struct disk_superblock *disk)
{
	const bool right = memcmp(disk->magic, SUPER_MAGIC, sizeof(disk->magic)) == 0;
	char text[ESCAPED_SIZE(sizeof(disk->magic)) + 24];

	escape_text(disk->magic, sizeof(disk->magic), text, sizeof(text));
	if (!line)
		strcat(text, right ? " [match]" : " [DON'T MATCH]");
	super_text(line, "magic", text);
}

static void put_device(struct json_object *line, const struct disk_superblock *disk)
{
	const struct disk_dev_item *dev = &disk->dev_item;
	const bool has_metadata_uuid = le64(disk->incompat_flags) & INCOMPAT_METADATA_UUID;
	const uint8_t *fsid = has_metadata_uuid ? disk->metadata_uuid : disk->fsid;

	put_uuid(line, "dev_item.uuid", dev->uuid, "");
	put_uuid(line, "dev_item.fsid", dev->fsid, memcmp(dev->fsid, fsid, FSID_SIZE) == 0 ? " [match]" : " [DON'T MATCH]");
	put_u64(line, "dev_item.type", le64(dev->type));
	put_u64(line, "dev_item.total_bytes", le64(dev->total_bytes));
	put_u64(line, "dev_item.bytes_used", le64(dev->bytes_used));
	put_number(line, "dev_item.io_align", le32(dev->io_align));
	put_number(line, "dev_item.io_width", le32(dev->io_width));
	put_number(line, "dev_item.sector_size", le32(dev->sector_size));
	put_u64(line, "dev_item.devid", le64(dev->devid));
	put_number(line, "dev_item.dev_group", le32(dev->dev_group));
	put_number(line, "dev_item.seek_speed", dev->seek_speed);
	put_number(line, "dev_item.bandwidth", dev->bandwidth);
	put_u64(line, "dev_item.generation", le64(dev->generation));
}

void super_fields(struct json_object *line, const struct disk_superblock *disk)
{
	const bool has_metadata_uuid = le64(disk->incompat_flags) & INCOMPAT_METADATA_UUID;

	put_csum(line, disk);
	put_u64(line, "bytenr", le64(disk->bytenr));
	put_flags(line, "flags", le64(disk->flags), super_flags, ARRAY_SIZE(super_flags));
	put_magic(line, disk);
	put_uuid(line, "fsid", disk->fsid, "");
	put_uuid(line, "metadata_uuid", has_metadata_uuid ? disk->metadata_uuid : disk->fsid, "");
	put_escaped(line, "label", disk->label, sizeof(disk->label));
	put_u64(line, "generation", le64(disk->generation));
	put_u64(line, "root", le64(disk->root));
	put_number(line, "sys_array_size", le32(disk->sys_chunk_array_size));
	put_u64(line, "chunk_root_generation", le64(disk->chunk_root_generation));
	put_number(line, "root_level", disk->root_level);
	put_u64(line, "chunk_root", le64(disk->chunk_root));
	put_number(line, "chunk_root_level", disk->chunk_root_level);
	put_u64(line, "log_root", le64(disk->log_root));
	put_u64(line, "log_root_transid (deprecated)", le64(disk->log_root_transid));
	put_number(line, "log_root_level", disk->log_root_level);
	put_u64(line, "total_bytes", le64(disk->total_bytes));
	put_u64(line, "bytes_used", le64(disk->bytes_used));
	put_number(line, "sectorsize", le32(disk->sectorsize));
	put_number(line, "nodesize", le32(disk->nodesize));
	put_number(line, "leafsize (deprecated)", le32(disk->leafsize));
	put_number(line, "stripesize", le32(disk->stripesize));
	put_u64(line, "root_dir", le64(disk->root_dir_objectid));
	put_u64(line, "num_devices", le64(disk->num_devices));
	put_flags(line, "compat_flags", le64(disk->compat_flags), NULL, 0);
	put_flags(line, "compat_ro_flags", le64(disk->compat_ro_flags), compat_ro_flags, ARRAY_SIZE(compat_ro_flags));
	put_flags(line, "incompat_flags", le64(disk->incompat_flags), incompat_flags, ARRAY_SIZE(incompat_flags));
	put_u64(line, "cache_generation", le64(disk->cache_generation));
	put_u64(line, "uuid_tree_generation", le64(disk->uuid_tree_generation));
	put_device(line, disk);
}

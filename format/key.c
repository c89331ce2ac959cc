/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The names that btrfs-progs prints for keys. */
#include "format/key.h"

#include <inttypes.h>
#include <stdio.h>

struct object_name {
	uint64_t id;
	const char *name;
};

#define OBJECT_TEXT_SIZE 24	/* a number of 64 bits, or a name */

static void object_text(uint64_t id, uint8_t type, char text[OBJECT_TEXT_SIZE])
{
	static const struct object_name names[] = {
		{ ROOT_TREE_ID, "ROOT_TREE" },
		{ EXTENT_TREE_ID, "EXTENT_TREE" },
		{ CHUNK_TREE_ID, "CHUNK_TREE" },
		{ DEV_TREE_ID, "DEV_TREE" },
		{ FS_TREE_ID, "FS_TREE" },
		{ 6, "ROOT_TREE_DIR" },
		{ CSUM_TREE_ID, "CSUM_TREE" },
		{ QUOTA_TREE_ID, "QUOTA_TREE" },
		{ UUID_TREE_ID, "UUID_TREE" },
		{ FREE_SPACE_TREE_ID, "FREE_SPACE_TREE" },
		{ BLOCK_GROUP_TREE_ID, "BLOCK_GROUP_TREE" },
		{ RAID_STRIPE_TREE_ID, "RAID_STRIPE_TREE" },
		{ BALANCE_ID, "BALANCE" },
		{ ORPHAN_ID, "ORPHAN" },
		{ TREE_LOG_ID, "TREE_LOG" },
		{ -7ull, "LOG_FIXUP" },
		{ TREE_RELOC_ID, "TREE_RELOC" },
		{ DATA_RELOC_TREE_ID, "DATA_RELOC_TREE" },
		{ EXTENT_CSUM_ID, "EXTENT_CSUM" },
		{ FREE_SPACE_ID, "FREE_SPACE" },
		{ -12ull, "FREE_INO" },
		{ -255ull, "MULTIPLE" },
		{ -1ull, "-1" },
	};
	const char *name = NULL;

	/* The same number means different things in different trees; the type tells which. */
	switch (type) {
	case KEY_PERSISTENT_ITEM:
		name = id == 0 ? "DEV_STATS" : NULL;
		break;
	case KEY_DEV_EXTENT:
		break;
	case KEY_DEV_ITEM:
		name = id == DEV_ITEMS_ID ? "DEV_ITEMS" : NULL;
		break;
	case KEY_CHUNK_ITEM:
		name = id == FIRST_CHUNK_TREE_ID ? "FIRST_CHUNK_TREE" : NULL;
		break;
	case KEY_QGROUP_RELATION:
		snprintf(text, OBJECT_TEXT_SIZE, "%" PRIu64 "/%" PRIu64, id >> 48, id & UINT64_C(0xffffffffffff));
		return;
	case KEY_UUID_SUBVOL:
	case KEY_UUID_RECEIVED:
		snprintf(text, OBJECT_TEXT_SIZE, "0x%016" PRIx64, id);
		return;
	default:
		for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
			if (names[i].id == id)
				name = names[i].name;
	}
	if (name)
		snprintf(text, OBJECT_TEXT_SIZE, "%s", name);
	else
		snprintf(text, OBJECT_TEXT_SIZE, "%" PRIu64, id);
}

static void offset_text(const struct key *key, char text[OBJECT_TEXT_SIZE])
{
	switch (key->type) {
	case KEY_QGROUP_INFO:
	case KEY_QGROUP_LIMIT:
		object_text(key->offset, KEY_QGROUP_RELATION, text);
		break;
	case KEY_QGROUP_RELATION:
	case KEY_UUID_SUBVOL:
	case KEY_UUID_RECEIVED:
		object_text(key->offset, key->type, text);
		break;
	case KEY_ROOT_ITEM:
		/* The id of the tree being moved. For every other root the offset is a generation. */
		if (key->objectid == TREE_RELOC_ID)
			object_text(key->offset, key->type, text);
		else
			snprintf(text, OBJECT_TEXT_SIZE, "%" PRIu64, key->offset);
		break;
	default:
		if (key->offset == UINT64_MAX)
			snprintf(text, OBJECT_TEXT_SIZE, "-1");
		else
			snprintf(text, OBJECT_TEXT_SIZE, "%" PRIu64, key->offset);
	}
}

const char *key_type_name(uint8_t type)
{
	static const char *const names[256] = {
		[KEY_INODE_ITEM] = "INODE_ITEM",
		[KEY_INODE_REF] = "INODE_REF",
		[KEY_INODE_EXTREF] = "INODE_EXTREF",
		[KEY_XATTR_ITEM] = "XATTR_ITEM",
		[KEY_VERITY_DESC] = "VERITY_DESC_ITEM",
		[KEY_VERITY_MERKLE] = "VERITY_MERKLE_ITEM",
		[KEY_FSCRYPT_INODE_CTX] = "FSCRYPT_INODE_CTX",
		[KEY_FSCRYPT_CTX] = "FSCRYPT_CTX",
		[KEY_ORPHAN_ITEM] = "ORPHAN_ITEM",
		[KEY_DIR_LOG_ITEM] = "DIR_LOG_ITEM",
		[KEY_DIR_LOG_INDEX] = "DIR_LOG_INDEX",
		[KEY_DIR_ITEM] = "DIR_ITEM",
		[KEY_DIR_INDEX] = "DIR_INDEX",
		[KEY_EXTENT_DATA] = "EXTENT_DATA",
		[KEY_CSUM_ITEM] = "CSUM_ITEM",
		[KEY_EXTENT_CSUM] = "EXTENT_CSUM",
		[KEY_ROOT_ITEM] = "ROOT_ITEM",
		[KEY_ROOT_BACKREF] = "ROOT_BACKREF",
		[KEY_ROOT_REF] = "ROOT_REF",
		[KEY_EXTENT_ITEM] = "EXTENT_ITEM",
		[KEY_METADATA_ITEM] = "METADATA_ITEM",
		[KEY_EXTENT_OWNER_REF] = "EXTENT_OWNER_REF",
		[KEY_TREE_BLOCK_REF] = "TREE_BLOCK_REF",
		[KEY_EXTENT_DATA_REF] = "EXTENT_DATA_REF",
		[KEY_EXTENT_REF_V0] = "EXTENT_REF_V0",
		[KEY_SHARED_BLOCK_REF] = "SHARED_BLOCK_REF",
		[KEY_SHARED_DATA_REF] = "SHARED_DATA_REF",
		[KEY_BLOCK_GROUP_ITEM] = "BLOCK_GROUP_ITEM",
		[KEY_FREE_SPACE_INFO] = "FREE_SPACE_INFO",
		[KEY_FREE_SPACE_EXTENT] = "FREE_SPACE_EXTENT",
		[KEY_FREE_SPACE_BITMAP] = "FREE_SPACE_BITMAP",
		[KEY_DEV_EXTENT] = "DEV_EXTENT",
		[KEY_DEV_ITEM] = "DEV_ITEM",
		[KEY_CHUNK_ITEM] = "CHUNK_ITEM",
		[KEY_RAID_STRIPE] = "RAID_STRIPE",
		[KEY_QGROUP_STATUS] = "QGROUP_STATUS",
		[KEY_QGROUP_INFO] = "QGROUP_INFO",
		[KEY_QGROUP_LIMIT] = "QGROUP_LIMIT",
		[KEY_QGROUP_RELATION] = "QGROUP_RELATION",
		[KEY_TEMPORARY_ITEM] = "TEMPORARY_ITEM",
		[KEY_PERSISTENT_ITEM] = "PERSISTENT_ITEM",
		[KEY_DEV_REPLACE] = "DEV_REPLACE",
		[KEY_UUID_SUBVOL] = "UUID_KEY_SUBVOL",
		[KEY_UUID_RECEIVED] = "UUID_KEY_RECEIVED_SUBVOL",
		[KEY_STRING_ITEM] = "STRING_ITEM",
	};

	return names[type];
}

const char *key_text(const struct key *key, char text[KEY_TEXT_SIZE])
{
	const char *name = key_type_name(key->type);
	char object[OBJECT_TEXT_SIZE], offset[OBJECT_TEXT_SIZE];

	/* The items of the v1 space cache have no type. */
	if (key->type == 0 && key->objectid == FREE_SPACE_ID)
		name = "UNTYPED";
	object_text(key->objectid, key->type, object);
	offset_text(key, offset);
	if (name)
		snprintf(text, KEY_TEXT_SIZE, "(%s %s %s)", object, name, offset);
	else
		snprintf(text, KEY_TEXT_SIZE, "(%s UNKNOWN.%u %s)", object, key->type, offset);
	return text;
}

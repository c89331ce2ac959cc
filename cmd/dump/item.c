/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Which decoder prints which kind of item. */
#include "cmd/dump/items.h"

static dump_item *const decoders[256] = {
	[KEY_INODE_ITEM] = dump_inode,
	[KEY_INODE_REF] = dump_inode_ref,
	[KEY_INODE_EXTREF] = dump_inode_extref,
	[KEY_XATTR_ITEM] = dump_dir_entries,
	[KEY_VERITY_DESC] = dump_verity_descriptor,
	[KEY_VERITY_MERKLE] = dump_verity_tree,
	[KEY_FSCRYPT_INODE_CTX] = dump_fscrypt_inode_context,
	[KEY_FSCRYPT_CTX] = dump_fscrypt_extent_context,
	[KEY_ORPHAN_ITEM] = dump_orphan,
	[KEY_DIR_LOG_ITEM] = dump_dir_log,
	[KEY_DIR_LOG_INDEX] = dump_dir_log,
	[KEY_DIR_ITEM] = dump_dir_entries,
	[KEY_DIR_INDEX] = dump_dir_entries,
	[KEY_EXTENT_DATA] = dump_file_extent,
	[KEY_CSUM_ITEM] = dump_obsolete,
	[KEY_EXTENT_CSUM] = dump_csums,
	[KEY_ROOT_ITEM] = dump_root,
	[KEY_ROOT_BACKREF] = dump_root_ref,
	[KEY_ROOT_REF] = dump_root_ref,
	[KEY_EXTENT_ITEM] = dump_extent,
	[KEY_METADATA_ITEM] = dump_extent,
	[KEY_EXTENT_OWNER_REF] = dump_extent_ref,
	[KEY_TREE_BLOCK_REF] = dump_extent_ref,
	[KEY_EXTENT_DATA_REF] = dump_extent_ref,
	[KEY_EXTENT_REF_V0] = dump_obsolete,
	[KEY_SHARED_BLOCK_REF] = dump_extent_ref,
	[KEY_SHARED_DATA_REF] = dump_extent_ref,
	[KEY_BLOCK_GROUP_ITEM] = dump_block_group,
	[KEY_FREE_SPACE_INFO] = dump_free_space,
	[KEY_FREE_SPACE_EXTENT] = dump_free_space,
	[KEY_FREE_SPACE_BITMAP] = dump_free_space,
	[KEY_DEV_EXTENT] = dump_dev_extent,
	[KEY_DEV_ITEM] = dump_dev_item,
	[KEY_CHUNK_ITEM] = dump_chunk,
	[KEY_RAID_STRIPE] = dump_stripe_extent,
	[KEY_QGROUP_STATUS] = dump_qgroup_status,
	[KEY_QGROUP_INFO] = dump_qgroup_info,
	[KEY_QGROUP_LIMIT] = dump_qgroup_limit,
	[KEY_QGROUP_RELATION] = dump_qgroup_relation,
	[KEY_DEV_REPLACE] = dump_dev_replace,
	[KEY_UUID_SUBVOL] = dump_uuid_item,
	[KEY_UUID_RECEIVED] = dump_uuid_item,
	[KEY_STRING_ITEM] = dump_string,
};

static dump_item *decoder_of(const struct key *key)
{
	switch (key->type) {
	case 0:
		return key->objectid == FREE_SPACE_ID ? dump_space_cache : NULL;
	case KEY_PERSISTENT_ITEM:
		return key->objectid == CRYPT_ID ? dump_crypt : key->objectid == 0 ? dump_dev_stats : dump_unknown_persistent;
	case KEY_TEMPORARY_ITEM:
		return key->objectid == BALANCE_ID ? dump_balance : dump_unknown_temporary;
	default:
		return decoders[key->type];
	}
}

bool dump_one_item(struct dump *dump, struct cursor item)
{
	const struct cursor whole = item;
	dump_item *decoder = decoder_of(dump->key);
	struct error err = { 0 };
	const bool reads = !decoder || decoder(dump, &item, &err);

	dump_end_line(dump);
	if (decoder && reads)
		return true;
	if (decoder) {
		dump_text(dump, "not decoded:", err.text);
		dump_end_line(dump);
	}
	/* If an item cannot be read, nobody knows which part of it is a name. */
	if (dump->names == NAMES_HIDDEN)
		dump_text(dump, "bytes", "HIDDEN");
	else
		dump_bytes(dump, whole.at, whole.left);
	dump_end_line(dump);
	return reads;
}

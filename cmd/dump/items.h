/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Decoders of tree items for the dump commands, one for each kind. item.c chooses by key type. */
#ifndef CMD_DUMP_ITEMS_H
#define CMD_DUMP_ITEMS_H

#include "cmd/dump/out.h"
#include "format/cursor.h"

/* Prints the fields of the item with dump->key and consumes it. False if it cannot be read: what was already printed stays. */
typedef bool dump_item(struct dump *dump, struct cursor *item, struct error *err);

/* inode.c */
extern dump_item dump_inode, dump_inode_ref, dump_inode_extref, dump_dir_entries, dump_file_extent;
/* root.c */
extern dump_item dump_root, dump_root_ref, dump_uuid_item;
/* extent.c */
extern dump_item dump_extent, dump_extent_ref, dump_csums;
/* chunk.c */
extern dump_item dump_chunk, dump_block_group, dump_free_space, dump_space_cache, dump_balance;
/* device.c */
extern dump_item dump_dev_item, dump_dev_extent, dump_dev_stats, dump_dev_replace, dump_stripe_extent;
/* quota.c */
extern dump_item dump_qgroup_status, dump_qgroup_info, dump_qgroup_limit, dump_qgroup_relation;
/* small.c */
extern dump_item dump_orphan, dump_dir_log, dump_string, dump_obsolete, dump_unknown_persistent, dump_unknown_temporary;
/* fscrypt.c: contexts of the fscrypt proposal, and fs-verity */
extern dump_item dump_fscrypt_inode_context, dump_fscrypt_extent_context, dump_verity_descriptor, dump_verity_tree;
/* crypt.c: the key must be that of a crypt item */
extern dump_item dump_crypt;

/* The fields of an inode item, also those inside a root item, which mean little. */
void dump_inode_fields(struct dump *dump, const struct disk_inode_item *disk);

/* The tail of a superblock while a conversion is unfinished. */
bool dump_crypt_state(struct dump *dump, const uint8_t tail[SUPER_TAIL_SIZE], struct error *err) must_use;

/* Is the item about encryption: a crypt item, or marks, flags, tags and xattrs of an encrypted subvolume? legacy: as in struct dump */
bool item_is_about_encryption(const struct key *key, struct cursor item, uint32_t sector_size, struct dump_legacy *legacy);

/*
 * Prints the item with dump->key, with the decoder of its kind. False if it cannot be read: the reason and its bytes are printed. Items of
 * unknown kinds count as readable and are printed as bytes.
 */
bool dump_one_item(struct dump *dump, struct cursor item);

#endif /* CMD_DUMP_ITEMS_H */

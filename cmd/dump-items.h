/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Decoders of tree items for the dump commands, one for each kind; dump-tree.c chooses by key type. */
#ifndef CMD_DUMP_ITEMS_H
#define CMD_DUMP_ITEMS_H

#include "cmd/dump-out.h"
#include "format/cursor.h"
#include "format/superblock.h"

/*
 * Prints the fields of one item and consumes it.  False where it does not read: what was printed by then stays, and the caller
 * adds the bytes.  super may be NULL for dump_chunk().
 */
typedef bool dump_item(struct dump *dump, const struct key *key, struct cursor *item, const struct superblock *super,
	       struct error *err);

/* dump-inode.c */
extern dump_item dump_inode, dump_inode_ref, dump_inode_extref, dump_dir_entries, dump_file_extent;
/* dump-root.c */
extern dump_item dump_root, dump_root_ref, dump_uuid_item;
/* dump-extent.c */
extern dump_item dump_extent, dump_extent_ref, dump_csums;
/* dump-chunk.c */
extern dump_item dump_chunk, dump_dev_item, dump_dev_extent, dump_dev_stats, dump_block_group, dump_free_space;
/* dump-crypt.c: key must be that of a crypt item */
extern dump_item dump_crypt;

/* The tail of a superblock while a conversion is unfinished. */
bool dump_crypt_state(struct dump *dump, const uint8_t tail[SUPER_TAIL_SIZE], struct error *err) must_use;

/* Does the item concern encryption: a crypt item, or marks, flags and tags of a sealed subvolume? */
bool item_is_about_encryption(const struct key *key, struct cursor item, uint32_t sector_size);

#endif /* CMD_DUMP_ITEMS_H */

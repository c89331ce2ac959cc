/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Directory entries and xattrs: DIR_ITEM, DIR_INDEX, XATTR_ITEM share one struct. */
#ifndef FORMAT_DIR_ENTRY_H
#define FORMAT_DIR_ENTRY_H

#include "format/cursor.h"
#include "format/key.h"

#define FT_REG_FILE 1
#define FT_DIR 2
#define FT_CHRDEV 3
#define FT_BLKDEV 4
#define FT_FIFO 5
#define FT_SOCK 6
#define FT_SYMLINK 7
#define FT_XATTR 8
#define FT_LAST 7
#define FT_ENCRYPTED 0x80	/* upstream proposal: the name is ciphertext */

struct dir_entry {
	struct key location;
	uint8_t type;		/* FT_* without FT_ENCRYPTED */
	bool encrypted;
	struct cursor name;	/* borrowed from the leaf; may hold any byte */
	struct cursor data;	/* xattr value; empty for directory entries */
};

/* Reads the next entry of a DIR_ITEM or DIR_INDEX item. Loop while item->left > 0. */
bool dir_entry_next(struct cursor *item, struct dir_entry *entry, struct error *err) must_use;

/* Reads the next xattr of an XATTR_ITEM. */
bool xattr_next(struct cursor *item, struct dir_entry *entry, struct error *err) must_use;

/* FT_* of a file with that mode; 0: not a file type. */
uint8_t dir_entry_type(uint32_t mode);
/* Is this a name that no file can have, because it would lead elsewhere? */
bool dir_entry_name_is_bad(const struct dir_entry *entry);

/* Key offset of the DIR_ITEM or XATTR_ITEM for a name: crc32c with seed ~1. */
uint64_t dir_entry_name_hash(const void *name, size_t len);

#endif /* FORMAT_DIR_ENTRY_H */

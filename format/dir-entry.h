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

/* The next entry of a DIR_ITEM or DIR_INDEX item: loop while item->left > 0. */
bool dir_entry_next(struct cursor *item, struct dir_entry *entry, struct error *err) must_use;

/* The next xattr of an XATTR_ITEM. */
bool xattr_next(struct cursor *item, struct dir_entry *entry, struct error *err) must_use;

/* FT_* of a file of that mode; 0: of none. */
uint8_t dir_entry_type(uint32_t mode);
/* Can no file have it, for it would lead elsewhere? */
bool dir_entry_name_is_bad(const struct dir_entry *entry);

/* Key offset of the DIR_ITEM or XATTR_ITEM of a name: crc32c with seed ~1. */
uint64_t dir_entry_name_hash(const void *name, size_t len);

#endif /* FORMAT_DIR_ENTRY_H */

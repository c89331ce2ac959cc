/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A header backup: a file with the header of something sealed, and the items that the header vouches for. See format/README.md, "Header backups". */
#ifndef FORMAT_CRYPT_BACKUP_H
#define FORMAT_CRYPT_BACKUP_H

#include "format/crypt.h"

#define CRYPT_BACKUP_MAGIC	"BTRCBACK"
#define CRYPT_BACKUP_MAX	(512u << 20)	/* bytes of the file */
#define CRYPT_BACKUP_HASH_SIZE	32u

struct disk_crypt_backup {	/* then the items, then the SHA-256 of all before it */
	uint8_t magic[8];
	struct le32 version;
	struct le32 flags;		/* 0 */
	struct le64 length;		/* of the whole file */
	uint8_t fsid[FSID_SIZE];	/* of the filesystem */
	struct le64 time;		/* seconds since 1970 */
	struct le32 n_items;
	struct le32 zero;
};
static_assert(sizeof(struct disk_crypt_backup) == 56, "crypt backup");

struct disk_crypt_backup_item {	/* followed by length bytes */
	struct le64 offset;	/* of the item's key */
	struct le32 length;
	struct le32 zero;
};
static_assert(sizeof(struct disk_crypt_backup_item) == 16, "crypt backup item");

struct crypt_backup {
	uint8_t fsid[FSID_SIZE];
	uint64_t time;
	uint32_t n_items;
	struct cursor items;	/* of crypt_backup_next(); borrowed from the file */
	struct cursor hash;
};

struct crypt_backup_item {
	struct crypt_place place;
	uint64_t offset;
	struct cursor payload;	/* borrowed */
};

/* file: all bytes of it. Checks the layout up to the items, not the hash. ERROR_KEY_HEADER, or ERROR_REFUSED for another version. */
bool crypt_backup_read(struct cursor *file, struct crypt_backup *backup, struct error *err) must_use;
/*
 * Moves backup->items on; n_items times. before: the item before this one; NULL: none. Items are in order of their keys, of one sealing and of
 * the kinds that a backup has, and begin with the header. Their payloads are not looked at.
 */
bool crypt_backup_next(struct crypt_backup *backup, const struct crypt_backup_item *before, struct crypt_backup_item *item, struct error *err) must_use;
/* After the last item: fails if bytes are left. */
bool crypt_backup_end(const struct crypt_backup *backup, struct error *err) must_use;

#endif /* FORMAT_CRYPT_BACKUP_H */

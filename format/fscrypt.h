/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The contexts of the upstream fscrypt proposal: the key and modes of an inode, and the nonce of an extent. The proposal is not frozen;
 * this is its seventh version. Older ones had no item for extents.
 */
#ifndef FORMAT_FSCRYPT_H
#define FORMAT_FSCRYPT_H

#include "format/cursor.h"
#include "format/ondisk.h"

#define FSCRYPT_CONTEXT_V2		2u
#define FSCRYPT_EXTENT_CONTEXT_V1	1u
#define FSCRYPT_IDENTIFIER_SIZE		16u
#define FSCRYPT_NONCE_SIZE		16u
#define FILE_EXTENT_ENCRYPTION_FSCRYPT	1u	/* in the encryption byte of a file extent */
#define INODE_ENCRYPT			(1ull << 12)

struct disk_fscrypt_inode_context {	/* key (inode, 41, 0) */
	uint8_t version;
	uint8_t contents_mode;
	uint8_t filenames_mode;
	uint8_t flags;			/* bits 0 and 1: names are padded to 4 << n bytes */
	uint8_t log2_data_unit_size;
	uint8_t reserved[3];
	uint8_t master_key_identifier[FSCRYPT_IDENTIFIER_SIZE];
	uint8_t nonce[FSCRYPT_NONCE_SIZE];
};
static_assert(sizeof(struct disk_fscrypt_inode_context) == 40, "fscrypt_context_v2");

struct disk_fscrypt_extent_context {	/* key (inode, 42, offset of the EXTENT_DATA) */
	uint8_t version;
	uint8_t mode;
	uint8_t master_key_identifier[FSCRYPT_IDENTIFIER_SIZE];
	uint8_t nonce[FSCRYPT_NONCE_SIZE];
};
static_assert(sizeof(struct disk_fscrypt_extent_context) == 34, "fscrypt_extent_context_v1");

/* They contain only bytes and single-byte numbers, so they are native as they are. ERROR_CORRUPT for any other version or size. */
bool fscrypt_inode_context_read(struct cursor *item, struct disk_fscrypt_inode_context *context, struct error *err) must_use;
bool fscrypt_extent_context_read(struct cursor *item, struct disk_fscrypt_extent_context *context, struct error *err) must_use;

/* "AES-256-XTS"; NULL for an unknown number. */
const char *fscrypt_mode_name(uint8_t mode);

#endif /* FORMAT_FSCRYPT_H */

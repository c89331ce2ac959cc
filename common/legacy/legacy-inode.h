/* SPDX-License-Identifier: GPL-2.0-or-later */
/* An inode of an encrypted subvolume: its IV, what it decrypts to, and whether the padding of its last page says that this is right. */
#ifndef COMMON_LEGACY_LEGACY_INODE_H
#define COMMON_LEGACY_LEGACY_INODE_H

#include "common/crypto/secret.h"
#include "common/legacy/legacy.h"

/* Keyed with the key of a subvolume. */
struct legacy_ciphers;
bool legacy_ciphers_new(const struct legacy *legacy, const struct secret *key, struct legacy_ciphers **ciphers, struct error *err) must_use;
void legacy_ciphers_free(struct legacy_ciphers *ciphers);	/* NULL is fine */
static inline void legacy_ciphers_cleanup(struct legacy_ciphers **p) { legacy_ciphers_free(*p); }
#define cleanup_legacy_ciphers __attribute__((cleanup(legacy_ciphers_cleanup)))

struct legacy_inode {
	uint64_t tree, number;		/* 0: none was read */
	uint64_t size, flags;
	uint32_t mode;
	bool has_iv;
	uint8_t disk_iv[LEGACY_IV_SIZE], iv[LEGACY_IV_SIZE];	/* as it is on disk, and decrypted: with it and any page's plain text others can be read */
	struct error no_iv;		/* why it has none */
};
/* ciphers NULL: iv stays zero. An IV that is missing or damaged is no error. */
bool legacy_inode_read(const struct tree *tree, uint64_t number, struct legacy_ciphers *ciphers, struct legacy_inode *inode,
		       struct error *err) must_use;

/* The IV of an inode, from its xattr. */
bool legacy_iv(struct legacy_ciphers *ciphers, const uint8_t disk_iv[LEGACY_IV_SIZE], uint8_t iv[LEGACY_IV_SIZE], struct error *err) must_use;

/* Pages of an extent, or (is_inline) a payload, in place. ERROR_CORRUPT for an inline length that the cipher has no ciphertext of. */
bool legacy_decrypt(struct legacy_ciphers *ciphers, const uint8_t iv[LEGACY_IV_SIZE], void *bytes, size_t len, bool is_inline,
		    struct error *err) must_use;
/* Puts back what legacy_decrypt() made of it, when a decryption is undone. */
bool legacy_encrypt(struct legacy_ciphers *ciphers, const uint8_t iv[LEGACY_IV_SIZE], void *bytes, size_t len, bool is_inline,
		    struct error *err) must_use;

/*
 * What the end of a file says, which was padded with zeros before it was encrypted. Under a wrong key or IV, 16 bytes are zeros by chance once
 * in 2^128. A file that was made shorter has its old bytes behind the end, and only behind those the zeros, if there were any.
 */
enum legacy_padding {
	LEGACY_PADDING_NONE,	/* no encrypted page was padded, or it cannot be read */
	LEGACY_PADDING_SHORT,	/* zeros, but less than 16, which proves nothing */
	LEGACY_PADDING_RIGHT,
	LEGACY_PADDING_WRONG,	/* no zeros: a wrong key or IV, or a file that was made shorter by all of its padding */
};
/* page: at this offset in its extent, decrypted; only the last one of an extent was padded. used: bytes of it that are the file's. */
enum legacy_padding legacy_padding_of(const struct file_extent *e, uint64_t offset, const uint8_t page[LEGACY_PAGE], size_t used);
/* Looks at the last page of a file, if it is in the extent at that address; 0: in any. */
bool legacy_probe(const struct tree *tree, const struct legacy *legacy, struct legacy_ciphers *ciphers, const struct legacy_inode *inode,
		  uint64_t disk_bytenr, enum legacy_padding *padding, struct error *err) must_use;

#endif /* COMMON_LEGACY_LEGACY_INODE_H */

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Subvolumes that were encrypted by the experimental patches of 2016 and 2017, which no kernel reads any more: what their root items and
 * xattrs say. README.md, section 10.
 */
#ifndef FORMAT_LEGACY_H
#define FORMAT_LEGACY_H

#include "format/root.h"

#define LEGACY_NAME_SIZE	16u	/* of an algorithm or a key tag, at most */
#define LEGACY_IV_SIZE		16u
#define LEGACY_KEY_SIZE		16u
#define LEGACY_PAGE		4096u	/* what is encrypted by itself */
#define LEGACY_XATTR_PROPERTY	"btrfs.encrypt"
#define LEGACY_XATTR_IV		"btrfs.cryptoiv"
#define COMPRESS_ENCRYPTED	3u	/* the compression number of encrypted extents, in inodes with INODE_ENCRYPT; elsewhere it is ZSTD */

enum legacy_mode { LEGACY_MODE_UNKNOWN, LEGACY_CTR, LEGACY_CBC, LEGACY_CBC_CTS };
enum legacy_mode legacy_mode_of(const char *algorithm);	/* "ctr(aes)", "cbc(aes)", "cts(cbc(aes))" */

/* What a root item with ROOT_ENCRYPT_2016 says. A short one has no names and numbers. */
struct legacy_root {
	bool is_early;				/* of early 2016: a key tag is where the key length and hash are later */
	char algorithm[LEGACY_NAME_SIZE + 1];	/* printable; "": none */
	char tag[LEGACY_NAME_SIZE + 1];		/* of early 2016 only */
	uint32_t key_len, key_hash;		/* not of early 2016 */
};
void legacy_root_of(const struct root *root, struct legacy_root *legacy);

/* The value of an xattr btrfs.encrypt, "ctr(aes)@btrfs:61e0d004", or the binary context of 2017. Consumes it. */
struct legacy_property {
	bool is_2017;				/* then there are no names */
	char algorithm[LEGACY_NAME_SIZE + 1];	/* printable, as is the tag; neither is empty */
	char tag[LEGACY_NAME_SIZE + 1];
};
bool legacy_property_read(struct cursor *value, struct legacy_property *property, struct error *err) must_use;

/* The value of an xattr btrfs.cryptoiv: 16 bytes, the encrypted IV of the inode; more are ignored. Consumes it. */
bool legacy_iv_read(struct cursor *value, uint8_t iv[LEGACY_IV_SIZE], struct error *err) must_use;

#endif /* FORMAT_LEGACY_H */

/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Recognizes subvolumes that the experimental patches of 2016 and 2017 encrypted, in each of their three layouts. */
#ifndef COMMON_LEGACY_LEGACY_H
#define COMMON_LEGACY_LEGACY_H

#include "common/fs/subvolume.h"
#include "format/crypt.h"
#include "format/file-extent.h"
#include "format/fscrypt.h"
#include "format/legacy.h"

/* Where, in the reserved bytes of a root item, a decryption in place keeps its id meanwhile: behind what the format has there. */
#define LEGACY_ROOT_ID_AT sizeof(struct disk_crypt_tag)

enum legacy_layout {
	LEGACY_NONE,
	LEGACY_EARLY_2016,	/* these two are only named */
	LEGACY_2017,
	LEGACY_2016,
};

struct legacy {
	enum legacy_layout layout;
	enum legacy_mode mode;			/* by the algorithm */
	char algorithm[LEGACY_NAME_SIZE + 1];	/* of the root item, by which kernels decrypted; of the xattr if that has none; "": none */
	char other[LEGACY_NAME_SIZE + 1];	/* that of the xattr, if it is another one; otherwise "" */
	char tag[LEGACY_NAME_SIZE + 1];		/* names the key; "": none */
	uint32_t key_len, key_hash;		/* key_hash 0: not recorded */
	bool is_converting;			/* it is being decrypted in place, which is unfinished */
};

/*
 * Looks at the root item, and at the xattr of the root directory; if it has none, at that of any inode. What is damaged there does not
 * count. Fails only if the machine does.
 */
bool legacy_find(struct volume *volume, const struct subvolume *subvolume, struct legacy *legacy, struct error *err) must_use;

/* Is it one of those that the decryption with this id is about? */
static inline bool legacy_root_has_id(const struct root *root, const uint8_t op_id[CRYPT_UUID_SIZE])
{
	return !root->is_short && memcmp(root->reserved + LEGACY_ROOT_ID_AT, op_id, CRYPT_UUID_SIZE) == 0;
}

/* Is what the superblock says is unfinished a decryption of this format? *op_id: its id; may be NULL. */
bool legacy_is_unfinished(const struct volume *volume, uint8_t op_id[CRYPT_UUID_SIZE]);

/* "ctr(aes)@btrfs:61e0d004", with - for what there is not. */
#define LEGACY_TEXT_SIZE (2 * LEGACY_NAME_SIZE + 4)
const char *legacy_text(const struct legacy *legacy, char text[LEGACY_TEXT_SIZE]);
const char *legacy_layout_name(enum legacy_layout layout);	/* "early-2016", "2017", "2016" */

/*
 * ERROR_REFUSED if nobody here can decrypt it: another layout, an algorithm or a key length that is not known. ERROR_UNFINISHED if a part of it is
 * plain text by now.
 */

bool legacy_check_readable(const struct legacy *legacy, uint64_t subvolume, struct error *err) must_use;

/* Is the extent encrypted? In other inodes, and in other subvolumes, the same number is zstd. */
static inline bool legacy_is_encrypted(const struct legacy *legacy, uint64_t inode_flags, const struct file_extent *e)
{
	return legacy->layout != LEGACY_NONE && inode_flags & INODE_ENCRYPT && e->compression == COMPRESS_ENCRYPTED &&
	       (e->type == FILE_EXTENT_INLINE || (e->type == FILE_EXTENT_REG && e->disk_bytenr != 0));
}

/* While it is being decrypted in place: was the extent encrypted before? Its mark; 0: no. */
static inline uint16_t legacy_extent_mark(const struct file_extent *e)
{
	return (e->other_encoding & ~1u) == LEGACY_MARK ? e->other_encoding : 0;
}

/* The same, and then the extent looks like a plain one that is not compressed, for those who say what they found. */
static inline bool legacy_take_encrypted(const struct legacy *legacy, uint64_t inode_flags, struct file_extent *e)
{
	const bool is_encrypted = legacy_is_encrypted(legacy, inode_flags, e);

	e->compression = is_encrypted ? COMPRESS_NONE : e->compression;
	e->encryption = is_encrypted ? 0 : e->encryption;
	return is_encrypted;
}

static inline bool legacy_xattr_is(const struct cursor *name, const char *wanted)
{
	return name->left == strlen(wanted) && memcmp(name->at, wanted, name->left) == 0;
}
/* An xattr of the inode by name. value gets *len bytes of it, at most size. */
bool legacy_xattr(const struct tree *tree, uint64_t inode, const char *name, uint8_t *value, size_t size, size_t *len, bool *found,
		  struct error *err) must_use;

#endif /* COMMON_LEGACY_LEGACY_H */

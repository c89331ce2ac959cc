/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Where the bytes of extents come from: one source reads the disk, another decrypts. file-parts.h puts them together to files. */
#ifndef COMMON_FS_SOURCE_H
#define COMMON_FS_SOURCE_H

#include "common/tree/tree.h"
#include "format/file-extent.h"

/* An extent item, and the file that it is a part of. */
struct file_item {
	const struct tree *subvolume;
	uint64_t inode, file_offset;
	const struct file_extent *extent;
};

/*
 * The plain source below reads the disk and checks checksums (tries the next mirror on a mismatch;
 * ERROR_CORRUPT if no mirror is right). What is encrypted has a source of its own, for each format.
 */
struct extent_source {
	/* Reads len bytes at offset in the item's extent on disk, both multiples of the sector size. */
	bool (*read)(struct extent_source *source, const struct file_item *item, uint64_t offset, void *bytes, size_t len, struct error *err);
	/* Reads the item's inline payload into out (item->extent->payload.left bytes). */
	bool (*read_inline)(struct extent_source *source, const struct file_item *item, uint8_t *out, struct error *err);
	/*
	 * For formats in which an extent's numbers do not mean what they do elsewhere: makes compression one of COMPRESS_*, and encryption
	 * anything that the functions above understand. ciphertext: it will be passed on as it is on disk. ERROR_KEY: it can only be read
	 * with a key. NULL: they mean the same.
	 */
	bool (*interpret)(struct extent_source *source, const struct file_item *item, struct file_extent *extent, bool ciphertext, struct error *err);
	/* Has it the key for all of this file? NULL: it is asked in another way. */
	bool (*opens)(struct extent_source *source, const struct tree *subvolume, uint64_t inode, bool *opens, struct error *err);
};

/* Reads from disk with checksums. Stateless. */
extern struct extent_source plain_source;

#endif /* COMMON_FS_SOURCE_H */

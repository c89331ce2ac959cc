/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Where the bytes of extents come from: one source reads the disk, another decrypts. file-parts.h puts them together to files. */
#ifndef COMMON_FS_SOURCE_H
#define COMMON_FS_SOURCE_H

#include "common/fs/subvolume.h"
#include "format/file-extent.h"

/* An extent item, and the file that it is a part of. */
struct file_item {
	const struct tree *subvolume;
	uint64_t inode, file_offset;
	const struct file_extent *extent;
};

/*
 * The plain source below reads the disk and checks checksums (tries the next mirror on a mismatch;
 * ERROR_CORRUPT if no mirror is right). A sealed domain has a source of its own (domain-reader.h).
 */
struct extent_source {
	/* Reads len bytes at offset in the item's extent on disk, both multiples of the sector size. */
	bool (*read)(struct extent_source *source, const struct file_item *item, uint64_t offset, void *bytes, size_t len, struct error *err);
	/* Reads the item's inline payload into out (item->extent->payload.left bytes). */
	bool (*read_inline)(struct extent_source *source, const struct file_item *item, uint8_t *out, struct error *err);
};

/* Reads from disk with checksums. Stateless. */
extern struct extent_source plain_source;

/*
 * Decides, for whoever reads a subvolume, where its bytes come from: the disk as it is or, with *extents NULL, its domain, if is_sealed.
 * ERROR_REFUSED: nowhere, because it is in the format of 2016.
 */
bool source_decide(const struct subvolume *subvolume, bool is_sealed, struct extent_source **extents, struct error *err) must_use;

#endif /* COMMON_FS_SOURCE_H */

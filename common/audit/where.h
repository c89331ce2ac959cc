/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What lies at a byte of a device: who uses it, or what it was. */
#ifndef COMMON_AUDIT_WHERE_H
#define COMMON_AUDIT_WHERE_H

#include "common/volume/volume.h"

enum where_kind {
	WHERE_FILE,		/* a file has it */
	WHERE_UNUSED_PART,	/* of an extent, which no file shows; the file has other bytes of it */
	WHERE_TREE_ITEM,	/* of a tree block in use */
	WHERE_TREE_GAP,		/* of a tree block in use: no item */
	WHERE_OLD_BLOCK,	/* a tree block that is no longer in use */
	WHERE_FREE_DATA,
	WHERE_FREE_METADATA,	/* and system */
	WHERE_PARITY,
	WHERE_SUPERBLOCK,	/* the stripe of a superblock copy */
	WHERE_RESERVED,		/* the rest of the first MiB */
	WHERE_NO_CHUNK,
	WHERE_BEHIND,		/* the end of the filesystem on the device */
	WHERE_KINDS
};

struct where {
	enum where_kind kind;
	uint64_t len;		/* so many bytes from here on are the same */
	uint64_t logical;	/* 0: none */
	uint64_t root, inode;	/* the first that has it; 0: unknown */
	uint64_t offset;	/* in that file */
	uint64_t n_files;	/* that have it */
	uint64_t generation;	/* WHERE_OLD_BLOCK, with root: of the tree that it belonged to */
};

bool where_is(struct volume *volume, const struct volume_device *device, uint64_t physical, struct where *where, struct error *err) must_use;

/* Free space, in one of its forms: `--wipe-free` overwrites it. */
static inline bool where_is_wiped(enum where_kind kind)
{
	return kind == WHERE_FREE_DATA || kind == WHERE_FREE_METADATA || kind == WHERE_OLD_BLOCK || kind == WHERE_NO_CHUNK;
}

#endif /* COMMON_AUDIT_WHERE_H */

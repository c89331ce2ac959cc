/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Inode items, and the names that refer to an inode. */
#ifndef FORMAT_INODE_H
#define FORMAT_INODE_H

#include "format/cursor.h"
#include "format/key.h"
#include "format/ondisk.h"

struct inode_time {
	int64_t sec;
	uint32_t nsec;
};

struct inode {
	uint64_t generation, transid, size, nbytes, rdev, flags, sequence;
	uint32_t n_links, uid, gid, mode;
	struct inode_time atime, ctime, mtime, otime;
};

/* Exactly sizeof(struct disk_inode_item) bytes; mode must have a file type; nsec < 10^9. */
bool inode_read(struct cursor *item, struct inode *inode, struct error *err) must_use;

struct inode_ref {
	uint64_t parent;	/* inode of the directory (INODE_REF: given by the key) */
	uint64_t index;
	struct cursor name;	/* borrowed from the leaf */
};

/* Reads the next name of an INODE_REF item (key.offset: the parent) / of an INODE_EXTREF item. */
bool inode_ref_next(struct cursor *item, uint64_t parent, struct inode_ref *ref, struct error *err) must_use;
bool inode_extref_next(struct cursor *item, struct inode_ref *ref, struct error *err) must_use;
/* Of either, as its key says. */
bool inode_name_next(struct cursor *item, const struct key *key, struct inode_ref *ref, struct error *err) must_use;

static inline bool key_is_inode_ref(const struct key *key)
{
	return key->type == KEY_INODE_REF || key->type == KEY_INODE_EXTREF;
}

/* Key offset of the INODE_EXTREF item for a name: crc32c with the directory as seed. */
uint64_t inode_extref_hash(uint64_t parent, const void *name, size_t len);

#endif /* FORMAT_INODE_H */

/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Who is in which directory, according to the inodes themselves. */
#ifndef COMMON_FS_INODE_PARENTS_H
#define COMMON_FS_INODE_PARENTS_H

#include "common/tree/tree.h"
#include "format/inode.h"

/*
 * Which inodes of a subvolume say that they are in which directory. Takes 16 bytes for each name of an inode and reads the whole tree, so
 * it is used only if something is lost. Initialise with { 0 }.
 */
struct inode_parent {
	uint64_t parent, inode;
};
struct inode_parents {
	uint64_t subvolume;	/* the subvolume it was read from; 0: not read yet */
	struct inode_parent *at;	/* sorted by parent, then inode, without duplicates */
	size_t n, n_allocated;
};

/* Does nothing if it was read before. What cannot be read is left out. False: out of memory. */
bool inode_parents_read(struct inode_parents *parents, const struct tree *subvolume, struct error *err) must_use;
/* The first one whose parent is >= parent. */
size_t inode_parents_first(const struct inode_parents *parents, uint64_t parent);
void inode_parents_free(struct inode_parents *parents);

/* The next name of an INODE_REF or INODE_EXTREF. False: there is none, or it cannot be read. */
bool inode_name_next_over(const struct key *key, struct cursor *item, struct inode_ref *ref);

#endif /* COMMON_FS_INODE_PARENTS_H */

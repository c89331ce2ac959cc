/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Names of a directory whose index cannot be read whole: from the other items that hold each of them. */
#ifndef COMMON_FS_LOST_NAMES_H
#define COMMON_FS_LOST_NAMES_H

#include "common/fs/path.h"

/*
 * Which inodes of a subvolume say that they are in which directory: 16 bytes for each name of an inode, read from the whole tree, and so only where
 * something is lost.  Initialise with { 0 }.
 */
struct inode_parent {
	uint64_t parent, inode;
};
struct inode_parents {
	uint64_t subvolume;	/* it is of this one; 0: not read yet */
	struct inode_parent *at;	/* ascending by parent, then inode, each once */
	size_t n, n_allocated;
};

/* Does nothing where it was read before; what cannot be read is left out.  False: no memory. */
bool inode_parents_read(struct inode_parents *parents, const struct tree *subvolume, struct error *err) must_use;
/* The first one whose parent is parent or higher. */
size_t inode_parents_first(const struct inode_parents *parents, uint64_t parent);
bool inode_parents_has(const struct inode_parents *parents, uint64_t parent);
void inode_parents_free(struct inode_parents *parents);

struct lost_name {
	struct dir_entry entry;		/* its name is in memory of its own */
	uint64_t number;		/* of it in the directory, for names that are made up */
};
struct lost_names {
	struct lost_name *at;
	size_t n, n_allocated;
};

/*
 * The names that are not in what can be read of the DIR_INDEX items of the directory: those of its DIR_ITEM items, of the subvolumes that hang in it,
 * and of the INODE_REF and INODE_EXTREF items of inodes.  parents is read where it was not.  Memory: a number for each name of the directory, and what is found.
 */
bool lost_names_find(const struct tree *subvolume, uint64_t directory, struct inode_parents *parents, struct lost_names *found,
		     struct error *err) must_use;
void lost_names_free(struct lost_names *names);

/* dir_read_over(), and then the names that its index has lost: where it met a gap, or has_gap. */
bool dir_read_all(const struct tree *subvolume, uint64_t inode, bool has_gap, dir_visit *visit, tree_gap *gap, void *context,
		  struct inode_parents *parents, struct error *err) must_use;

/* Is there an INODE_REF or INODE_EXTREF that can be read? */
bool inode_has_name(const struct tree *subvolume, uint64_t number);

/*
 * inode_get(), but a directory whose item is lost is made up, where something says that there is one (is_expected, or names in it that can be read):
 * *why, which is empty otherwise, says that.
 */
bool inode_get_or_directory(const struct tree *subvolume, uint64_t number, bool is_expected, struct inode *inode, struct error *why,
			    struct error *err) must_use;

#endif /* COMMON_FS_LOST_NAMES_H */

/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Recovers names of a directory whose index cannot be read completely, from the other items that hold each name. */
#ifndef COMMON_FS_LOST_NAMES_H
#define COMMON_FS_LOST_NAMES_H

#include "common/fs/inode-parents.h"
#include "common/fs/path.h"

struct lost_name {
	struct dir_entry entry;		/* its name is in memory of its own */
	uint64_t number;		/* its number in the directory, for made-up names */
	uint8_t found_by;		/* type of the item that still has it */
};
struct lost_names {
	struct lost_name *at;
	size_t n, n_allocated;
};

/*
 * Finds the names missing from the readable DIR_INDEX items of the directory: in its DIR_ITEM items, in the subvolumes inside it, and in
 * the INODE_REF and INODE_EXTREF items of inodes. Reads parents if that was not done yet. Memory: a number for each name of the directory,
 * and what is found. Finds nothing if the volume has a proof that the list of the directory is as it was sealed.
 */
bool lost_names_find(const struct tree *subvolume, uint64_t directory, struct inode_parents *parents, struct lost_names *found,
		     struct error *err) must_use;
void lost_names_free(struct lost_names *names);

/* What there is to say about a name that was found. */
void lost_name_tell(const struct lost_name *name, uint64_t directory, struct error *what);
/*
 * The same for one name. entry, whose name is the one that is given, leads to what it names. Reports it as invalid: only for volumes that
 * are read tolerantly. Whoever follows a path in a sealed subvolume proves each step, so this one asks for no proof.
 */
bool lost_name_find(const struct tree *subvolume, uint64_t directory, const char *name, size_t len, struct dir_entry *entry, bool *found,
		    struct error *err) must_use;

struct dir_visitor {
	dir_visit *visit;
	tree_gap *gap;
	void *context;
	bool has_gap;	/* there was one before */
};

/*
 * Like dir_read_over(), followed by the names that its index has lost, if there was a gap or has_gap. On a volume that is read tolerantly
 * always, and gap is told each such name: unreadable items are left out there without a gap.
 */
bool dir_read_all(const struct tree *subvolume, uint64_t inode, const struct dir_visitor *visitor, struct inode_parents *parents,
		  struct error *err) must_use;

/* Is there a readable INODE_REF or INODE_EXTREF? */
bool inode_has_name(const struct tree *subvolume, uint64_t number);

/*
 * Like inode_get(), but makes up a directory whose item is lost if something says that it exists (is_expected, or readable names in it).
 * *why, otherwise empty, then says so.
 */
bool inode_get_or_directory(const struct tree *subvolume, uint64_t number, bool is_expected, struct inode *inode, struct error *why,
			    struct error *err) must_use;

#endif /* COMMON_FS_LOST_NAMES_H */

/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Finds inodes by path. */
#ifndef COMMON_FS_PATH_H
#define COMMON_FS_PATH_H

#include "common/fs/subvolume.h"
#include "common/tree/tree-gap.h"
#include "format/dir-entry.h"

/* An inode of a subvolume. */
struct file_id {
	uint64_t subvolume;
	uint64_t inode;
};

bool inode_find(const struct tree *subvolume, uint64_t number, struct inode *inode, bool *found, struct error *err) must_use;
/* For a number that the image itself names: if the inode is missing, that is damage. */
bool inode_get(const struct tree *subvolume, uint64_t number, struct inode *inode, struct error *err) must_use;

/*
 * A snapshot keeps the entries of subvolumes nested in its source, but not what they led to. The kernel shows an empty directory with this
 * inode number, and so does path_find(). dir_read_over() finds no entries in it; it has no inode item.
 */
#define EMPTY_SUBVOLUME_INODE 2

/*
 * Follows path (components separated by '/', '.' and empty ones ignored, no '..') from the root directory of a subvolume, through nested
 * subvolumes, but not through symlinks. ERROR_NOT_FOUND names the path up to the missing component. Compares whole names (hash collisions
 * happen).
 */
bool path_find(struct volume *volume, uint64_t subvolume, const char *path, struct file_id *found, struct error *err) must_use;

/* One component of a followed path: the name in a directory, and where its entry leads. */
struct path_step {
	struct file_id directory, found;
	uint64_t empty_of;	/* if found is EMPTY_SUBVOLUME_INODE: the subvolume named by its entry */
	const char *name;
	size_t len;
};
typedef bool path_visit(void *context, const struct path_step *step, struct error *err);
/* Like path_find(), but reports each step. visit may be NULL. */
bool path_follow(struct volume *volume, uint64_t subvolume, const char *path, path_visit *visit, void *context, struct file_id *found,
		 struct error *err) must_use;

/*
 * Finds the directories of many paths, one after another. Leading components shared with the last path are not followed again. Initialise
 * with { 0 }. Otherwise like path_find(), but every component must be a directory.
 */
struct path_memory {
	uint64_t subvolume;
	char *path;		/* the last path, as far as it was followed */
	struct path_memory_step {
		size_t end;	/* end of the component in path */
		struct file_id at;
	} *step;
	size_t n, room;
	uint64_t n_followed;	/* total number of components */
};
bool path_find_again(struct path_memory *memory, struct volume *volume, uint64_t subvolume, const char *path, struct file_id *found,
		     struct error *err) must_use;
void path_memory_free(struct path_memory *memory);

/* Where an entry of directory dir leads. *found: the inode, or the root directory of a nested subvolume, or EMPTY_SUBVOLUME_INODE. */
bool dir_entry_target(const struct tree *subvolume, uint64_t dir, const struct dir_entry *entry, struct file_id *found,
		      struct error *err) must_use;

/* Where the entry of that name claims to lead, whether or not that exists. Found by its hash. */
bool dir_entry_location(const struct tree *subvolume, uint64_t dir, const char *name, size_t len, struct key *location, bool *found,
			struct error *err) must_use;

/* Visits the entries of a directory, in DIR_INDEX order. entry is borrowed for the call. */
typedef bool dir_visit(void *context, const struct dir_entry *entry, struct error *err);
/* Skips what cannot be read and reports it to gap; NULL: that is an error. */
bool dir_read_over(const struct tree *subvolume, uint64_t inode, dir_visit *visit, tree_gap *gap, void *context, struct error *err) must_use;

#define PATH_BYTES_MAX (64u << 10)	/* of a path that is made */

#endif /* COMMON_FS_PATH_H */

/* SPDX-License-Identifier: GPL-2.0-or-later */
/* From a path to an inode, and back. */
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

bool inode_get(const struct tree *subvolume, uint64_t number, struct inode *inode, struct error *err) must_use;

/*
 * A snapshot keeps the entries of subvolumes nested in its source, but not what they led to: the kernel shows an empty directory
 * with this inode number, and so does path_find().  dir_read_over() finds no entries in it; it has no inode item.
 */
#define EMPTY_SUBVOLUME_INODE 2

/*
 * Walks path (components by '/', '.' and empty ones ignored, no '..') from the root directory of a subvolume, through nested subvolumes,
 * not through symlinks.  ERROR_NOT_FOUND names the path up to the component.  Compares whole names (hash collisions happen).
 */
bool path_find(struct volume *volume, uint64_t subvolume, const char *path, struct file_id *found, struct error *err) must_use;

/* One component of a path that was followed: the name in a directory, and where its entry leads. */
struct path_step {
	struct file_id directory, found;
	uint64_t empty_of;	/* found is EMPTY_SUBVOLUME_INODE: the subvolume that its entry names */
	const char *name;
	size_t len;
};
typedef bool path_visit(void *context, const struct path_step *step, struct error *err);
/* path_find(), and each step is told; visit may be NULL. */
bool path_follow(struct volume *volume, uint64_t subvolume, const char *path, path_visit *visit, void *context, struct file_id *found,
		 struct error *err) must_use;

/*
 * The directory that a path leads to, of many paths one after the other: the components that it begins with as the last one did are not followed again.
 * Initialise with { 0 }.  Otherwise as path_find(), where a component must be a directory.
 */
struct path_memory {
	uint64_t subvolume;
	char *path;		/* the last one, as far as it was followed */
	struct path_memory_step {
		size_t end;	/* of the component, in path */
		struct file_id at;
	} *step;
	size_t n, room;
	uint64_t n_followed;	/* components, in all */
};
bool path_find_again(struct path_memory *memory, struct volume *volume, uint64_t subvolume, const char *path, struct file_id *found,
		     struct error *err) must_use;
void path_memory_free(struct path_memory *memory);

/*
 * Where an entry of directory dir leads: *found is the inode, or the root directory of a nested subvolume, or EMPTY_SUBVOLUME_INODE.
 */
bool dir_entry_target(const struct tree *subvolume, uint64_t dir, const struct dir_entry *entry, struct file_id *found,
		      struct error *err) must_use;

/* Where the entry of that name says that it leads, whether that is there or not; found by its hash. */
bool dir_entry_location(const struct tree *subvolume, uint64_t dir, const char *name, size_t len, struct key *location, bool *found,
			struct error *err) must_use;

/* Entries of a directory, in DIR_INDEX order; entry is borrowed for the call. */
typedef bool dir_visit(void *context, const struct dir_entry *entry, struct error *err);
/* Past what cannot be read, which is told to gap; NULL: that is an error. */
bool dir_read_over(const struct tree *subvolume, uint64_t inode, dir_visit *visit, tree_gap *gap, void *context, struct error *err) must_use;

/* A path of inode inside its subvolume (the first name found), malloced, escaped for people.  "inode 300 (no name)" where there is none. */
bool inode_path(const struct tree *subvolume, uint64_t inode, char **path, struct error *err) must_use;

/*
 * The same path as raw bytes, components joined by '/', no leading one; "" for the root directory.  *path NULL (and true) where the
 * inode, or a directory above it, has no name.  At most PATH_BYTES_MAX; a loop of directories is ERROR_CORRUPT.
 */
#define PATH_BYTES_MAX (64u << 10)
bool inode_path_bytes(const struct tree *subvolume, uint64_t inode, uint8_t **path, size_t *len, struct error *err) must_use;

#endif /* COMMON_FS_PATH_H */

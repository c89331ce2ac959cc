/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Everything below a place of a subvolume: directories in DIR_INDEX order, each before what is in it.  What is damaged is told and left out,
 * and the walk goes on; names that an index has lost come behind it, from wherever else they are, and directories whose names are all lost come
 * last in the root directory, as "lost-directory-INODE".  Memory: a set of the directories, and the paths of inodes of which more names are to come;
 * where something is lost, what lost-names.h says.
 */
#ifndef COMMON_FS_WALK_H
#define COMMON_FS_WALK_H

#include "common/fs/link-table.h"

struct walk_entry {
	const struct tree *tree;	/* the subvolume that the inode is in */
	uint64_t number;		/* of the inode */
	uint64_t directory;		/* inode that the name is in, of the subvolume or, for a nested one, of that above it; 0: the start */
	struct inode inode;
	bool is_subvolume;		/* the root directory of a nested subvolume: clear *descend to leave out what is in it */
	bool is_made_up;		/* a directory whose inode item is lost, which bad() was told */
	bool is_stub;			/* the empty place of a nested subvolume in a snapshot: the inode is made up */
	uint64_t stub_of;		/* the subvolume that its entry names; 0: it is the start */
	uint64_t holder;		/* the subvolume of its directory; 0: the start */
	const uint8_t *path;		/* from the start, no leading slash, NUL after it; "" for the start itself */
	size_t path_len;
	const uint8_t *name;		/* as it is in the directory, any bytes; "" for the start */
	size_t name_len;
	unsigned depth;			/* 0: the start */
	struct link *link;		/* not a directory and more than one name; NULL otherwise */
	bool is_later_link;		/* link->path was visited before */
};

/*
 * Components of a path are never empty, "." or "..", and hold neither '/' nor NUL: a name that is or does is told to bad(), and goes by the name
 * "bad-name-INDEX" of its index in the directory.  All but entry may be NULL; false ends the walk.
 */
struct walk_visitor {
	bool (*entry)(void *context, const struct walk_entry *entry, bool *descend, struct error *err);
	/* After everything in the directory; entry is as it was, but for its name. */
	bool (*leave)(void *context, const struct walk_entry *entry, struct error *err);
	/* What is wrong, and the path of the directory or file it is about.  Not called for what would end the walk. */
	bool (*bad)(void *context, const uint8_t *path, size_t path_len, const struct error *what, struct error *err);
	/* An entry of which nothing but the name is left; where it is NULL, bad is called. */
	bool (*lost)(void *context, const uint8_t *path, size_t path_len, const struct error *what, struct error *err);
};

bool walk(struct volume *volume, const struct file_id *start, const struct walk_visitor *visitor, void *context,
	  struct error *err) must_use;

#endif /* COMMON_FS_WALK_H */

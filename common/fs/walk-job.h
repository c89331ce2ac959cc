/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Shared by the two files of the walk. */
#ifndef COMMON_FS_WALK_JOB_H
#define COMMON_FS_WALK_JOB_H

#include "common/fs/lost-names.h"
#include "common/fs/walk.h"
#include "common/util/set64.h"

/* A subvolume that the walk is in. */
struct walked_subvolume {
	struct tree tree;
	struct set64 directories;	/* inodes; each has one name, so that none is entered twice */
	struct set64 closed;		/* those of them that were not entered, and directories below them that were asked about */
	bool has_gap;			/* a part of some directory cannot be read */
	struct inode_parents parents;	/* read if there is a gap */
	size_t next_parent;		/* the next parent whose directory must be visited unless it was entered */
	bool takes_named;		/* also a directory with a name that no directory has */
};

/* A directory that the walk is in. */
struct frame {
	struct walked_subvolume *place;
	bool owns_place;
	bool is_subvolume;
	uint64_t inode_number;
	struct inode inode;
	uint64_t next_index;
	bool at_end;		/* no index is higher */
	bool is_made_up;	/* the inode */
	bool has_gap;		/* there may be names that the index has lost */
	bool is_searched;	/* these were searched for */
	struct lost_names lost;
	size_t next_lost;
	size_t path_len;
};

struct walk {
	struct volume *volume;
	const struct walk_visitor *visitor;
	void *context;
	struct frame *frame;
	size_t n_frames, n_allocated;
	struct set64 subvolumes;
	struct link_table links;
	struct tree_iter iter;	/* in the directory of the last frame; not valid: must be sought */
	bool is_sought;
	uint8_t path[PATH_BYTES_MAX + 1];
	size_t path_len;
};

/* Reports a problem at the current path. */
void walk_tell(struct walk *w, const struct error *what);

void walk_pop(struct walk *w);
/* Passes on the entry at the current path, and enters it if it is a directory. place NULL: the start of a subvolume. */
bool walk_visit(struct walk *w, struct walked_subvolume *place, struct walk_entry *entry, struct error *err) must_use;
/* Like inode_get_or_directory(), with a report. False with what is wrong. */
bool walk_inode(struct walk *w, struct walk_entry *entry, bool is_directory, struct error *what) must_use;
/* Handles one entry of the directory of the last frame. */
bool walk_take(struct walk *w, const struct dir_entry *dir_entry, uint64_t index, struct error *err) must_use;

#endif /* COMMON_FS_WALK_JOB_H */

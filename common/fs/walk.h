/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Visits everything below a place in a subvolume: directories in DIR_INDEX order, each before its contents. Damage is reported and left
 * out, and the walk goes on. Names that an index has lost follow it, from wherever else they are stored. Directories whose names are all
 * lost come last, in the root directory, as "lost-directory-INODE". Memory: a set of the directories, and the paths of inodes with further
 * names to come; if something is lost, see lost-names.h.
 */
#ifndef COMMON_FS_WALK_H
#define COMMON_FS_WALK_H

#include "common/fs/link-table.h"
#include "common/util/report.h"

struct walk_entry {
	const struct tree *tree;	/* the subvolume that the inode is in */
	uint64_t number;		/* of the inode */
	uint64_t directory;		/* inode of the directory with the name, here or, for a nested subvolume, in the one above; 0: the start */
	struct inode inode;
	bool is_subvolume;		/* the root directory of a nested subvolume: clear *descend to leave out its contents */
	bool is_made_up;		/* a directory whose inode item is lost, as was reported */
	bool is_stub;			/* the empty place of a nested subvolume in a snapshot; the inode is made up */
	uint64_t stub_of;		/* the subvolume named by its entry; 0: it is the start */
	uint64_t holder;		/* the subvolume of its directory; 0: the start */
	const uint8_t *path;		/* from the start, no leading slash, followed by a NUL; "" for the start itself */
	size_t path_len;
	const uint8_t *name;		/* as in the directory, any bytes; "" for the start */
	size_t name_len;
	unsigned depth;			/* 0: the start */
	struct link *link;		/* not a directory and more than one name; NULL otherwise */
	bool is_later_link;		/* link->path was visited before */
};

/*
 * Components of a path are never empty, "." or "..", and contain neither '/' nor NUL. A name that violates this is reported and
 * replaced by "bad-name-INDEX", with its index in the directory. All but entry may be NULL. Returning false ends the walk.
 */
struct walk_visitor {
	bool (*entry)(void *context, const struct walk_entry *entry, bool *descend, struct error *err);
	/* Called after everything in the directory. entry is the same as before, except for its name. */
	bool (*leave)(void *context, const struct walk_entry *entry, struct error *err);
	/*
	 * Of the directory or file that has the path. REPORT_DAMAGED; REPORT_FAILED: of an entry, only the name is left; REPORT_REFUSED: it
	 * is no damage, but its contents have paths that are too long. Errors that end the walk are not reported.
	 */
	void (*report)(void *context, const struct report *report);
};

bool walk(struct volume *volume, const struct file_id *start, const struct walk_visitor *visitor, void *context,
	  struct error *err) must_use;

#endif /* COMMON_FS_WALK_H */

/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Prints the entries of one directory, or a file by itself, as ls does. */
#ifndef CMD_LS_LISTING_H
#define CMD_LS_LISTING_H

#include "cmd/ls-row.h"
#include "cmd/ls-sort.h"
#include "cmd/source-proof.h"
#include "common/fs/lost-names.h"
#include "common/util/set64.h"

/* The options of ls. */
struct ls_how {
	int detail, human, recursive, inode, reverse;
	enum ls_order order;
};

struct listing {
	const struct ls_how *how;
	const struct subvolume_list *list;
	const struct unfinished *unfinished;
	const struct member_places *places;
	struct tree tree;	/* of the directory */
	uint64_t dir;
	const struct source *source;	/* chosen for the path asked for */
	struct extent_source *extents;	/* of its subvolume; NULL: sealed, and no key was given */
	bool is_closed;			/* so nothing in it is authenticated */
	bool path_differs;		/* from what was sealed, which was accepted */
	bool names_differ;		/* for the directory: the same for its contents */
	/* With --recursive: */
	uint64_t start;			/* the subvolume for which source was chosen */
	struct extent_source *start_extents;
	bool start_is_closed;
	uint64_t chosen;		/* the subvolume to which extents belongs now */
	const char *above;		/* the path asked for, which precedes every path */
	const void *path;		/* of the directory */
	size_t path_len;
	bool any;
	uint64_t n_bad, n_too_long;	/* parts that are damaged, or have paths that are too long */
	bool has_gap;			/* the inode of the directory is lost */
	struct inode_parents parents;
	struct ls_entries entries;	/* of the directory, if they are to be sorted */
	struct set64 unproven;		/* directories of the subvolume asked for whose lists are not proven */
	bool name_differs;		/* of the directory, which is in one of these: the same as path_differs */
};

/* Prints what is damaged, and counts it. */
void listing_hear(void *context, const struct report *report);
void listing_tell(struct listing *listing, const uint8_t *path, size_t len, const struct error *what);

/* Prints the directory that the listing is at. */
bool listing_print(struct listing *listing, struct error *err) must_use;
/* A path that is not a directory is listed by itself. With --directory, so is a directory. */
bool listing_print_one(struct listing *listing, const char *path, struct error *err) must_use;

#endif /* CMD_LS_LISTING_H */

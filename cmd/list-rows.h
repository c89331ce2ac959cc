/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Which subvolumes btrfs-crypt list prints, in which order and with which path, like btrfs subvolume list. */
#ifndef CMD_LIST_ROWS_H
#define CMD_LIST_ROWS_H

#include "common/fs/subvolume.h"

struct list_choice {
	uint64_t base;			/* the subvolume from which paths are given */
	bool all;			/* full paths, those not directly in base with "<FS_TREE>/" before them */
	bool only_inside;		/* only those directly in base, with full paths */
	bool snapshots, readonly, deleted;
	char **generation, **created;	/* "[+|-]N", NULL terminated; NULL: any */
	const char *sort;		/* "[+|-]rootid|gen|ogen|path", separated by commas; NULL: rootid */
};

struct list_row {
	const struct subvolume *at;
	uint8_t *path;			/* raw; "DELETED" if it is deleted */
	size_t path_len;
};

/*
 * top_is_shown: include the top level, which btrfs does not list. ERROR_USAGE if a text of the choice is malformed. Call list_rows_free()
 * also after a failure.
 */
struct list_rows {
	struct list_row *at;
	size_t n;
};
bool list_rows_choose(const struct subvolume_list *list, const struct list_choice *choice, bool top_is_shown, struct list_rows *rows,
		      struct error *err) must_use;
void list_rows_free(struct list_rows *rows);

#endif /* CMD_LIST_ROWS_H */

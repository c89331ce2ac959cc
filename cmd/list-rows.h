/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Which subvolumes btrfs-crypt list prints, in which order, under which path: as btrfs subvolume list decides it. */
#ifndef CMD_LIST_ROWS_H
#define CMD_LIST_ROWS_H

#include "common/fs/subvolume.h"

struct list_choice {
	uint64_t base;			/* the subvolume that it is asked from */
	bool all;			/* full paths, those not directly in base with "<FS_TREE>/" before them */
	bool only_inside;		/* only those directly in base, with full paths */
	bool snapshots, readonly, deleted;
	char **generation, **created;	/* "[+|-]N", NULL terminated; NULL: any */
	const char *sort;		/* "[+|-]rootid|gen|ogen|path", by commas; NULL: rootid */
};

struct list_row {
	const struct subvolume *at;
	uint8_t *path;			/* raw; "DELETED" where it is */
	size_t path_len;
};

/* top_is_shown: the top level, too, which btrfs does not list.  ERROR_USAGE where a text of the choice means nothing.  list_rows_free() also after a failure. */
struct list_rows {
	struct list_row *at;
	size_t n;
};
bool list_rows_choose(const struct subvolume_list *list, const struct list_choice *choice, bool top_is_shown, struct list_rows *rows,
		      struct error *err) must_use;
void list_rows_free(struct list_rows *rows);

#endif /* CMD_LIST_ROWS_H */

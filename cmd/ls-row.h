/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One line that ls prints: a name and what it leads to. */
#ifndef CMD_LS_ROW_H
#define CMD_LS_ROW_H

#include "cmd/unfinished.h"
#include "common/fs/path.h"

/* One line of output. */
struct ls_row {
	const void *directory;	/* with --recursive: the path of its directory */
	size_t directory_len;
	const void *name;
	size_t name_len;
	struct file_id file;
	bool has_inode;		/* false: the empty place of a nested subvolume in a snapshot */
	bool is_lost;		/* not even that: it cannot be read */
	struct inode inode;
	uint8_t *target;	/* of a symbolic link; NULL: sealed, or none */
	size_t target_len;
	bool is_sealed_link;
	bool is_not_authenticated;	/* its subvolume is sealed and was not opened, or it has changed since it was sealed, which was accepted */
	const struct unfinished *conversion;	/* NULL: its subvolume is not being converted */
};

/* What a line of text has beside the name. */
enum ls_detail { LS_NAMES, LS_LONG, LS_SIZES_FOR_PEOPLE };

void ls_row_print(const struct ls_row *at, bool with_inode, enum ls_detail detail);

#endif /* CMD_LS_ROW_H */

/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Lines of btrfs-crypt timeline: bodyfile, or JSON. */
#ifndef CMD_TIMELINE_PRINT_H
#define CMD_TIMELINE_PRINT_H

#include "common/fs/subvolume.h"
#include "format/inode.h"

/* One name of one inode. */
struct moment {
	const struct subvolume *subvolume;	/* NULL: not known */
	uint64_t root, number;
	const uint8_t *path;	/* inside the subvolume; NULL: none */
	size_t path_len;
	const struct inode *inode;
	bool is_closed;		/* its subvolume, or the one compared with, is sealed */
	const struct inode *before;	/* what the inode was then; NULL: nothing to compare, or created since */
	enum { MOMENT_AS_IT_IS, MOMENT_CREATED, MOMENT_CHANGED, MOMENT_DELETED } change;
};

void moment_print(const struct moment *moment);

/* Does anything differ that a line tells? */
bool inode_differs(const struct inode *a, const struct inode *b);

#endif /* CMD_TIMELINE_PRINT_H */

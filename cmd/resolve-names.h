/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What btrfs-crypt resolve prints about a file: every path of an inode. */
#ifndef CMD_RESOLVE_NAMES_H
#define CMD_RESOLVE_NAMES_H

#include "common/fs/subvolume.h"

struct naming {
	const struct subvolume *subvolume;	/* set by print_names(); NULL: unknown */
	uint64_t root;
	uint64_t inode, offset;
	bool has_offset;
};

/* One line per name. *n_names: their number. */
bool print_names(const struct subvolume_list *list, struct naming *naming, uint64_t *n_names, struct error *err) must_use;

/* One line for a path inside the subvolume. NULL: it has no name. */
bool print_path(void *naming, const uint8_t *path, size_t len, struct error *err) must_use;

#endif /* CMD_RESOLVE_NAMES_H */

/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Targets of symbolic links, for commands that list a sealed subvolume even without its key. */
#ifndef CMD_LINK_TARGET_H
#define CMD_LINK_TARGET_H

#include "cmd/source.h"

/*
 * Like source_choose(). Without a key, while a conversion is unfinished, source->extents stays NULL for all, because nobody can say which
 * links are sealed.
 */
bool link_source_choose(const struct subvolume_list *list, uint64_t id, struct source *source, struct error *err) must_use;

/* Reads the target of a symbolic link into *target, malloced. */
bool link_target_read(struct extent_source *extents, const struct tree *tree, uint64_t inode, uint8_t **target, size_t *len,
		      struct error *err) must_use;

#endif /* CMD_LINK_TARGET_H */

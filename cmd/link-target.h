/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Targets of symbolic links, for commands that list a sealed subvolume without its key as well. */
#ifndef CMD_LINK_TARGET_H
#define CMD_LINK_TARGET_H

#include "cmd/source.h"

/*
 * As source_choose(); and without a key, while a conversion is unfinished, source->extents stays NULL for all, for nobody can say which links are
 * sealed.
 */
bool link_source_choose(const struct subvolume_list *list, uint64_t id, struct source *source, struct error *err) must_use;

/* *target, malloced, of a symbolic link. */
bool link_target_read(struct extent_source *extents, const struct tree *tree, uint64_t inode, uint8_t **target, size_t *len,
		      struct error *err) must_use;

#endif /* CMD_LINK_TARGET_H */

/* SPDX-License-Identifier: GPL-2.0-or-later */
/* How people name trees, blocks and keys to the dump commands. */
#ifndef CMD_DUMP_SELECT_H
#define CMD_DUMP_SELECT_H

#include "format/error.h"
#include "format/key.h"

/*
 * A tree as btrfs-progs takes it: "root", "CSUM", "btrfs_fs_tree", "free-space", "TREE_LOG_OBJECTID", a number (0x: hexadecimal); upper and
 * lower case, and - and _, are the same.
 */
bool select_tree(const char *word, uint64_t *id, struct error *err) must_use;

/* An address (common/util/number.h). */
bool select_block(const char *word, uint64_t *logical, struct error *err) must_use;

/*
 * OBJECTID[,TYPE[,OFFSET]], each a number (-200: counted from the end, as btrfs does) or, for the first two, a name as in a dump; blanks
 * and one pair of brackets are allowed too, "(256 EXTENT_DATA 0)". Parts left out are 0 in first and the largest possible in last. If type
 * is not NULL, a type alone means that type for any object.
 */
bool select_key(const char *option, const char *word, struct key *first, struct key *last, int *type, struct error *err) must_use;

/* "root tree", "file tree"...: the title that btrfs-progs prints for the tree of a root item. */
const char *tree_title(uint64_t id);

#endif /* CMD_DUMP_SELECT_H */

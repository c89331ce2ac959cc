/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Where trees begin: the superblock's pointers, and the root items of the root tree or the tree of logs. */
#ifndef CMD_DUMP_ROOTS_H
#define CMD_DUMP_ROOTS_H

#include "cmd/dump/walk.h"

struct dump_root {
	struct key key;
	struct dump_start start;
};

/* Initialise with { 0 }. */
struct dump_roots {
	struct dump_root *root;
	size_t n, n_max;
	bool damaged;		/* tolerant: a block or a root item was left out */
};

/* ROOT_TREE_ID, CHUNK_TREE_ID or TREE_LOG_ID; logical is 0 if the filesystem has none. */
void dump_start_of_super(const struct superblock *super, uint64_t id, struct dump_start *start);

/* Reads every root item of the tree, in its order. */
bool dump_roots_read(struct volume *volume, uint64_t id, bool tolerant, struct dump_roots *roots, struct error *err) must_use;
void dump_roots_free(struct dump_roots *roots);
#define cleanup_dump_roots __attribute__((cleanup(dump_roots_free)))

/* Prints the backup roots as dump-tree does: text, or an object for each. */
void dump_backup_roots(const struct disk_superblock *disk);

#endif /* CMD_DUMP_ROOTS_H */

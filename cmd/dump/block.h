/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Prints tree blocks: header, pointers, items. */
#ifndef CMD_DUMP_BLOCK_H
#define CMD_DUMP_BLOCK_H

#include "cmd/dump/out.h"
#include "cmd/dump/walk.h"
#include "format/superblock.h"

/* One tree being printed. */
struct dump_printer {
	const struct superblock *super;
	uint64_t tree;			/* for JSON */
	bool has_tree;			/* false: blocks by address, of any tree */
	const char *title;		/* the line before the first block; NULL: none */
	const struct key *root_key;	/* NULL: the superblock says where the tree is */
	enum dump_names names;
	bool short_title;		/* without the trailing blank that other dumps have */
	bool header_csums, data_csums, tags;
	bool crypt_only;		/* only items about encryption */
	struct dump_legacy *legacy;
	const struct key *first, *last;	/* NULL: all items */
	int type;			/* of the items; -1: all */
	bool titled;
	bool damaged;			/* something could not be read, or is wrong */
};

/* The callbacks of a dump_walk, whose context is a dump_printer. */
bool dump_block_show(void *context, const struct node *node, const struct dump_problems *problems, struct error *err);
void dump_block_report(void *context, const struct report *report);

#endif /* CMD_DUMP_BLOCK_H */

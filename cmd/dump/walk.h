/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Which blocks a dump shows, in which order, and how it handles damaged ones: as an error or, in a tolerant dump, by showing as much of the
 * block as possible, with everything that is wrong with it.
 */
#ifndef CMD_DUMP_WALK_H
#define CMD_DUMP_WALK_H

#include "common/volume/block.h"

#define DUMP_PROBLEMS_MAX 8

/* What is wrong with a block; none: it is good. */
struct dump_problems {
	unsigned n;
	char text[DUMP_PROBLEMS_MAX][256];
};

struct dump_walk {
	struct volume *volume;
	bool tolerant;
	bool depth_first;		/* otherwise level by level */
	bool leaves_only;
	bool only_root;			/* nothing below the first block */
	const struct key *first, *last;	/* NULL: every key; otherwise leaves that may have keys from first to last, and no inner nodes */
	/* If problems->n > 0, items of a leaf must be read with node_salvage_item(). */
	bool (*show)(void *context, const struct node *node, const struct dump_problems *problems, struct error *err);
	/* Tolerant. REPORT_LOST: a block of which nothing can be shown. */
	void (*report)(void *context, const struct report *report);
	void *context;
};

/* Where a tree begins. level -1, generation 0: anything. */
struct dump_start {
	uint64_t logical, generation;
	int level;
};

bool dump_walk(const struct dump_walk *walk, const struct dump_start *start, struct error *err) must_use;

#endif /* CMD_DUMP_WALK_H */

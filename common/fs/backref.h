/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Finds who refers to an address: follows the extent tree's back references to trees, inodes and offsets. */
#ifndef COMMON_FS_BACKREF_H
#define COMMON_FS_BACKREF_H

#include "common/tree/tree.h"

struct backref_extent {
	uint64_t logical, length;
	bool is_data;		/* false: a tree block */
	uint8_t level;		/* of a tree block */
	uint64_t refs, generation;
	bool is_logged;		/* only a log tree has it: refs and generation are unknown */
};

/* The most tree blocks that one search may look at: 64 GiB of metadata with nodes of 16 KiB. */
#define BACKREF_BLOCKS_MAX (1u << 22)

/* The extent that contains logical. ERROR_NOT_FOUND if nothing is allocated there. */
bool backref_extent_at(struct volume *volume, uint64_t logical, struct backref_extent *extent, struct error *err) must_use;
/* The data extent there according to the overlay of some tree, for when the extent tree has none. */
bool backref_logged_extent_at(struct volume *volume, uint64_t logical, struct backref_extent *extent, bool *found, struct error *err) must_use;

/* The trees that a block belongs to, each once. */
struct root_ids {
	uint64_t *id;
	size_t n;
};

/*
 * *n_stale grows by the number of references that lead nowhere, to a tree that is gone or being deleted. Goes up from block to block,
 * visiting each once. Memory: the blocks above. free(roots->id), also after a failure.
 */
bool backref_roots(struct volume *volume, uint64_t logical, struct root_ids *roots, uint64_t *n_stale, struct error *err) must_use;

/* One file extent item as one tree sees it. */
struct backref_file {
	uint64_t root, inode;
	uint64_t offset;	/* in the file: of the requested byte if it can be determined, otherwise of the item */
};

typedef bool backref_visit(void *context, const struct backref_file *file, struct error *err);

struct backref_query {
	struct volume *volume;
	uint64_t logical;	/* the byte */
	bool whole;		/* also items that only show other bytes of the extent */
	bool lenient;		/* skips damaged items; not for backref_files() */
	backref_visit *visit;
	void *context;
};

/*
 * Visits every file that has the byte, of this data extent, in the order of leaves, then those that only overlays have. In a compressed extent
 * every item that refers to it counts.
 */
bool backref_files(const struct backref_query *query, const struct backref_extent *extent, uint64_t *n_stale, struct error *err) must_use;

#endif /* COMMON_FS_BACKREF_H */

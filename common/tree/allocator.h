/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Free ranges of block groups according to the extent tree. The extent tree is the truth; free space trees and caches are checked against
 * it when needed, never trusted.
 */
#ifndef COMMON_TREE_ALLOCATOR_H
#define COMMON_TREE_ALLOCATOR_H

#include "common/tree/ranges.h"
#include "common/tree/tree.h"

struct group {			/* a block group */
	uint64_t logical, length, used, flags;
	/* Ascending: what the extent tree leaves free now, including superblock stripes, reserved ranges and freed blocks. */
	const struct free_range *free;
	size_t n_free;
};

struct allocator;

/*
 * Reads the block group items and walks the extent tree once. Keeps all free ranges of metadata and mixed groups, but only the largest ones
 * of data groups (enough for journals). ERROR_CORRUPT if extent items overlap or are not aligned, or if a group's used bytes differ from
 * what its extents take.
 */
bool allocator_open(struct volume *volume, struct allocator **allocator, struct error *err) must_use;
/* The same of metadata, mixed and system groups alone, in a time that does not grow with the data. */
bool allocator_open_metadata(struct volume *volume, struct allocator **allocator, struct error *err) must_use;
void allocator_close(struct allocator *allocator);

/*
 * The free ranges of the groups with one of these types, by address, each reported once, none kept. Superblock stripes are in them. The checks
 * are those of allocator_open(), but a group's used bytes are compared only once its ranges were reported: who writes there visits twice.
 * And how many bytes they have, as the block group items say, in groups with one of these types and without those.
 */
typedef bool free_space_visitor(void *context, const struct group *group, uint64_t logical, uint64_t length, struct error *err);
bool free_space_visit(struct volume *volume, uint64_t types, free_space_visitor *visit, void *context, struct error *err) must_use;
bool free_space_bytes(struct volume *volume, uint64_t with, uint64_t without, uint64_t *bytes, struct error *err) must_use;

size_t allocator_n_groups(const struct allocator *allocator);
const struct group *allocator_group(const struct allocator *allocator, size_t i);
const struct group *allocator_group_of(const struct allocator *allocator, uint64_t logical);	/* NULL: none */

/*
 * Reserves a range (a journal slot) for the lifetime of the allocator: no tree block will be put there. With parity also the rest of its rows,
 * which must be free as well.
 */
bool allocator_reserve(struct allocator *allocator, uint64_t logical, uint64_t length, struct error *err) must_use;

/*
 * The n best free ranges for a journal of want bytes each, halved down to least if there are none: in data or mixed groups first, then
 * metadata; 64 KiB aligned, with parity at the beginning of a row, and the last row free to its end; inside one block group, never on superblock stripes, not reserved before. ERROR_NO_SPACE with the numbers.
 * All have the same length: the shortest decides how much a record holds, so a longer one would only waste space.
 */
bool allocator_find_journals(struct allocator *allocator, unsigned n, uint64_t want, uint64_t least, struct free_range *range,
			     struct error *err) must_use;

/*
 * Takes a free range for data in a data or mixed group, for good: never on superblock stripes, nor where allocator_reserve() or freed blocks
 * are. *found false: no range that the allocator keeps is long enough.
 */
bool allocator_take_data(struct allocator *allocator, uint64_t length, uint64_t *logical, bool *found, struct error *err) must_use;

/* Takes a free tree block in a metadata or mixed group (never system, never on a superblock stripe, never a block freed before). */
bool allocator_take_block(struct allocator *allocator, uint64_t *logical, struct error *err) must_use;
/* Undoes the last take that has not been undone. In reverse order this cannot fail. */
void allocator_give_back(struct allocator *allocator, uint64_t logical);

/* The same in a system group, for blocks of the chunk tree. */
bool allocator_take_system_block(struct allocator *allocator, uint64_t *logical, struct error *err) must_use;

/*
 * Adds an empty group for a chunk behind all others. allocator_truncate_groups() drops all groups but the first n; nothing may have been
 * taken from the dropped ones.
 */
bool allocator_add_group(struct allocator *allocator, const struct chunk *chunk, struct error *err) must_use;
void allocator_truncate_groups(struct allocator *allocator, size_t n);

/* Marks a tree block as free from now on: for wiping, not for taking. Before that, allocator_expect_freed() makes room for n of them. */
bool allocator_expect_freed(struct allocator *allocator, uint64_t logical, size_t n, struct error *err) must_use;
void allocator_note_freed(struct allocator *allocator, uint64_t logical);

/* How many tree blocks can still be taken. */
uint64_t allocator_n_free_blocks(const struct allocator *allocator);
uint64_t allocator_n_free_system_blocks(const struct allocator *allocator);

/*
 * Is [logical, +length) allocated as exactly one extent of data or one tree block, according to the current extent tree? For checking
 * journal targets. *found false: no.
 */
enum extent_use { EXTENT_OF_DATA, EXTENT_OF_TREE };
bool extent_is_allocated(struct volume *volume, uint64_t logical, uint64_t length, enum extent_use use, bool *found,
			 struct error *err) must_use;

/* The bytes that the kernel keeps as its global reserve: the used bytes of extent, csum, root and free space trees, 1 to 512 MiB. */
bool allocator_global_reserve(struct volume *volume, uint64_t *bytes, struct error *err) must_use;

#endif /* COMMON_TREE_ALLOCATOR_H */

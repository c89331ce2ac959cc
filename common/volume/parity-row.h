/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A row of a chunk with parity, in memory, for parity-write.c: what the devices have of it, and what its data are in truth. Those differ if a
 * sector went bad, or cannot be read, and parity still has it. What a sector is recognised by is its checksum; for tree blocks, their own.
 * Where parity is the sum of the data, nobody needs to ask.
 */
#ifndef COMMON_VOLUME_PARITY_ROW_H
#define COMMON_VOLUME_PARITY_ROW_H

#include "common/volume/stripe.h"

#define ROW_STRIPE (64u << 10)
#define ROW_SECTORS 16u		/* the most that a stripe has: one bit of a uint16_t for each */

enum sector_state {
	SECTOR_UNKNOWN,		/* nothing tells: free space, data without a checksum */
	SECTOR_RIGHT,
	SECTOR_WRONG,		/* and parity does not have it either */
	SECTOR_RESTORED,	/* it was wrong or could not be read; truth has it from parity */
};

/* Members of a row are its data stripes in order, then P, then Q. */
struct parity_row {
	struct volume *volume;
	const struct chunk *chunk;
	struct stripe_row at;
	bool from_medium;		/* it is read past all caches */
	bool is_judged;			/* states and truth are known, of the whole row */
	uint32_t from, to;		/* what is loaded of each member; whole sectors */
	uint16_t unread[CHUNK_STRIPES_PARITY_MAX];	/* sectors of each member that cannot be read, or whose device is missing */
	uint16_t unequal;		/* columns (a sector of each member) whose parity is not the sum of the data */
	uint8_t state[CHUNK_STRIPES_PARITY_MAX][ROW_SECTORS];
	/* ROW_STRIPE bytes for each member: */
	uint8_t *disk;			/* as on the devices */
	uint8_t *truth;			/* the data, once judged */
	uint8_t *sum;			/* parity of what is in disk */
	uint8_t *made;			/* parity, for whoever writes */
	uint8_t *spare;			/* one member */
	/* private: */
	unsigned n_room;		/* the most members that there is room for */
	unsigned n_tables;		/* the number of data that tables are for; 0: none */
	uint8_t tables[2 * 32 * CHUNK_STRIPES_PARITY_MAX];
};

/* Makes room for every chunk of the volume. Without any that has parity there is nothing to do. Writing makes it, if this was not called. */
bool parity_row_reserve(struct volume *volume, struct error *err) must_use;
void parity_row_free(struct volume *volume);

/* The volume's row becomes that of logical, with nothing loaded. There is one at a time. */
bool parity_row_open(struct volume *volume, const struct chunk *chunk, uint64_t logical, bool from_medium, struct parity_row **row,
		     struct error *err) must_use;

/* Loads [from, to) of each member, rounded to whole sectors, and compares parity. */
bool parity_row_load(struct parity_row *row, uint32_t from, uint32_t to, struct error *err) must_use;
/* Compares again, after disk was edited. */
void parity_row_compare(struct parity_row *row);
/* Loads the whole row and finds out what its data are in truth. volume->csum_lookup knows the checksums of data. */
bool parity_row_judge(struct parity_row *row, struct error *err) must_use;

/* Parity of the given data, of [from, to) of each; to made + n * ROW_STRIPE at the same place. */
void parity_row_encode(struct parity_row *row, uint8_t *const *data, uint32_t from, uint32_t to, uint8_t *made);

static inline uint8_t *row_member(uint8_t *members, unsigned i)
{
	return members + (size_t)i * ROW_STRIPE;
}
/* The sectors that [from, to) touches, which is not empty. */
uint16_t row_sectors(const struct parity_row *row, uint32_t from, uint32_t to);
/* The device of a member, NULL: missing; and where the row is on it. */
struct device *row_device(const struct parity_row *row, unsigned member, uint64_t *physical);

#endif /* COMMON_VOLUME_PARITY_ROW_H */

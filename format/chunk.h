/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Chunk items and the superblock's array of them. */
#ifndef FORMAT_CHUNK_H
#define FORMAT_CHUNK_H

#include "format/cursor.h"
#include "format/key.h"

/* The room an item has in the largest leaf. Parity is computed for no more stripes than a byte can count. */
#define CHUNK_STRIPES_MAX ((NODE_SIZE_MAX - sizeof(struct disk_header) - sizeof(struct disk_item) - sizeof(struct disk_chunk)) / \
			   sizeof(struct disk_stripe))
#define CHUNK_STRIPES_PARITY_MAX 255

struct chunk_stripe {
	uint64_t devid;
	uint64_t physical;
	uint8_t dev_uuid[UUID_SIZE];
};

struct chunk {
	uint64_t logical;
	uint64_t length;	/* bytes of the logical range */
	uint64_t type;		/* GROUP_* */
	uint64_t stripe_len;
	unsigned n_stripes, sub_stripes;
	struct chunk_stripe *stripe;	/* n_stripes of them, owned by whoever made the chunk */
};

/*
 * Reads and consumes the payload of the CHUNK_ITEM at logical. The stripes go to room, which holds CHUNK_STRIPES_MAX. Checks: length a
 * nonzero multiple of sector_size that does not wrap, stripe_len 65536, at least one stripe, at most one profile bit, number of stripes and
 * sub_stripes as the profile requires (DUP 2, RAID1 2, ...), a type bit. More than CHUNK_STRIPES_PARITY_MAX stripes with parity:
 * ERROR_REFUSED.
 */
bool chunk_read(struct cursor *item, uint64_t logical, uint32_t sector_size, struct chunk_stripe *room, struct chunk *chunk,
		struct error *err) must_use;

/* Reads the next (key, chunk) of the superblock's array, which must be a SYSTEM chunk. Loop while array->left > 0. */
bool chunk_array_next(struct cursor *array, uint32_t sector_size, struct chunk_stripe *room, struct chunk *chunk,
		      struct error *err) must_use;

/* "DATA|single", "METADATA|DUP", "DATA|METADATA|RAID1"... as dump-tree prints them, written to text (64 bytes). */
const char *chunk_type_text(uint64_t type, char text[64]);

#endif /* FORMAT_CHUNK_H */

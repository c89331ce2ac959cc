/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Fingerprints of plain text, by which it is found at any offset. A fingerprint is a hash of 16 bytes. Which 16 bytes of a block have one is
 * decided by the hash itself (1 of 64), so that both sides choose the same ones, wherever the text lies. Where a block has none of these, or
 * the text is short, others are taken, and a filter says at which offsets to look for them. A block in which too few different bytes follow
 * each other has one for all of it, which is looked for where blocks begin.
 */
#ifndef COMMON_AUDIT_NEEDLES_H
#define COMMON_AUDIT_NEEDLES_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "format/error.h"

#define NEEDLE_WINDOW 16u
#define NEEDLE_BLOCK 4096u
#define NEEDLES_OF_BLOCK_MIN 2u		/* the most that a block gets: if there is much text, */
#define NEEDLES_OF_BLOCK_MAX 8u	/* and if there is little */
#define NEEDLE_STEP 64u			/* short texts: from one to the next */

struct needle {
	uint64_t hash;
	uint32_t text;		/* number of the text plus 1; 0: a free slot */
	uint32_t offset;	/* in the text */
};
#define NEEDLE_WHOLE_BLOCK 0x80000000u	/* added to the offset: a fingerprint of a block */

struct needles {
	struct needle *slot;
	size_t n_slots, n;
	uint8_t *filter;	/* a bit for each hash that may be anywhere */
	uint32_t filter_mask;	/* of bit numbers */
	uint64_t n_blocks;	/* fingerprints of blocks */
};

/* Room for n fingerprints, of which about n_anywhere are of short texts. */
bool needles_new(size_t n, size_t n_anywhere, struct needles *needles, struct error *err) must_use;
/* Memory for that many, in bytes, without the filter. */
size_t needles_memory(size_t n);
#define NEEDLES_FILTER_MAX (8u << 20)	/* bytes that the filter takes at most */
void needles_free(struct needles *needles);	/* wipes them */

/*
 * Adds fingerprints of a block of the text, at most n_max, or of a short text. False: there was nothing to take one of, because of bytes that repeat
 * themselves or because it is shorter than 16.
 */
bool needles_add_block(struct needles *needles, unsigned n_max, uint32_t text, uint32_t offset, const uint8_t *bytes, size_t len);
bool needles_add_short(struct needles *needles, uint32_t text, const uint8_t *bytes, size_t len);
/* How many of a short text at most. */
static inline size_t needles_of_short(size_t len) { return len / NEEDLE_STEP + 2; }

/* The 16 bytes at `at`, at some offset below end (where 16 more bytes must be readable), that may have a fingerprint; end if there are none. */
const uint8_t *needles_next(const struct needles *needles, const uint8_t *at, const uint8_t *end, uint64_t *hash);
/* NULL if there is none. */
const struct needle *needles_find(const struct needles *needles, uint64_t hash);
/* The fingerprint of a whole block. NULL if there is none. */
const struct needle *needles_find_block(const struct needles *needles, const uint8_t block[NEEDLE_BLOCK]);

#endif /* COMMON_AUDIT_NEEDLES_H */

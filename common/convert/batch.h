/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A batch of units: what one journal record converts, and its data. */
#ifndef COMMON_CONVERT_BATCH_H
#define COMMON_CONVERT_BATCH_H

#include "common/convert/conversion.h"

/* A damaged block of the current unit. All zero: an ordinary block. */
struct batch_block {
	bool keep;			/* it stays as it was found */
	bool carry;			/* its checksum is wrong, before and after: */
	uint8_t delta[CSUM_SIZE];	/* the stored checksum xor that of the bytes */
};

struct batch {
	struct conversion *c;
	struct transaction *tx;
	uint8_t *data;
	size_t data_size;
	struct journal_range *range;	/* the bytes of range i follow those of range i-1 in data */
	size_t n_ranges;
	uint8_t *tags;
	uint8_t *old_tags;		/* while rekeying: of the same blocks, before */
	size_t n_tags;			/* the number of blocks in the batch */
	bool *keep;			/* for each block: it is not written */
	struct batch_block block[CRYPT_UNIT_BLOCKS_MAX];	/* of the current unit; batch_add() clears them */
	size_t max_blocks;		/* a second unit must not exceed it */
	uint8_t *item;			/* a copy of the current units item */
	bool damaged;			/* the unit after the batch cannot be converted; error says why */
	struct error error;
};

bool batch_open(struct conversion *c, struct batch *batch, struct error *err) must_use;
void batch_close(struct batch *batch);	/* drops an open transaction */

/* Is there room for a unit of n_blocks blocks? */
bool batch_has_room(const struct batch *batch, uint32_t n_blocks);

/* Where to put the data of the next unit, and its tags. */
uint8_t *batch_data(const struct batch *batch);
uint8_t *batch_tags(const struct batch *batch);

/*
 * Adds the unit at address, whose data and tags are in place, to the batch and updates its checksums. old: while rekeying, the unit that its
 * blocks had before; otherwise NULL.
 */
bool batch_add(struct batch *batch, uint64_t address, const struct disk_crypt_u *u, uint32_t n_blocks, const struct crypt_unit *old,
	       struct error *err) must_use;

/* Commits the record and its data. The batch is then empty and has a new transaction. */
bool batch_commit(struct batch *batch, uint64_t cursor, struct error *err) must_use;

enum plain_state {
	PLAIN_RIGHT,		/* as far as is known */
	PLAIN_DIFFERS,		/* without a checksum; its copies differ, and nobody knows which is right */
	PLAIN_BAD,		/* it matches on no mirror */
	PLAIN_UNREAD,		/* no mirror can be read; zeros */
};
struct plain {
	const struct conversion *c;
	uint64_t address;
	uint8_t *bytes;
	uint8_t csums[CRYPT_UNIT_BLOCKS_MAX * CSUM_SIZE];	/* the stored checksums in order, for the nonce (crc32c where none is stored) */
	size_t csums_len;
	uint8_t state[CRYPT_UNIT_BLOCKS_MAX];	/* of each sector */
	enum plain_state worst;
	uint64_t first;		/* the address of the first of the worst */
};
/*
 * Reads the true plain text of [address, +len) into bytes. A sector with a checksum comes from a mirror that matches it. One without comes
 * from the mirror that was decided on if copies differ (differing.h). A sector that matches on no mirror, or of which no file shows anything,
 * comes from the lowest mirror that can be read.
 */
bool plain_read(const struct conversion *c, uint64_t address, uint8_t *bytes, size_t len, struct plain *plain, struct error *err) must_use;

/* delta: the stored checksum of the sector at address xor the checksum of bytes, which does not match it. */
bool csum_delta(struct conversion *c, uint64_t address, const uint8_t *bytes, uint8_t delta[CSUM_SIZE], struct error *err) must_use;

/* Prefixes err's text with the name of the file that the unit's locator points to. */
bool name_file(struct conversion *c, const struct crypt_unit *unit, struct error *err);

#endif /* COMMON_CONVERT_BATCH_H */

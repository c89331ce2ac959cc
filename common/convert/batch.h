/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A batch of units: what one journal record and the data writes after it convert. */
#ifndef COMMON_CONVERT_BATCH_H
#define COMMON_CONVERT_BATCH_H

#include "common/convert/bad-blocks.h"

/* A damaged block of the unit in work; all zero: it is like others. */
struct batch_block {
	bool keep;			/* it stays as it is found */
	bool carry;			/* its checksum does not match, before and after: */
	uint8_t delta[CSUM_SIZE];	/* the stored one xor that of the bytes */
};

struct batch {
	struct conversion *c;
	struct transaction *tx;
	uint8_t *data;
	size_t data_size;
	struct journal_range *range;	/* bytes of range i follow those of range i-1 in data */
	size_t n_ranges;
	uint8_t *tags;
	size_t n_tags;			/* = blocks in the batch */
	bool *keep;			/* for each: it is not written */
	struct batch_block block[CRYPT_UNIT_BLOCKS_MAX];	/* of the unit in work; batch_add() clears them */
	size_t max_blocks;		/* not to be passed by a second unit */
	uint8_t *item;			/* copy of the units item in work */
	bool damaged;			/* the unit after the batch cannot be converted; why is in error */
	struct error error;
};

bool batch_open(struct conversion *c, struct batch *batch, struct error *err) must_use;
void batch_close(struct batch *batch);	/* drops an open transaction */

/* Is there room for a unit of so many blocks? */
bool batch_has_room(const struct batch *batch, uint32_t n_blocks);

/* Where the unit's blocks go, and its tags. */
uint8_t *batch_data(const struct batch *batch);
uint8_t *batch_tags(const struct batch *batch);

/* The unit at address, its bytes and tags being in place, belongs to the batch from now on; checksums are carried along. */
bool batch_add(struct batch *batch, uint64_t address, const struct disk_crypt_u *u, uint32_t n_blocks, struct error *err) must_use;

/* Record, flush, data; then the batch is empty and has a new transaction. */
bool batch_commit(struct batch *batch, uint64_t cursor, struct error *err) must_use;

struct plain {
	uint8_t csums[CRYPT_UNIT_BLOCKS_MAX * CSUM_SIZE];	/* those stored, in order (crc32c where none is stored), for the nonce */
	size_t csums_len;
	size_t n_bad;			/* sectors that match on no mirror: */
	bool bad[CRYPT_UNIT_BLOCKS_MAX];
	uint64_t first_bad;		/* its place */
	size_t n_unread;		/* of them: those that cannot be read from any mirror, zeros in bytes: */
	bool unread[CRYPT_UNIT_BLOCKS_MAX];
	uint64_t first_unread;
};
/*
 * The true plain text of [address, +len) into bytes: for each sector with a checksum a mirror that matches it, for the others, and where none
 * does, the lowest mirror that can be read.
 */
bool plain_read(struct volume *volume, uint64_t address, uint8_t *bytes, size_t len, struct plain *plain, struct error *err) must_use;

/* What the stored checksum of the sector at address differs by from that of bytes, which it does not match. */
bool csum_delta(struct conversion *c, uint64_t address, const uint8_t *bytes, uint8_t delta[CSUM_SIZE], struct error *err) must_use;

/* Puts the name of the file that a unit's locator tells before err's text. */
bool name_file(struct conversion *c, const struct crypt_unit *unit, struct error *err);

#endif /* COMMON_CONVERT_BATCH_H */

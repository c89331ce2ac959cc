/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The units that a lost journal record may have converted, and their tags as they are in place. */
#ifndef COMMON_CONVERT_LOST_UNITS_H
#define COMMON_CONVERT_LOST_UNITS_H

#include "common/convert/conversion.h"

struct lost_unit {
	uint64_t place, address;
	uint64_t leaf;		/* the leaf with its tags, which are in no record; 0: the tree has the tags, or there are none */
	size_t at;		/* position in its item */
	struct disk_crypt_u u;	/* without tags: nonce zero */
	uint8_t first[8];
	uint8_t *tags;		/* NULL: none that fit what is on the disk */
	bool *left;		/* for each block: it stays as it is; NULL: none does */
};

static inline uint32_t lost_unit_blocks(const struct lost_unit *unit)
{
	return le32(unit->u.blocks);
}

/* Gathers into c->lost the units that come next in the direction of the conversion, as many as one record can have. */
bool lost_units_gather(struct conversion *c, struct error *err) must_use;
/* Finds their tags, if any mirror of their leaf has tags that fit what is on the disk. */
bool lost_units_find_tags(struct conversion *c, struct error *err) must_use;
struct lost_unit *lost_unit_at(const struct conversion *c, uint64_t place);	/* NULL: not one of them */
/* Completes block i by its tag, in the form it should have, into bytes. *found is also false if it cannot be read. */
bool lost_block_complete(const struct conversion *c, const struct lost_unit *unit, struct unit_cipher *cipher, uint32_t i,
			 uint8_t bytes[CRYPT_BLOCK], bool *found, struct error *err) must_use;

#endif /* COMMON_CONVERT_LOST_UNITS_H */

/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The units that a lost journal record can have converted, and their tags as they are in place. */
#ifndef COMMON_CONVERT_LOST_UNITS_H
#define COMMON_CONVERT_LOST_UNITS_H

#include "common/convert/conversion.h"

struct lost_unit {
	uint64_t place, address;
	uint64_t leaf;		/* where its tags are that no record has; 0: the tree that is read has them, or nothing */
	size_t at;		/* in its item */
	struct disk_crypt_u u;	/* without tags: nonce zero */
	uint8_t first[8];
	uint8_t *tags;		/* NULL: none that tell of what is on the disk */
	bool *left;		/* for each block: it stays as it is; NULL: none does */
};

/* An encryption's tags are not known before; everywhere else each unit has them. */
static inline bool lost_is_first_time(const struct conversion *c)
{
	return c->state.operation == CRYPT_OP_ENCRYPT && c->direction == CRYPT_TO_SEALED;
}
static inline uint32_t lost_unit_blocks(const struct lost_unit *unit)
{
	return le32(unit->u.blocks);
}

/* Into c->lost: those that come next in the direction of the conversion, as many as one record can have. */
bool lost_units_gather(struct conversion *c, struct error *err) must_use;
/* Their tags, where any mirror of their leaf has some that tell of what is on the disk. */
bool lost_units_find_tags(struct conversion *c, struct error *err) must_use;
struct lost_unit *lost_unit_at(const struct conversion *c, uint64_t place);	/* NULL: it is none of them */
/* Block i as it should become, by its tag, into bytes; *found false also where it cannot be read. */
bool lost_block_complete(const struct conversion *c, const struct lost_unit *unit, struct unit_cipher *cipher, uint32_t i,
			 uint8_t bytes[CRYPT_BLOCK], bool *found, struct error *err) must_use;

#endif /* COMMON_CONVERT_LOST_UNITS_H */

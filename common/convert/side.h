/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The two sides of a conversion, plain text and sealed: what a block is read from, written to, and recognised by. A conversion reads from
 * one side and writes to the other; which is which is all that distinguishes sealing again from unsealing, once there are tags.
 */
#ifndef COMMON_CONVERT_SIDE_H
#define COMMON_CONVERT_SIDE_H

#include "common/crypto/key-schedule.h"
#include "format/crypt.h"

struct side {
	const char *name;
	bool is_sealed;
	bool is_forward;		/* converting to it moves the cursor forward; otherwise back */
	enum crypt_direction direction;	/* of a conversion to it */
	enum crypt_state state;		/* of the header meanwhile */
	/* Reads a block or payload that is on this side. *right: its tag says that it was. out: as it is on the other one. */
	unit_cipher_read *read;
	/* Of messages: that a block, and a payload, turned out not to be on this side. */
	const char *block, *block_fails, *payload_fails;
	/* The flags of a regular file on this side. flags: as they are; before: what they had before the file was sealed. */
	uint64_t (*inode_flags)(uint64_t flags, uint64_t before);
	/* The mark of an extent on this side. has_unit: it was sealed with the others. */
	uint16_t (*mark)(uint16_t mark, bool has_unit);
};

extern const struct side side_plain, side_sealed;

/* The side that a conversion writes to, and the one that it reads from. */
static inline const struct side *side_to(enum crypt_direction direction)
{
	return direction == CRYPT_TO_SEALED ? &side_sealed : &side_plain;
}
static inline const struct side *side_other(const struct side *side)
{
	return side == &side_sealed ? &side_plain : &side_sealed;
}

#endif /* COMMON_CONVERT_SIDE_H */

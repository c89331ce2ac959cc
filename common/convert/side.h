/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The two sides of a conversion: what a block is read from, written to, and recognised by. They are plain text and sealed or, while rekeying,
 * sealed with the old key and with the new one. A conversion reads from one side and writes to the other; which is which is all that
 * distinguishes sealing again, unsealing, rekeying and undoing that, once there are tags.
 */
#ifndef COMMON_CONVERT_SIDE_H
#define COMMON_CONVERT_SIDE_H

#include "common/crypto/key-schedule.h"
#include "format/crypt.h"

/* A block of a unit, what it is recognised by, and the side that it is completed to. */
struct sided_block {
	struct unit_cipher *cipher;
	uint32_t index;		/* in its unit */
	const uint8_t *tag;
	const struct side *to;
	/* While rekeying: what it was sealed with before. Otherwise NULL, and the other side is plain text. */
	struct unit_cipher *old;
	const uint8_t *old_tag;
};

struct side {
	const char *name;
	bool is_sealed;			/* with the units of the sealing that the conversion makes or removes */
	bool is_forward;		/* converting to it moves the cursor forward; otherwise back */
	enum crypt_direction direction;	/* of a conversion to it */
	enum crypt_state state;		/* of the header meanwhile */
	/* Reads a block that is on this side. *right: its tag says that it was. out, which may be in: as it is on the other one. */
	bool (*read)(const struct sided_block *block, const uint8_t in[CRYPT_BLOCK], uint8_t out[CRYPT_BLOCK], bool *right, struct error *err);
	const struct side *other;
	/* Of messages: that a block, and a payload, turned out not to be on this side. */
	const char *block, *block_fails, *payload_fails;
	/* The flags of a regular file on this side. flags: as they are; before: what they had before the file was sealed. */
	uint64_t (*inode_flags)(uint64_t flags, uint64_t before);
	/* The mark of an extent on this side. has_unit: it was sealed with the others. */
	uint16_t (*mark)(uint16_t mark, bool has_unit);
};

extern const struct side side_plain, side_sealed;
/* While rekeying everything stays sealed: with the old key, the side that it reads from, or with the new one. */
extern const struct side side_old, side_new;

/* The side that a conversion writes to. */
static inline const struct side *side_to(enum crypt_operation operation, enum crypt_direction direction)
{
	if (operation == CRYPT_OP_REKEY)
		return direction == CRYPT_TO_SEALED ? &side_new : &side_old;
	return direction == CRYPT_TO_SEALED ? &side_sealed : &side_plain;
}

#endif /* COMMON_CONVERT_SIDE_H */

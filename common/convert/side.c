/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What sets the two sides apart. */
#include "common/convert/side.h"

#include "format/ondisk.h"

#define SEAL_FLAGS (INODE_RO_VERITY | INODE_IMMUTABLE)

static uint64_t sealed_flags(uint64_t flags, uint64_t before)
{
	(void)before;
	return flags | SEAL_FLAGS;
}

static uint64_t plain_flags(uint64_t flags, uint64_t before)
{
	return flags & INODE_RO_VERITY ? (flags & ~SEAL_FLAGS) | before : flags;
}

static uint16_t sealed_mark(uint16_t mark, bool has_unit)
{
	return has_unit ? SEAL_MARK : mark;
}

static uint16_t plain_mark(uint16_t mark, bool has_unit)
{
	(void)has_unit;
	return mark == SEAL_MARK ? 0 : mark;
}

const struct side side_sealed = {
	.name = "sealed",
	.is_sealed = true,
	.is_forward = true,
	.direction = CRYPT_TO_SEALED,
	.state = CRYPT_STATE_SEALING,
	.read = unit_cipher_open,
	.block = "block",
	.block_fails = "fails authentication on every mirror",
	.payload_fails = "fails authentication",
	.inode_flags = sealed_flags,
	.mark = sealed_mark,
};

const struct side side_plain = {
	.name = "plain text",
	.direction = CRYPT_TO_PLAIN,
	.state = CRYPT_STATE_UNSEALING,
	.read = unit_cipher_reseal,
	.block = "data",
	.block_fails = "are not what was sealed",
	.payload_fails = "is not what was sealed",
	.inode_flags = plain_flags,
	.mark = plain_mark,
};

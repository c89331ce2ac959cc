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

static bool read_sealed(const struct sided_block *b, const uint8_t *in, uint8_t *out, bool *right, struct error *err)
{
	return unit_cipher_open(b->cipher, b->index, in, CRYPT_BLOCK, out, b->tag, right, err);
}

static bool read_plain(const struct sided_block *b, const uint8_t *in, uint8_t *out, bool *right, struct error *err)
{
	return unit_cipher_reseal(b->cipher, b->index, in, CRYPT_BLOCK, out, b->tag, right, err);
}

/* A block under one of the two keys. */
struct sealing {
	struct unit_cipher *cipher;
	const uint8_t *tag;
	uint32_t index;
};

/* Opened with one key and sealed with the other one, under the nonces that are durable: both tags must be right. */
static bool pass_over(struct sealing from, struct sealing to, const uint8_t *in, uint8_t *out, bool *right, struct error *err)
{
	uint8_t plain[CRYPT_BLOCK];
	const bool ok = unit_cipher_open(from.cipher, from.index, in, CRYPT_BLOCK, plain, from.tag, right, err) &&
			(!*right || unit_cipher_reseal(to.cipher, to.index, plain, CRYPT_BLOCK, out, to.tag, right, err));

	secret_wipe(plain, sizeof(plain));
	return ok;
}

static bool read_new(const struct sided_block *b, const uint8_t *in, uint8_t *out, bool *right, struct error *err)
{
	return pass_over((struct sealing){ b->cipher, b->tag, b->index }, (struct sealing){ b->old, b->old_tag, b->index }, in, out, right, err);
}

static bool read_old(const struct sided_block *b, const uint8_t *in, uint8_t *out, bool *right, struct error *err)
{
	return pass_over((struct sealing){ b->old, b->old_tag, b->index }, (struct sealing){ b->cipher, b->tag, b->index }, in, out, right, err);
}

static uint64_t same_flags(uint64_t flags, uint64_t before)
{
	(void)before;
	return flags;
}

static uint16_t same_mark(uint16_t mark, bool has_unit)
{
	(void)has_unit;
	return mark;
}

const struct side side_sealed = {
	.name = "sealed",
	.is_sealed = true,
	.is_forward = true,
	.direction = CRYPT_TO_SEALED,
	.state = CRYPT_STATE_SEALING,
	.read = read_sealed,
	.other = &side_plain,
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
	.read = read_plain,
	.other = &side_sealed,
	.block = "data",
	.block_fails = "are not what was sealed",
	.payload_fails = "is not what was sealed",
	.inode_flags = plain_flags,
	.mark = plain_mark,
};

const struct side side_new = {
	.name = "sealed with the new key",
	.is_sealed = true,
	.is_forward = true,
	.direction = CRYPT_TO_SEALED,
	.state = CRYPT_STATE_SEALING,
	.read = read_new,
	.other = &side_old,
	.block = "block",
	.block_fails = "fails authentication on every mirror",
	.payload_fails = "fails authentication",
	.inode_flags = same_flags,
	.mark = same_mark,
};

const struct side side_old = {
	.name = "sealed with the old key",
	.direction = CRYPT_TO_PLAIN,
	.state = CRYPT_STATE_UNSEALING,
	.read = read_old,
	.other = &side_new,
	.block = "block",
	.block_fails = "fails authentication on every mirror",
	.payload_fails = "fails authentication",
	.inode_flags = same_flags,
	.mark = same_mark,
};

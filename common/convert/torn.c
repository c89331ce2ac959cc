/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Completes torn blocks with the help of their tags. */
#include "common/convert/torn.h"

#include "common/convert/batch.h"
#include "common/volume/mirror.h"

#define PART (CRYPT_BLOCK / TORN_PARTS)

/* Makes the ciphertext, assuming that the parts in mask are on the other side. */
static void assume(const uint8_t *found, const uint8_t *stream, unsigned mask, uint8_t *ciphertext)
{
	for (unsigned part = 0; part < TORN_PARTS; part++) {
		for (unsigned i = part * PART; i < (part + 1) * PART; i++)
			ciphertext[i] = mask & 1u << part ? found[i] ^ stream[i] : found[i];
	}
}

/* What the two sides of the block differ by. */
static bool difference(const struct sided_block *block, uint8_t stream[CRYPT_BLOCK], struct error *err)
{
	uint8_t old[CRYPT_BLOCK];
	bool ok = unit_cipher_key_stream(block->cipher, block->index, CRYPT_BLOCK, stream, err);

	if (!ok || !block->old)
		return ok;
	ok = unit_cipher_key_stream(block->old, block->index, CRYPT_BLOCK, old, err);
	for (unsigned i = 0; ok && i < CRYPT_BLOCK; i++)
		stream[i] ^= old[i];
	secret_wipe(old, sizeof(old));
	return ok;
}

bool torn_complete(const struct sided_block *block, uint8_t bytes[CRYPT_BLOCK], bool *found, struct error *err)
{
	uint8_t stream[CRYPT_BLOCK], ciphertext[CRYPT_BLOCK], plain[CRYPT_BLOCK];
	bool ok = difference(block, stream, err);

	*found = false;
	for (unsigned i = 0; ok && !*found && i < 1u << TORN_PARTS; i++) {
		/* Try all ciphertext, all of the other side, then the mixtures. */
		const unsigned mask = i == 1 ? (1u << TORN_PARTS) - 1 : i == (1u << TORN_PARTS) - 1 ? 1 : i;

		assume(bytes, stream, mask, ciphertext);
		ok = unit_cipher_open(block->cipher, block->index, ciphertext, CRYPT_BLOCK, plain, block->tag, found, err);
	}
	/* What is written verifies against a durable tag, whichever side it is on. */
	if (ok && *found && block->old && !block->to->is_sealed)
		ok = unit_cipher_reseal(block->old, block->index, plain, CRYPT_BLOCK, plain, block->old_tag, found, err);
	if (ok && *found)
		memcpy(bytes, block->to->is_sealed ? ciphertext : plain, CRYPT_BLOCK);
	secret_wipe(stream, sizeof(stream));
	secret_wipe(plain, sizeof(plain));
	secret_wipe(ciphertext, sizeof(ciphertext));	/* what was taken for ciphertext may be plain text */
	return ok;
}

typedef bool mirror_read(struct volume *volume, uint64_t logical, void *bytes, size_t len, unsigned mirror, struct error *err);

static bool read_from(struct volume *volume, mirror_read *read, const struct sided_block *block, uint64_t address, uint8_t bytes[CRYPT_BLOCK],
		      bool *found, struct error *err)
{
	unsigned n_mirrors;
	struct error unread = { 0 };

	*found = false;
	if (!volume_n_mirrors(volume, address, &n_mirrors, err))
		return false;
	for (unsigned mirror = 0; mirror < n_mirrors && !*found; mirror++) {
		if (read(volume, address, bytes, CRYPT_BLOCK, mirror, &unread) &&
		    !torn_complete(block, bytes, found, err))
			return false;
	}
	if (*found || unread.kind != ERROR_IO)
		return true;
	*err = unread;
	return false;
}

bool torn_read(struct volume *volume, const struct sided_block *block, uint64_t address, uint8_t bytes[CRYPT_BLOCK], bool *found,
	       struct error *err)
{
	return read_from(volume, volume_read, block, address, bytes, found, err);
}

bool torn_read_medium(struct volume *volume, const struct sided_block *block, uint64_t address, uint8_t bytes[CRYPT_BLOCK], bool *found,
		      struct error *err)
{
	return read_from(volume, volume_read_medium, block, address, bytes, found, err);
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Locked memory and Argon2id from libsodium. No other file of this room uses libsodium. */
#include "common/crypto/sodium.h"

#include <assert.h>
#include <errno.h>
#include <sodium.h>
#include <string.h>

static_assert(crypto_pwhash_argon2id_SALTBYTES == 16, "salt");
static_assert(crypto_pwhash_argon2id_MEMLIMIT_MIN == ARGON2ID_MEMORY_KIB_MIN * 1024, "least memory");

bool locked_memory_init(struct error *err)
{
	if (sodium_init() < 0)
		return error_set(err, ERROR_IO, "libsodium failed to start");
	return true;
}

bool locked_memory_new(size_t len, uint8_t **bytes, struct error *err)
{
	uint8_t *new = sodium_malloc(len);

	if (!new)
		return error_memory(err);
	if (sodium_mlock(new, len) < 0) {	/* sodium_malloc() does not say whether its own locking worked */
		error_set(err, ERROR_MEMORY, "%zu bytes of memory for a secret cannot be locked: %s", len,
			  strerror(errno));
		error_hint(err, "raise the limit with ulimit -l, or run as root");
		sodium_free(new);
		return false;
	}
	memset(new, 0, len);
	*bytes = new;
	return true;
}

void locked_memory_free(uint8_t *bytes)
{
	sodium_free(bytes);
}

bool argon2id(const uint8_t *secret, size_t len, const uint8_t salt[16], uint32_t memory_kib, uint32_t passes,
	      uint8_t out[32], struct error *err)
{
	if (crypto_pwhash_argon2id(out, 32, (const char *)secret, len, salt, passes, (size_t)memory_kib * 1024,
				   crypto_pwhash_argon2id_ALG_ARGON2ID13) < 0)
		return error_system(err, "Argon2id with %u KiB", memory_kib);
	return true;
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
/* AES-128 in modes without authentication, and scrypt: to read what others wrote, and to put it back when its decryption is undone. */
#ifndef COMMON_CRYPTO_AES128_H
#define COMMON_CRYPTO_AES128_H

#include "common/crypto/secret.h"

#define AES128_KEY_SIZE 16u
#define AES128_IV_SIZE 16u

enum aes128_mode { AES128_CTR, AES128_CBC, AES128_CBC_CTS /* as in RFC 3962: the last two blocks change places, unless there is only one */ };

enum aes128_way { AES128_DECRYPTS, AES128_ENCRYPTS };

struct aes128;		/* holds the key: free it as soon as nothing more is decrypted */
bool aes128_new(enum aes128_mode mode, enum aes128_way way, const struct secret *key, struct aes128 **cipher, struct error *err) must_use;
void aes128_free(struct aes128 *cipher);	/* NULL is fine */
static inline void aes128_cleanup(struct aes128 **cipher) { aes128_free(*cipher); }
#define cleanup_aes128 __attribute__((cleanup(aes128_cleanup)))

/* Does the mode have ciphertexts of this length? */
static inline bool aes128_takes(enum aes128_mode mode, size_t len)
{
	return mode == AES128_CTR ? len > 0 : mode == AES128_CBC ? len > 0 && len % 16 == 0 : len >= 16;
}
/* Decrypts or encrypts, as it was made for. out may be in. The mode must take the length. */
bool aes128_run(struct aes128 *cipher, const uint8_t iv[AES128_IV_SIZE], const void *in, size_t len, void *out, struct error *err) must_use;

/* RFC 7914. Takes 128 * n * r bytes of memory, at most 64 MiB. */
struct scrypt_cost { uint64_t n; uint32_t r, p; };
bool scrypt(const struct secret *passphrase, const void *salt, size_t salt_len, const struct scrypt_cost *cost, struct secret *out,
	    struct error *err) must_use;

#endif /* COMMON_CRYPTO_AES128_H */

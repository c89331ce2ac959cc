/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The cryptographic library in our terms, for the files of this room only. Keys come in as plain bytes of a fixed length, and OpenSSL's
 * error queue is empty after every call. Other rooms use key-schedule.h.
 */
#ifndef COMMON_CRYPTO_CRYPTO_H
#define COMMON_CRYPTO_CRYPTO_H

#include "common/crypto/key-schedule.h"

#define PRK_SIZE 64u

/* Call once, before anything else in this header. */
void crypto_init(void);

/* RFC 5869 with SHA-512. out: at most 64 bytes, which is one block of the expansion. */
bool hkdf_extract(const void *salt, size_t salt_len, const uint8_t *secret, size_t secret_len, uint8_t prk[PRK_SIZE],
		  struct error *err) must_use;
bool hkdf_expand(const uint8_t prk[PRK_SIZE], const void *info, size_t info_len, uint8_t *out, size_t len,
		 struct error *err) must_use;

bool pbkdf2_sha512(const uint8_t *secret, size_t len, const uint8_t salt[16], uint32_t iterations, uint8_t out[32],
		   struct error *err) must_use;

/* AES-256-GCM with nonce 0^12 over the 32 bytes of a key, for a wrapping key that is used only once. */
bool key_wrap(const uint8_t kek[CRYPT_KEY_SIZE], const void *aad, size_t aad_len, const uint8_t plain[CRYPT_KEY_SIZE],
	      uint8_t wrapped[CRYPT_KEY_SIZE], uint8_t tag[CRYPT_TAG_SIZE], struct error *err) must_use;
/* plain is zeroed if it is not authentic. */
bool key_unwrap(const uint8_t kek[CRYPT_KEY_SIZE], const void *aad, size_t aad_len,
		const uint8_t wrapped[CRYPT_KEY_SIZE], const uint8_t tag[CRYPT_TAG_SIZE],
		uint8_t plain[CRYPT_KEY_SIZE], bool *authentic, struct error *err) must_use;

bool mac_new_keyed(const uint8_t key[CRYPT_KEY_SIZE], struct mac **mac, struct error *err) must_use;
bool mac_new_keyless(struct mac **mac, struct error *err) must_use;	/* plain SHA-256 */
bool unit_cipher_new_keyed(const uint8_t key[CRYPT_KEY_SIZE], enum crypt_cipher cipher, struct unit_cipher **unit,
			   struct error *err) must_use;

#endif /* COMMON_CRYPTO_CRYPTO_H */

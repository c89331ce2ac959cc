/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Everything that OpenSSL computes for us. No other file uses OpenSSL. */
#include "common/crypto/crypto.h"

#include <errno.h>
#include <limits.h>
#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/kdf.h>
#include <openssl/params.h>
#include <stdlib.h>
#include <sys/random.h>

#include "common/crypto/aes128.h"
#include "common/crypto/hash.h"
#include "common/util/take.h"

#define AEAD_NONCE_SIZE 12

/* When it runs out of memory, the library sometimes reports an internal error that results from it. */
static bool out_of_memory;

static void *note_none(void *bytes, size_t size)
{
	out_of_memory |= !bytes && size > 0;
	return bytes;
}

static void *take_memory(size_t size, const char *file, int line)
{
	(void)file, (void)line;
	return note_none(size > 0 ? malloc(size) : NULL, size);
}

static void *move_memory(void *bytes, size_t size, const char *file, int line)
{
	(void)file, (void)line;
	if (size > 0)
		return note_none(realloc(bytes, size), size);
	free(bytes);
	return NULL;
}

static void give_memory(void *bytes, const char *file, int line)
{
	(void)file, (void)line;
	free(bytes);
}

/* If somebody used the library before, it keeps its allocator. */
void crypto_init(void)
{
	CRYPTO_set_mem_functions(take_memory, move_memory, give_memory);
}

/* Drains the error queue and puts its first entry into the text. */
static bool library_error(const char *what, struct error *err)
{
	const unsigned long code = ERR_get_error();
	char text[160] = "no reason given";

	if (out_of_memory) {
		ERR_clear_error();
		return error_memory(err);
	}
	if (code != 0)
		ERR_error_string_n(code, text, sizeof(text));
	ERR_clear_error();
	if (ERR_GET_REASON(code) == ERR_R_MALLOC_FAILURE)
		return error_memory(err);
	return error_set(err, ERROR_IO, "cryptographic library: %s: %s", what, text);
}

void secret_wipe(void *bytes, size_t len)
{
	OPENSSL_cleanse(bytes, len);
}

bool secret_same(const void *a, const void *b, size_t len)
{
	return CRYPTO_memcmp(a, b, len) == 0;
}

bool crypto_random(void *out, size_t len, struct error *err)
{
	uint8_t *at = out;

	while (len > 0) {
		const ssize_t n = getrandom(at, len, 0);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return error_system(err, "random bytes of the kernel");
		at += n;
		len -= n;
	}
	return true;
}

/* --- hashes ------------------------------------------------------------------------ */
bool crypto_sha256(const void *bytes, size_t len, uint8_t out[32], struct error *err)
{
	if (!EVP_Digest(bytes, len, out, NULL, EVP_sha256(), NULL))
		return library_error("SHA-256", err);
	return true;
}

bool crypto_sha512(const void *bytes, size_t len, uint8_t out[64], struct error *err)
{
	if (!EVP_Digest(bytes, len, out, NULL, EVP_sha512(), NULL))
		return library_error("SHA-512", err);
	return true;
}

struct hash {
	EVP_MD_CTX *context;
	bool ok;
};

bool hash_new(struct hash **hash, struct error *err)
{
	*hash = calloc(1, sizeof(**hash));
	if (!*hash)
		return error_memory(err);
	(*hash)->context = EVP_MD_CTX_new();
	if ((*hash)->context)
		return true;
	free(*hash);
	*hash = NULL;
	return library_error("SHA-256", err);
}

void hash_free(struct hash *hash)
{
	if (hash)
		EVP_MD_CTX_free(hash->context);
	free(hash);
}

void hash_start(struct hash *hash)
{
	hash->ok = EVP_DigestInit_ex(hash->context, EVP_sha256(), NULL);
}

void hash_update(struct hash *hash, const void *bytes, size_t len)
{
	hash->ok = hash->ok && EVP_DigestUpdate(hash->context, bytes, len);
}

bool hash_finish(struct hash *hash, uint8_t out[HASH_SIZE], struct error *err)
{
	return (hash->ok && EVP_DigestFinal_ex(hash->context, out, NULL)) || library_error("SHA-256", err);
}

/* --- key derivation ------------------------------------------------------------------ */
static char *const sha512_name = (char *)"SHA512";	/* OSSL_PARAM wants it without const, but does not write to it */

/* with: the salt or the info. */
static bool hkdf(int mode, OSSL_PARAM key, OSSL_PARAM with, uint8_t *out, size_t len, struct error *err)
{
	EVP_KDF *kdf = EVP_KDF_fetch(NULL, OSSL_KDF_NAME_HKDF, NULL);
	EVP_KDF_CTX *ctx = kdf ? EVP_KDF_CTX_new(kdf) : NULL;
	const OSSL_PARAM params[] = {
		OSSL_PARAM_construct_int(OSSL_KDF_PARAM_MODE, &mode),
		OSSL_PARAM_construct_utf8_string(OSSL_KDF_PARAM_DIGEST, sha512_name, 0),
		key,
		with,
		OSSL_PARAM_construct_end(),
	};
	const bool ok = ctx && EVP_KDF_derive(ctx, out, len, params) == 1;

	EVP_KDF_CTX_free(ctx);
	EVP_KDF_free(kdf);
	return ok || library_error("HKDF", err);
}

bool hkdf_extract(const void *salt, size_t salt_len, const uint8_t *secret, size_t secret_len, uint8_t prk[PRK_SIZE],
		  struct error *err)
{
	return hkdf(EVP_KDF_HKDF_MODE_EXTRACT_ONLY, OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_KEY, (void *)secret, secret_len),
		    OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_SALT, (void *)salt, salt_len), prk, PRK_SIZE, err);
}

bool hkdf_expand(const uint8_t prk[PRK_SIZE], const void *info, size_t info_len, uint8_t *out, size_t len,
		 struct error *err)
{
	return hkdf(EVP_KDF_HKDF_MODE_EXPAND_ONLY, OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_KEY, (void *)prk, PRK_SIZE),
		    OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_INFO, (void *)info, info_len), out, len, err);
}

bool pbkdf2_sha512(const uint8_t *secret, size_t len, const uint8_t salt[16], uint32_t iterations, uint8_t out[32],
		   struct error *err)
{
	assert(len <= INT_MAX && iterations <= INT_MAX);
	if (!PKCS5_PBKDF2_HMAC((const char *)secret, len, salt, 16, iterations, EVP_sha512(), 32, out))
		return library_error("PBKDF2", err);
	return true;
}

#define SCRYPT_MEMORY_MAX (64ull << 20)

bool scrypt(const struct secret *passphrase, const void *salt, size_t salt_len, const struct scrypt_cost *cost, struct secret *out, struct error *err)
{
	if (!EVP_PBE_scrypt((const char *)secret_view(passphrase), secret_len(passphrase), salt, salt_len, cost->n, cost->r, cost->p,
			    SCRYPT_MEMORY_MAX, secret_bytes(out), secret_len(out)))
		return library_error("scrypt", err);
	return true;
}

/* --- MAC ------------------------------------------------------------------------------ */
struct mac {
	EVP_MAC_CTX *ctx;	/* keyed once; starting without a key copies the prepared inner state */
	struct hash *hash;	/* or, where there is no key */
	bool failed;
};

bool mac_new_keyless(struct mac **mac, struct error *err)
{
	cleanup_mac struct mac *new = calloc(1, sizeof(*new));

	if (!new)
		return error_memory(err);
	if (!hash_new(&new->hash, err))
		return false;
	*mac = TAKE(new);
	return true;
}

bool mac_new_keyed(const uint8_t key[CRYPT_KEY_SIZE], struct mac **mac, struct error *err)
{
	const OSSL_PARAM params[] = {
		OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, sha512_name, 0),
		OSSL_PARAM_construct_end(),
	};
	cleanup_mac struct mac *new = calloc(1, sizeof(*new));
	EVP_MAC *hmac;

	if (!new)
		return error_memory(err);
	hmac = EVP_MAC_fetch(NULL, OSSL_MAC_NAME_HMAC, NULL);
	new->ctx = hmac ? EVP_MAC_CTX_new(hmac) : NULL;
	EVP_MAC_free(hmac);
	if (!new->ctx || !EVP_MAC_init(new->ctx, key, CRYPT_KEY_SIZE, params))
		return library_error("HMAC", err);
	*mac = TAKE(new);
	return true;
}

void mac_free(struct mac *mac)
{
	if (!mac)
		return;
	EVP_MAC_CTX_free(mac->ctx);
	hash_free(mac->hash);
	free(mac);
}

void mac_start(struct mac *mac)
{
	if (mac->hash)
		hash_start(mac->hash);
	else
		mac->failed = !EVP_MAC_init(mac->ctx, NULL, 0, NULL);
}

void mac_update(struct mac *mac, const void *bytes, size_t len)
{
	if (mac->hash)
		hash_update(mac->hash, bytes, len);
	else if (len > 0 && !mac->failed)
		mac->failed = !EVP_MAC_update(mac->ctx, bytes, len);
}

bool mac_finish(struct mac *mac, uint8_t out[CRYPT_MAC_SIZE], struct error *err)
{
	uint8_t whole[64];
	size_t len;

	if (mac->hash)
		return hash_finish(mac->hash, out, err);
	if (mac->failed || !EVP_MAC_final(mac->ctx, whole, &len, sizeof(whole)) || len != sizeof(whole))
		return library_error("HMAC", err);
	memcpy(out, whole, CRYPT_MAC_SIZE);
	return true;
}

/* --- AEAD ------------------------------------------------------------------------------ */
struct unit_cipher {
	EVP_CIPHER_CTX *ctx;	/* keyed once; each block only sets its nonce */
};

bool unit_cipher_new_keyed(const uint8_t key[CRYPT_KEY_SIZE], enum crypt_cipher cipher, struct unit_cipher **unit,
			   struct error *err)
{
	const EVP_CIPHER *type = cipher == CIPHER_AES_256_GCM ? EVP_aes_256_gcm() : EVP_chacha20_poly1305();
	cleanup_unit_cipher struct unit_cipher *new = NULL;

	assert(cipher == CIPHER_AES_256_GCM || cipher == CIPHER_CHACHA20_POLY1305);
	assert(EVP_CIPHER_get_key_length(type) == CRYPT_KEY_SIZE && EVP_CIPHER_get_iv_length(type) == AEAD_NONCE_SIZE);
	new = calloc(1, sizeof(*new));
	if (!new)
		return error_memory(err);
	new->ctx = EVP_CIPHER_CTX_new();
	if (!new->ctx || !EVP_EncryptInit_ex(new->ctx, type, NULL, key, NULL))
		return library_error(crypt_cipher_name(cipher), err);
	*unit = TAKE(new);
	return true;
}

void unit_cipher_free(struct unit_cipher *unit)
{
	if (!unit)
		return;
	EVP_CIPHER_CTX_free(unit->ctx);
	free(unit);
}

/* What is authenticated with a block and not in it: its number, and for a wrapped key more. */
struct beside {
	uint32_t index;
	const void *aad;
	size_t aad_len;
};

static bool block_start(struct unit_cipher *unit, struct beside beside, bool seal)
{
	const uint32_t index = beside.index;
	uint8_t nonce[AEAD_NONCE_SIZE] = { [8] = index >> 24, index >> 16, index >> 8, index };
	int n;

	return EVP_CipherInit_ex(unit->ctx, NULL, NULL, NULL, nonce, seal) &&
	       (beside.aad_len == 0 || EVP_CipherUpdate(unit->ctx, NULL, &n, beside.aad, beside.aad_len));
}

static bool block_seal(struct unit_cipher *unit, struct beside beside, const void *plain, size_t len, uint8_t *out, uint8_t tag[CRYPT_TAG_SIZE],
		       struct error *err)
{
	int n, last;

	assert(len <= INT_MAX);
	if (!block_start(unit, beside, true) || !EVP_CipherUpdate(unit->ctx, out, &n, plain, len) ||
	    !EVP_CipherFinal_ex(unit->ctx, out + n, &last) ||
	    !EVP_CIPHER_CTX_ctrl(unit->ctx, EVP_CTRL_AEAD_GET_TAG, CRYPT_TAG_SIZE, tag))
		return library_error("encrypting", err);
	return true;
}

static bool block_open(struct unit_cipher *unit, struct beside beside, const void *in, size_t len, uint8_t *plain,
		       const uint8_t tag[CRYPT_TAG_SIZE], bool *authentic, struct error *err)
{
	int n, last;

	assert(len <= INT_MAX);
	*authentic = false;
	if (!block_start(unit, beside, false) ||
	    !EVP_CIPHER_CTX_ctrl(unit->ctx, EVP_CTRL_AEAD_SET_TAG, CRYPT_TAG_SIZE, (void *)tag) ||
	    !EVP_CipherUpdate(unit->ctx, plain, &n, in, len)) {
		secret_wipe(plain, len);
		return library_error("AES-128", err);
	}
	*authentic = EVP_CipherFinal_ex(unit->ctx, plain + n, &last);
	if (!*authentic) {
		secret_wipe(plain, len);
		ERR_clear_error();
	}
	return true;
}

bool unit_cipher_seal(struct unit_cipher *unit, uint32_t index, const void *plain, size_t len, void *out,
		      uint8_t tag[CRYPT_TAG_SIZE], struct error *err)
{
	return block_seal(unit, (struct beside){ .index = index }, plain, len, out, tag, err);
}

bool unit_cipher_open(struct unit_cipher *unit, uint32_t index, const void *in, size_t len, void *plain,
		      const uint8_t tag[CRYPT_TAG_SIZE], bool *authentic, struct error *err)
{
	return block_open(unit, (struct beside){ .index = index }, in, len, plain, tag, authentic, err);
}

bool unit_cipher_reseal(struct unit_cipher *unit, uint32_t index, const void *plain, size_t len, void *out,
			const uint8_t tag[CRYPT_TAG_SIZE], bool *same, struct error *err)
{
	uint8_t now[CRYPT_TAG_SIZE];

	if (!unit_cipher_seal(unit, index, plain, len, out, now, err))
		return false;
	*same = secret_same(now, tag, sizeof(now));
	return true;
}

/* Both ciphers xor a key stream that does not depend on the data. It is the ciphertext of zeros. */
bool unit_cipher_key_stream(struct unit_cipher *unit, uint32_t index, size_t len, uint8_t *out, struct error *err)
{
	uint8_t tag[CRYPT_TAG_SIZE];

	memset(out, 0, len);
	return block_seal(unit, (struct beside){ .index = index }, out, len, out, tag, err);
}

bool key_wrap(const uint8_t kek[CRYPT_KEY_SIZE], const void *aad, size_t aad_len, const uint8_t plain[CRYPT_KEY_SIZE],
	      uint8_t wrapped[CRYPT_KEY_SIZE], uint8_t tag[CRYPT_TAG_SIZE], struct error *err)
{
	cleanup_unit_cipher struct unit_cipher *unit = NULL;

	return unit_cipher_new_keyed(kek, CIPHER_AES_256_GCM, &unit, err) &&
	       block_seal(unit, (struct beside){ 0, aad, aad_len }, plain, CRYPT_KEY_SIZE, wrapped, tag, err);
}

bool key_unwrap(const uint8_t kek[CRYPT_KEY_SIZE], const void *aad, size_t aad_len,
		const uint8_t wrapped[CRYPT_KEY_SIZE], const uint8_t tag[CRYPT_TAG_SIZE],
		uint8_t plain[CRYPT_KEY_SIZE], bool *authentic, struct error *err)
{
	cleanup_unit_cipher struct unit_cipher *unit = NULL;

	return unit_cipher_new_keyed(kek, CIPHER_AES_256_GCM, &unit, err) &&
	       block_open(unit, (struct beside){ 0, aad, aad_len }, wrapped, CRYPT_KEY_SIZE, plain, tag, authentic, err);
}

/* --- AES-128 without authentication ------------------------------------------------------------------------------------- */
struct aes128 {
	EVP_CIPHER_CTX *ctx;	/* keyed once; each piece only sets its IV */
	enum aes128_mode mode;
};

bool aes128_new(enum aes128_mode mode, enum aes128_way way, const struct secret *key, struct aes128 **cipher, struct error *err)
{
	static const char *const names[] = { [AES128_CTR] = "AES-128-CTR", [AES128_CBC] = "AES-128-CBC", [AES128_CBC_CTS] = "AES-128-CBC-CTS" };
	const OSSL_PARAM params[] = {
		OSSL_PARAM_construct_utf8_string(OSSL_CIPHER_PARAM_CTS_MODE, (char *)OSSL_CIPHER_CTS_MODE_CS3, 0),
		OSSL_PARAM_construct_end(),
	};
	cleanup_aes128 struct aes128 *new = calloc(1, sizeof(*new));
	EVP_CIPHER *type;

	assert(secret_len(key) == AES128_KEY_SIZE);
	if (!new)
		return error_memory(err);
	type = EVP_CIPHER_fetch(NULL, names[mode], NULL);
	new->mode = mode;
	new->ctx = type ? EVP_CIPHER_CTX_new() : NULL;

	const bool ok = new->ctx && EVP_CipherInit_ex2(new->ctx, type, secret_view(key), NULL, way == AES128_ENCRYPTS, mode == AES128_CBC_CTS ? params : NULL) &&
			EVP_CIPHER_CTX_set_padding(new->ctx, 0);

	EVP_CIPHER_free(type);
	if (!ok)
		return library_error(names[mode], err);
	*cipher = TAKE(new);
	return true;
}

void aes128_free(struct aes128 *cipher)
{
	if (!cipher)
		return;
	EVP_CIPHER_CTX_free(cipher->ctx);
	free(cipher);
}

bool aes128_run(struct aes128 *cipher, const uint8_t iv[AES128_IV_SIZE], const void *in, size_t len, void *out, struct error *err)
{
	int n, last;

	assert(aes128_takes(cipher->mode, len) && len <= INT_MAX);
	if (!EVP_CipherInit_ex2(cipher->ctx, NULL, NULL, iv, -1, NULL) || !EVP_CipherUpdate(cipher->ctx, out, &n, in, (int)len) ||
	    !EVP_CipherFinal_ex(cipher->ctx, (uint8_t *)out + n, &last) || (size_t)n + (size_t)last != len) {
		secret_wipe(out, len);
		return library_error("AES-128", err);
	}
	return true;
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The ciphers of the format, a page or an inline extent at a time. */
#include "tests/image/legacy/legacy.h"

#include <openssl/evp.h>
#include <string.h>

enum { BLOCK = 16 };

const uint8_t constant_iv[IV_BYTES] = {
	0x12, 0x34, 0x56, 0x78, 0x90, 0xab, 0xcd, 0xef, 0x12, 0x34, 0x56, 0x78, 0x90, 0xab, 0xcd, 0xef,
};

uint32_t crc32c(uint32_t seed, const void *bytes, size_t len)
{
	static uint32_t table[256];
	const uint8_t *const byte = bytes;

	for (unsigned i = 0; !table[255] && i < 256; i++) {
		table[i] = i;
		for (unsigned bit = 0; bit < 8; bit++)
			table[i] = table[i] & 1 ? table[i] >> 1 ^ 0x82f63b78 : table[i] >> 1;
	}
	for (size_t i = 0; i < len; i++)
		seed = table[(seed ^ byte[i]) & 0xff] ^ seed >> 8;
	return seed;
}

static void run(const EVP_CIPHER *cipher, bool encrypt, const uint8_t *key, const uint8_t *iv, uint8_t *bytes, size_t len)
{
	EVP_CIPHER_CTX *const context = EVP_CIPHER_CTX_new();
	int n = 0, rest = 0;

	if (!context || !EVP_CipherInit_ex(context, cipher, NULL, key, iv, encrypt) || !EVP_CIPHER_CTX_set_padding(context, 0) ||
	    !EVP_CipherUpdate(context, bytes, &n, bytes, (int)len) || !EVP_CipherFinal_ex(context, bytes + n, &rest) || n + rest != (int)len)
		die("%s of %zu bytes fails", EVP_CIPHER_get0_name(cipher), len);
	EVP_CIPHER_CTX_free(context);
}

static void xor_block(uint8_t *to, const uint8_t *with, size_t len)
{
	for (size_t i = 0; i < len; i++)
		to[i] ^= with[i];
}

/* Ciphertext stealing as in RFC 3962: the last two blocks always change places; one block alone is plain CBC. */
static void run_cts(bool encrypt, const uint8_t *key, const uint8_t *iv, uint8_t *bytes, size_t len)
{
	const size_t tail = (len - 1) % BLOCK + 1, head = len - tail;	/* head: whole blocks, the last of which is the one before the tail */
	uint8_t last[BLOCK] = { 0 }, before[BLOCK], *const penultimate = bytes + head - BLOCK;

	if (len == BLOCK) {
		run(EVP_aes_128_cbc(), encrypt, key, iv, bytes, len);
	} else if (encrypt) {
		run(EVP_aes_128_cbc(), true, key, iv, bytes, head);
		memcpy(before, penultimate, BLOCK);
		memcpy(last, bytes + head, tail);
		run(EVP_aes_128_cbc(), true, key, before, last, BLOCK);
		memcpy(penultimate, last, BLOCK);
		memcpy(bytes + head, before, tail);
	} else {
		const uint8_t *const chain = head > BLOCK ? penultimate - BLOCK : iv;
		uint8_t previous[BLOCK];

		memcpy(previous, chain, BLOCK);
		memcpy(last, penultimate, BLOCK);
		run(EVP_aes_128_ecb(), false, key, NULL, last, BLOCK);
		memcpy(before, last, BLOCK);	/* what was stolen, where the tail is short */
		memcpy(before, bytes + head, tail);
		xor_block(last, before, BLOCK);
		run(EVP_aes_128_cbc(), false, key, previous, before, BLOCK);
		if (head > BLOCK)
			run(EVP_aes_128_cbc(), false, key, iv, bytes, head - BLOCK);
		memcpy(penultimate, before, BLOCK);
		memcpy(bytes + head, last, tail);
	}
}

bool cipher_takes(enum cipher cipher, size_t len)
{
	switch (cipher) {
	case CIPHER_CTR:
		return len > 0;
	case CIPHER_CBC:
		return len > 0 && len % BLOCK == 0;
	default:
		return len >= BLOCK;
	}
}

void cipher_run(enum cipher cipher, bool encrypt, const uint8_t *key, const uint8_t iv[IV_BYTES], uint8_t *bytes, size_t len)
{
	switch (cipher) {
	case CIPHER_CTR:
		run(EVP_aes_128_ctr(), encrypt, key, iv, bytes, len);
		break;
	case CIPHER_CBC:
		run(EVP_aes_128_cbc(), encrypt, key, iv, bytes, len);
		break;
	case CIPHER_CTS:
		run_cts(encrypt, key, iv, bytes, len);
		break;
	case CIPHER_XTS:
		run(EVP_aes_256_xts(), encrypt, key, iv, bytes, len);
		break;
	}
}

void cipher_inode_iv(const uint8_t *key, const uint8_t attribute[IV_BYTES], uint8_t iv[IV_BYTES])
{
	memcpy(iv, attribute, IV_BYTES);
	run(EVP_aes_128_cbc(), false, key, constant_iv, iv, IV_BYTES);
}

void cipher_file_key(const uint8_t master[64], const uint8_t nonce[16], uint8_t key[64])
{
	memcpy(key, master, 64);
	run(EVP_aes_128_ecb(), true, nonce, NULL, key, 64);
}

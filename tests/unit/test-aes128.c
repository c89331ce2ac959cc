/* SPDX-License-Identifier: GPL-2.0-or-later */
/* AES-128 without authentication against what openssl(1) encrypts (CTS put together from its CBC), and scrypt. */
#include "tests/unit/test.h"

#include "common/crypto/aes128.h"
#include "common/util/hex.h"

#define MESSAGE_MAX 48u

static struct secret *key;

static int set_up(void **state)
{
	struct error err = { 0 };

	(void)state;
	if (!secret_init(&err) || !secret_new(AES128_KEY_SIZE, &key, &err))
		return -1;
	for (size_t i = 0; i < AES128_KEY_SIZE; i++)
		secret_bytes(key)[i] = (uint8_t)i;
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	secret_free(key);
	return 0;
}

static void decrypts(void **state)
{
	static const struct { enum aes128_mode mode; size_t len; const char *ciphertext; } vector[] = {
		{ AES128_CTR, 45, "65add6f02b741c7cac1397576448c8c1c1fb56883808a1090f1fca7ba952ca36319b63ae835de689e0a3a26978" },
		{ AES128_CBC, 48, "29c99ea986fa95edf1f01a6a9ba4b1f9990e43bb4c151b5afb7146d2756cde07f0a1d6943fe3ae7c0c1e6b5e9aed7cd0" },
		{ AES128_CBC_CTS, 16, "29c99ea986fa95edf1f01a6a9ba4b1f9" },
		{ AES128_CBC_CTS, 17, "ae870324234719f9bd5ab62aa483767129" },
		{ AES128_CBC_CTS, 32, "990e43bb4c151b5afb7146d2756cde0729c99ea986fa95edf1f01a6a9ba4b1f9" },
		{ AES128_CBC_CTS, 45, "29c99ea986fa95edf1f01a6a9ba4b1f91d985a97f7868e224f71ffa7dece559b990e43bb4c151b5afb7146d275" },
		{ AES128_CBC_CTS, 48, "29c99ea986fa95edf1f01a6a9ba4b1f9f0a1d6943fe3ae7c0c1e6b5e9aed7cd0990e43bb4c151b5afb7146d2756cde07" },
	};
	uint8_t iv[AES128_IV_SIZE], bytes[MESSAGE_MAX], out[MESSAGE_MAX];

	(void)state;
	for (size_t i = 0; i < sizeof(iv); i++)
		iv[i] = (uint8_t)(0xf0 + i);
	for (size_t i = 0; i < ARRAY_SIZE(vector); i++) {
		cleanup_aes128 struct aes128 *cipher = NULL;
		struct error err = { 0 };

		assert_true(aes128_takes(vector[i].mode, vector[i].len));
		assert_true(hex_read(vector[i].ciphertext, bytes, vector[i].len));
		assert_true(aes128_new(vector[i].mode, AES128_DECRYPTS, key, &cipher, &err));
		/* Twice, since a context is used again and again; then in place. */
		for (unsigned turn = 0; turn < 3; turn++) {
			uint8_t *const to = turn == 2 ? bytes : out;

			memset(out, 0, sizeof(out));
			if (!aes128_run(cipher, iv, bytes, vector[i].len, to, &err))
				fail_msg("%zu: %s", i, err.text);
			for (size_t j = 0; j < vector[i].len; j++)
				assert_int_equal(to[j], (uint8_t)(j * 7 + 3));
		}
	}
}

static void knows_lengths(void **state)
{
	(void)state;
	assert_false(aes128_takes(AES128_CTR, 0));
	assert_true(aes128_takes(AES128_CTR, 1));
	assert_false(aes128_takes(AES128_CBC, 0));
	assert_false(aes128_takes(AES128_CBC, 17));
	assert_true(aes128_takes(AES128_CBC, 32));
	assert_false(aes128_takes(AES128_CBC_CTS, 15));
	assert_true(aes128_takes(AES128_CBC_CTS, 16));
	assert_true(aes128_takes(AES128_CBC_CTS, 17));
}

/* RFC 7914, section 12. */
static void derives_by_scrypt(void **state)
{
	static const struct { const char *passphrase; uint8_t salt[100]; size_t salt_len; struct scrypt_cost cost; const char *out; } vector[] = {
		{ "password", "NaCl", 4, { 1024, 8, 16 }, "fdbabe1c9d3472007856e7190d01e9fe" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(vector); i++) {
		cleanup_secret struct secret *passphrase = NULL, *out = NULL;
		const size_t len = strlen(vector[i].passphrase);
		struct error err = { 0 };
		uint8_t want[16];

		assert_true(secret_new(len, &passphrase, &err) && secret_new(sizeof(want), &out, &err));
		memcpy(secret_bytes(passphrase), vector[i].passphrase, len);
		assert_true(scrypt(passphrase, vector[i].salt, vector[i].salt_len, &vector[i].cost, out, &err));
		assert_true(hex_read(vector[i].out, want, sizeof(want)));
		assert_memory_equal(secret_view(out), want, sizeof(want));
	}
}

/* What it would need is more than it may have. */
static void bounds_the_memory_of_scrypt(void **state)
{
	static const struct scrypt_cost much = { 1u << 20, 8, 1 };
	cleanup_secret struct secret *out = NULL;
	struct error err = { 0 };

	(void)state;
	assert_true(secret_new(16, &out, &err));
	assert_false(scrypt(key, "", 0, &much, out, &err));
	assert_int_equal(err.kind, ERROR_IO);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(decrypts),
		cmocka_unit_test(knows_lengths),
		cmocka_unit_test(derives_by_scrypt),
		cmocka_unit_test(bounds_the_memory_of_scrypt),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}

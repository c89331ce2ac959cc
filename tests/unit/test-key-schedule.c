/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The key schedule against vectors of another implementation; what is not authentic does not open. */
#include "tests/unit/test.h"

#include "common/crypto/key-schedule.h"
#include "tests/vectors/vectors.h"

static struct key_schedule *schedule;

static struct secret *volume_key(void)
{
	struct secret *key = NULL;
	struct error err = { 0 };

	assert_true(secret_new(sizeof(vector_volume_key), &key, &err));
	memcpy(secret_bytes(key), vector_volume_key, sizeof(vector_volume_key));
	return key;
}

static int set_up(void **state)
{
	cleanup_secret struct secret *key = NULL;
	struct error err = { 0 };

	(void)state;
	if (!secret_init(&err))
		return -1;
	key = volume_key();
	return key_schedule_new(key, vector_domain_uuid, &schedule, &err) ? 0 : -1;
}

static int tear_down(void **state)
{
	(void)state;
	key_schedule_free(schedule);
	return 0;
}

static struct unit_cipher *cipher_new(enum crypt_cipher cipher, const char *label, const void *context)
{
	struct unit_cipher *unit = NULL;
	struct error err = { 0 };

	if (!unit_cipher_new(schedule, cipher, label, context, 48, &unit, &err))
		fail_msg("%s", err.text);
	return unit;
}

static void hashes(void **state)
{
	uint8_t message[300], out[64];
	struct error err = { 0 };

	(void)state;
	vector_pattern(message, sizeof(message), 1);
	assert_true(crypto_sha256(message, sizeof(message), out, &err));
	assert_memory_equal(out, vector_sha256_of_pattern_300_1, 32);
	assert_true(crypto_sha512(message, sizeof(message), out, &err));
	assert_memory_equal(out, vector_sha512_of_pattern_300_1, 64);
}

static void draws_the_key_check_value(void **state)
{
	uint8_t kcv[CRYPT_MAC_SIZE];
	struct error err = { 0 };

	(void)state;
	assert_true(key_schedule_kcv(schedule, kcv, &err));
	assert_memory_equal(kcv, vector_kcv, sizeof(kcv));
}

static void another_key_or_domain_is_another_schedule(void **state)
{
	cleanup_secret struct secret *key = volume_key();
	struct error err = { 0 };

	(void)state;
	for (unsigned i = 0; i < 2; i++) {
		cleanup_key_schedule struct key_schedule *other = NULL;
		uint8_t uuid[CRYPT_UUID_SIZE], kcv[CRYPT_MAC_SIZE];

		memcpy(uuid, vector_domain_uuid, sizeof(uuid));
		if (i == 0)
			uuid[15] ^= 1;
		else
			secret_bytes(key)[31] ^= 1;
		assert_true(key_schedule_new(key, uuid, &other, &err));
		assert_true(key_schedule_kcv(other, kcv, &err));
		assert_memory_not_equal(kcv, vector_kcv, sizeof(kcv));
	}
}

static void refuses_a_volume_key_of_another_length(void **state)
{
	static const size_t lens[] = { 1, 31, 33, 64 };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(lens); i++) {
		cleanup_secret struct secret *key = NULL;
		struct key_schedule *none = NULL;
		struct error err = { 0 };

		assert_true(secret_new(lens[i], &key, &err));
		assert_false(key_schedule_new(key, vector_domain_uuid, &none, &err));
		assert_null(none);
		assert_int_equal(err.kind, ERROR_KEY);
	}
}

static void macs(void **state)
{
	uint8_t message[300];

	(void)state;
	vector_pattern(message, sizeof(message), 1);
	for (size_t i = 0; i < ARRAY_SIZE(vector_mac); i++) {
		cleanup_mac struct mac *mac = NULL;
		uint8_t out[CRYPT_MAC_SIZE];
		struct error err = { 0 };

		assert_true(mac_new(schedule, vector_mac[i].label, vector_mac[i].context, vector_mac[i].context_len,
				    &mac, &err));
		for (unsigned round = 0; round < 3; round++) {	/* a message leaves nothing behind for the next */
			mac_start(mac);
			mac_update(mac, message, 100);
			mac_update(mac, NULL, 0);
			mac_update(mac, message + 100, 200);
			assert_true(mac_finish(mac, out, &err));
			assert_memory_equal(out, vector_mac[i].mac, sizeof(out));
			mac_start(mac);
			assert_true(mac_finish(mac, out, &err));
			assert_memory_equal(out, vector_mac[i].mac_of_nothing, sizeof(out));
			mac_start(mac);	/* given up half way */
			mac_update(mac, message, 1);
		}
	}
}

static void bridges(void **state)
{
	cleanup_secret struct secret *old = NULL, *opened = NULL;
	uint8_t wrapped[CRYPT_KEY_SIZE], tag[CRYPT_TAG_SIZE];
	struct error err = { 0 };

	(void)state;
	assert_true(secret_new(CRYPT_KEY_SIZE, &old, &err));
	vector_pattern(secret_bytes(old), CRYPT_KEY_SIZE, 11);
	assert_true(bridge_wrap(schedule, vector_op_id, vector_kcv, old, wrapped, tag, &err));
	assert_memory_equal(wrapped, vector_bridge, sizeof(wrapped));
	assert_memory_equal(tag, vector_bridge + sizeof(wrapped), sizeof(tag));
	assert_true(bridge_unwrap(schedule, vector_op_id, vector_kcv, wrapped, tag, &opened, &err));
	assert_non_null(opened);
	assert_memory_equal(secret_view(opened), secret_view(old), CRYPT_KEY_SIZE);
	/* Bound to the operation and to the key that it leads to. */
	for (unsigned i = 0; i < 4; i++) {
		cleanup_secret struct secret *none = NULL;
		uint8_t op_id[CRYPT_UUID_SIZE], kcv[CRYPT_MAC_SIZE], changed[CRYPT_KEY_SIZE], changed_tag[CRYPT_TAG_SIZE];

		memcpy(op_id, vector_op_id, sizeof(op_id));
		memcpy(kcv, vector_kcv, sizeof(kcv));
		memcpy(changed, wrapped, sizeof(changed));
		memcpy(changed_tag, tag, sizeof(changed_tag));
		*(uint8_t *[]){ op_id, kcv, changed, changed_tag }[i] ^= 1;
		assert_true(bridge_unwrap(schedule, op_id, kcv, changed, changed_tag, &none, &err));
		assert_null(none);
	}
}

static void seals_as_the_vectors(enum crypt_cipher cipher, const uint8_t *u, uint32_t index, const char *sha256,
				 const char *tag)
{
	cleanup_unit_cipher struct unit_cipher *unit = cipher_new(cipher, "unit", u);
	uint8_t plain[CRYPT_BLOCK], block[CRYPT_BLOCK], stream[CRYPT_BLOCK], have[CRYPT_TAG_SIZE], hash[32];
	struct error err = { 0 };
	bool authentic = false;

	vector_pattern(plain, sizeof(plain), index & 0xff);
	assert_true(unit_cipher_seal(unit, index, plain, sizeof(plain), block, have, &err));
	assert_memory_equal(have, tag, CRYPT_TAG_SIZE);
	assert_true(crypto_sha256(block, sizeof(block), hash, &err));
	assert_memory_equal(hash, sha256, sizeof(hash));

	assert_true(unit_cipher_key_stream(unit, index, sizeof(stream), stream, &err));
	for (size_t i = 0; i < sizeof(stream); i++)
		assert_int_equal(stream[i], plain[i] ^ block[i]);

	assert_true(unit_cipher_open(unit, index, block, sizeof(block), block, have, &authentic, &err));
	assert_true(authentic);
	assert_memory_equal(block, plain, sizeof(plain));
	/* in place, and again after opening */
	assert_true(unit_cipher_seal(unit, index, block, sizeof(block), block, have, &err));
	assert_memory_equal(have, tag, CRYPT_TAG_SIZE);
	assert_true(crypto_sha256(block, sizeof(block), hash, &err));
	assert_memory_equal(hash, sha256, sizeof(hash));
}

static void units(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(vector_aes_block); i++)
		seals_as_the_vectors(CIPHER_AES_256_GCM, vector_aes_u, vector_aes_block[i].index,
				     vector_aes_block[i].sha256, vector_aes_block[i].tag);
	for (size_t i = 0; i < ARRAY_SIZE(vector_chacha_block); i++)
		seals_as_the_vectors(CIPHER_CHACHA20_POLY1305, vector_chacha_u, vector_chacha_block[i].index,
				     vector_chacha_block[i].sha256, vector_chacha_block[i].tag);
}

static void u_is_what_the_format_says(void **state)
{
	struct disk_crypt_u u = {
		.cipher = CIPHER_AES_256_GCM,
		.unit_id = to_le64(0x1234567000),
		.blocks = to_le32(500),
		.extent_len = to_le64(128 << 20),
		.offset_in_extent = to_le64(2048000),
	};
	struct disk_crypt_i i = {
		.cipher = CIPHER_CHACHA20_POLY1305,
		.kind = INLINE_SYMLINK,
		.root = to_le64(257),
		.inode = to_le64(0x123456),
		.length = to_le32(37),
	};

	(void)state;
	vector_pattern(u.nonce, sizeof(u.nonce), 1);
	assert_memory_equal(&u, vector_aes_u, sizeof(u));
	vector_pattern(i.nonce, sizeof(i.nonce), 102);
	assert_memory_equal(&i, vector_chacha_i, sizeof(i));
}

static void inline_units(void **state)
{
	static const struct { enum crypt_cipher cipher; const uint8_t *i, *sealed; } row[] = {
		{ CIPHER_AES_256_GCM, vector_aes_i, vector_aes_inline },
		{ CIPHER_CHACHA20_POLY1305, vector_chacha_i, vector_chacha_inline },
	};
	uint8_t plain[37], out[37], tag[CRYPT_TAG_SIZE];
	struct error err = { 0 };
	bool authentic = false;

	(void)state;
	vector_pattern(plain, sizeof(plain), 9);
	for (size_t n = 0; n < ARRAY_SIZE(row); n++) {
		cleanup_unit_cipher struct unit_cipher *unit = cipher_new(row[n].cipher, "inline", row[n].i);

		assert_true(unit_cipher_seal(unit, 0, plain, sizeof(plain), out, tag, &err));
		assert_memory_equal(out, row[n].sealed, sizeof(out));
		assert_memory_equal(tag, row[n].sealed + sizeof(out), sizeof(tag));
		assert_true(unit_cipher_open(unit, 0, row[n].sealed, sizeof(out), out, tag, &authentic, &err));
		assert_true(authentic);
		assert_memory_equal(out, plain, sizeof(plain));
	}
}

/* Not authentic, nothing let out, no error, and the cipher still works afterwards. */
static void refuse(struct unit_cipher *unit, uint32_t index, const uint8_t *block, const uint8_t *tag)
{
	static const uint8_t zeros[CRYPT_BLOCK];
	uint8_t out[CRYPT_BLOCK];
	struct error err = { 0 };
	bool authentic = true;

	memset(out, 0xaa, sizeof(out));
	assert_true(unit_cipher_open(unit, index, block, CRYPT_BLOCK, out, tag, &authentic, &err));
	assert_false(authentic);
	assert_memory_equal(out, zeros, sizeof(out));
}

static void opens_nothing_but_the_truth(void **state)
{
	static const enum crypt_cipher ciphers[] = { CIPHER_AES_256_GCM, CIPHER_CHACHA20_POLY1305 };

	(void)state;
	for (size_t c = 0; c < ARRAY_SIZE(ciphers); c++) {
		cleanup_unit_cipher struct unit_cipher *unit = cipher_new(ciphers[c], "unit", vector_aes_u);
		uint8_t plain[CRYPT_BLOCK], block[CRYPT_BLOCK], out[CRYPT_BLOCK], tag[CRYPT_TAG_SIZE];
		uint8_t other_u[48];
		struct error err = { 0 };
		bool authentic = false;

		vector_pattern(plain, sizeof(plain), 5);
		assert_true(unit_cipher_seal(unit, 3, plain, sizeof(plain), block, tag, &err));
		for (size_t bit = 0; bit < 8 * sizeof(tag); bit++) {
			tag[bit / 8] ^= 1 << bit % 8;
			refuse(unit, 3, block, tag);
			tag[bit / 8] ^= 1 << bit % 8;
		}
		for (size_t at = 0; at < sizeof(block); at += 511) {
			block[at] ^= 0x10;
			refuse(unit, 3, block, tag);
			block[at] ^= 0x10;
		}
		/* another place in the unit */
		refuse(unit, 2, block, tag);
		refuse(unit, 4, block, tag);
		refuse(unit, 0x03000000, block, tag);
		/* a tag cut short is no tag */
		for (size_t len = 0; len < sizeof(tag); len++) {
			uint8_t cut[CRYPT_TAG_SIZE] = { 0 };

			memcpy(cut, tag, len);
			refuse(unit, 3, block, cut);
		}
		/* every field of U */
		for (size_t at = 0; at < sizeof(other_u); at++) {
			cleanup_unit_cipher struct unit_cipher *other = NULL;

			memcpy(other_u, vector_aes_u, sizeof(other_u));
			other_u[at] ^= 1;
			other = cipher_new(ciphers[c], "unit", other_u);
			refuse(other, 3, block, tag);
		}
		cleanup_unit_cipher struct unit_cipher *as_inline = cipher_new(ciphers[c], "inline", vector_aes_u);
		cleanup_unit_cipher struct unit_cipher *other_cipher = cipher_new(ciphers[1 - c], "unit", vector_aes_u);

		refuse(as_inline, 3, block, tag);
		refuse(other_cipher, 3, block, tag);

		assert_true(unit_cipher_open(unit, 3, block, sizeof(block), out, tag, &authentic, &err));
		assert_true(authentic);
		assert_memory_equal(out, plain, sizeof(plain));
	}
}

static void nonces_never_repeat(void **state)
{
	static const uint8_t id[8] = { 1 };
	static const uint8_t zeros[CRYPT_NONCE_SIZE];
	uint8_t nonce[200][CRYPT_NONCE_SIZE];
	cleanup_mac struct mac *mac = NULL;
	struct error err = { 0 };

	(void)state;
	assert_true(mac_new(schedule, "nonce", "", 0, &mac, &err));
	for (size_t i = 0; i < ARRAY_SIZE(nonce); i++) {
		assert_true(crypto_nonce(mac, id, sizeof(id), "checksums", 9, nonce[i], &err));
		assert_memory_not_equal(nonce[i], zeros, sizeof(zeros));
		for (size_t j = 0; j < i; j++)
			assert_memory_not_equal(nonce[i], nonce[j], CRYPT_NONCE_SIZE);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(hashes),
		cmocka_unit_test(draws_the_key_check_value),
		cmocka_unit_test(another_key_or_domain_is_another_schedule),
		cmocka_unit_test(refuses_a_volume_key_of_another_length),
		cmocka_unit_test(macs),
		cmocka_unit_test(bridges),
		cmocka_unit_test(units),
		cmocka_unit_test(u_is_what_the_format_says),
		cmocka_unit_test(inline_units),
		cmocka_unit_test(opens_nothing_but_the_truth),
		cmocka_unit_test(nonces_never_repeat),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}

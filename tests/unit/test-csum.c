/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Checksums against vectors of other implementations (RFC 3720, sha256sum, b2sum -l 256, xxhsum, python's hashlib). */
#include "common/volume/csum.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

static const char digits[] = "123456789";

static void equals_vectors(void **state)
{
	static const struct { enum csum_type type; const char *text, *hex; } vector[] = {
		{ CSUM_CRC32C, "", "00000000" },
		{ CSUM_CRC32C, digits, "839206e3" },
		{ CSUM_XXHASH64, "", "99e9d85137db46ef" },
		{ CSUM_XXHASH64, "abc", "990977adf52cbc44" },
		{ CSUM_SHA256, "abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad" },
		{ CSUM_BLAKE2B, "", "0e5751c026e543b2e8ab2eb06099daa1d1e5df47778f7787faab45cdf12fe3a8" },
		{ CSUM_BLAKE2B, "abc", "bddd813c634239723171ef3fee98579b94964e3bb1cb3e427262c8c068d52319" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(vector) / sizeof(vector[0]); i++) {
		uint8_t sum[CSUM_SIZE + 1];
		char hex[2 * CSUM_SIZE + 1];
		const unsigned size = csum_type_size(vector[i].type);

		memset(sum, 0x5a, sizeof(sum));
		csum_compute(vector[i].type, vector[i].text, strlen(vector[i].text), sum);
		for (unsigned at = 0; at < size; at++)
			snprintf(hex + 2 * at, 3, "%02x", sum[at]);
		assert_string_equal(hex, vector[i].hex);
		for (unsigned at = size; at < sizeof(sum); at++)
			assert_int_equal(sum[at], 0x5a);
	}
}

static void crc32c_of_iscsi(void **state)
{
	uint8_t bytes[32], sum[CSUM_SIZE];

	(void)state;
	memset(bytes, 0, sizeof(bytes));
	csum_compute(CSUM_CRC32C, bytes, sizeof(bytes), sum);
	assert_memory_equal(sum, "\xaa\x36\x91\x8a", 4);
	memset(bytes, 0xff, sizeof(bytes));
	csum_compute(CSUM_CRC32C, bytes, sizeof(bytes), sum);
	assert_memory_equal(sum, "\x43\xab\xa8\x62", 4);
}

static void block_with_one_wrong_bit_does_not_match(void **state)
{
	uint8_t block[256];

	(void)state;
	for (enum csum_type type = CSUM_CRC32C; type <= CSUM_BLAKE2B; type++) {
		for (size_t i = 0; i < sizeof(block); i++)
			block[i] = (uint8_t)(i * 7);
		assert_false(csum_block_matches(type, block, sizeof(block)));
		csum_block_update(type, block, sizeof(block));
		assert_true(csum_block_matches(type, block, sizeof(block)));
		for (unsigned at = csum_type_size(type); at < CSUM_SIZE; at++)
			assert_int_equal(block[at], 0);
		for (size_t bit = 0; bit < 8 * sizeof(block); bit++) {
			const bool unused = bit / 8 >= csum_type_size(type) && bit / 8 < CSUM_SIZE;

			block[bit / 8] ^= (uint8_t)(1u << bit % 8);
			assert_int_equal(csum_block_matches(type, block, sizeof(block)), unused);
			block[bit / 8] ^= (uint8_t)(1u << bit % 8);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(equals_vectors),
		cmocka_unit_test(crc32c_of_iscsi),
		cmocka_unit_test(block_with_one_wrong_bit_does_not_match),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

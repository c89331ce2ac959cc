/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Keys of the format of 2016: taken from what is given, hashed, and judged. */
#include "tests/unit/test.h"

#include "common/legacy/legacy-inode.h"
#include "common/legacy/legacy-key.h"
#include "common/util/hex.h"
#include "tests/unit/secret-of.h"

static int set_up(void **state)
{
	struct error err = { 0 };

	(void)state;
	return secret_init(&err) ? 0 : -1;
}

/* A key file has its newline, if it is to have one; to a passphrase it is added. */
static void derives_from_exact_bytes(void **state)
{
	cleanup_key_source struct key_source source = { .secret = secret_of("secret\n", 7), .is_key_file = true };
	cleanup_secret struct secret *key = NULL;
	struct error err = { 0 };
	uint8_t want[LEGACY_KEY_SIZE];

	(void)state;
	assert_true(legacy_key_take(&source, true, &key, &err));
	assert_true(hex_read("49870cfd7958b677ae16902476572dd9", want, sizeof(want)));
	assert_int_equal(secret_len(key), sizeof(want));
	assert_memory_equal(secret_view(key), want, sizeof(want));
}

static void takes_only_16_bytes(void **state)
{
	static const uint8_t bytes[64] = { 1 };

	(void)state;
	for (size_t len = 1; len <= sizeof(bytes); len++) {
		cleanup_key_source struct key_source source = { .volume_key = secret_of(bytes, len) };
		cleanup_secret struct secret *key = NULL;
		struct error err = { 0 };

		assert_int_equal(legacy_key_take(&source, false, &key, &err), len == LEGACY_KEY_SIZE);
		assert_int_equal(err.kind, len == LEGACY_KEY_SIZE ? ERROR_NONE : ERROR_KEY);
	}
}

static void refuses_a_passphrase_alone(void **state)
{
	cleanup_key_source struct key_source source = { .secret = secret_of("secret", 6) };
	cleanup_secret struct secret *key = NULL;
	struct error err = { 0 };

	(void)state;
	assert_false(legacy_key_take(&source, false, &key, &err));
	assert_int_equal(err.kind, ERROR_USAGE);
}

/* As computed bit by bit: crc = crc >> 1 ^ (crc & 1 ? 0x82f63b78 : 0) for each bit, from 0. */
static void hashes(void **state)
{
	uint8_t bytes[LEGACY_KEY_SIZE];
	uint32_t crc = 0;

	(void)state;
	for (size_t i = 0; i < sizeof(bytes); i++) {
		bytes[i] = (uint8_t)(i * 17 + 1);
		crc ^= bytes[i];
		for (int bit = 0; bit < 8; bit++)
			crc = crc >> 1 ^ (crc & 1 ? 0x82f63b78 : 0);
	}

	cleanup_secret struct secret *key = secret_of(bytes, sizeof(bytes));

	assert_int_equal(legacy_key_hash(key), crc);
}

static void judges(void **state)
{
	static const struct { struct legacy_judgement judgement; enum legacy_verdict verdict; } rows[] = {
		{ { .has_hash = false }, LEGACY_KEY_UNKNOWN },
		{ { .has_hash = true, .hash_is_right = true }, LEGACY_KEY_RIGHT },
		{ { .has_hash = true }, LEGACY_KEY_WRONG },
		{ { .n_for = 1 }, LEGACY_KEY_RIGHT },
		{ { .has_hash = true, .n_for = 1 }, LEGACY_KEY_RIGHT },
		{ { .has_hash = true, .n_for = 1, .n_against = 9 }, LEGACY_KEY_RIGHT },
		{ { .has_hash = true, .hash_is_right = true, .n_against = 1 }, LEGACY_KEY_WRONG },
		{ { .n_against = 1 }, LEGACY_KEY_WRONG },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		assert_int_equal(legacy_verdict(&rows[i].judgement), rows[i].verdict);
}

static void looks_at_padding(void **state)
{
	const struct file_extent e = { .disk_num_bytes = 3 * LEGACY_PAGE };
	const uint64_t last = 2 * LEGACY_PAGE;
	uint8_t page[LEGACY_PAGE] = { 0 };

	(void)state;
	assert_int_equal(legacy_padding_of(&e, last, page, 100), LEGACY_PADDING_RIGHT);
	assert_int_equal(legacy_padding_of(&e, last, page, LEGACY_PAGE - 16), LEGACY_PADDING_RIGHT);
	assert_int_equal(legacy_padding_of(&e, last, page, LEGACY_PAGE - 15), LEGACY_PADDING_SHORT);
	assert_int_equal(legacy_padding_of(&e, last, page, 0), LEGACY_PADDING_NONE);
	/* Not the last page of the extent: nobody padded it. */
	page[LEGACY_PAGE - 1] = 1;
	assert_int_equal(legacy_padding_of(&e, LEGACY_PAGE, page, 100), LEGACY_PADDING_NONE);
	assert_int_equal(legacy_padding_of(&e, last, page, 100), LEGACY_PADDING_WRONG);
	/* A file that was made shorter has old bytes before the zeros. */
	page[LEGACY_PAGE - 1] = 0;
	page[LEGACY_PAGE - 17] = 1;
	assert_int_equal(legacy_padding_of(&e, last, page, 100), LEGACY_PADDING_RIGHT);
	page[LEGACY_PAGE - 16] = 1;
	assert_int_equal(legacy_padding_of(&e, last, page, 100), LEGACY_PADDING_WRONG);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(derives_from_exact_bytes),
		cmocka_unit_test(takes_only_16_bytes),
		cmocka_unit_test(refuses_a_passphrase_alone),
		cmocka_unit_test(hashes),
		cmocka_unit_test(judges),
		cmocka_unit_test(looks_at_padding),
	};

	return cmocka_run_group_tests(tests, set_up, NULL);
}

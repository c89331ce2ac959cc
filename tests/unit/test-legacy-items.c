/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Root items and xattrs of the format of 2016, and of those before and after it. */
#include "tests/unit/test.h"

#include <stdio.h>

#include "format/legacy.h"

static struct legacy_property property;
static uint8_t iv[LEGACY_IV_SIZE];

static bool parse_property(struct cursor *value, struct error *err) { return legacy_property_read(value, &property, err) && value->left == 0; }
static bool parse_iv(struct cursor *value, struct error *err) { return legacy_iv_read(value, iv, err) && value->left == 0; }

static bool read_text(const char *text, struct error *err)
{
	return test_parse_copy(parse_property, (const uint8_t *)text, strlen(text), err);
}

static void reads_a_property(void **state)
{
	struct error err = { 0 };

	(void)state;
	assert_true(read_text("ctr(aes)@btrfs:61e0d004", &err));
	assert_false(property.is_2017);
	assert_string_equal(property.algorithm, "ctr(aes)");
	assert_string_equal(property.tag, "btrfs:61e0d004");
	assert_true(read_text("0123456789abcdef@0123456789ABCDEF", &err));
	assert_string_equal(property.algorithm, "0123456789abcdef");
	assert_string_equal(property.tag, "0123456789ABCDEF");
}

static void refuses_a_property(void **state)
{
	static const struct { const char *value, *text; } wrong[] = {
		{ "", "no name of 1 to 16 printable bytes begins its 0 bytes" },
		{ "@btrfs:1", "no name of 1 to 16 printable bytes begins its 8 bytes" },
		{ "0123456789abcdefg@btrfs:1", "no name of 1 to 16 printable bytes begins its 25 bytes" },
		{ "aes", "no @ follows the name of 3 bytes" },
		{ "a es@btrfs:1", "no @ follows the name of 1 bytes" },
		{ "aes@", "no key tag of 1 to 16 printable bytes follows the @" },
		{ "aes@0123456789abcdefg", "no key tag of 1 to 16 printable bytes follows the @" },
		{ "aes@btrfs:1@", "1 bytes follow the key tag" },
		{ "aes@btrfs:1\n", "1 bytes follow the key tag" },
		{ "aes@btrfs:\x80", "1 bytes follow the key tag" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(wrong); i++) {
		struct error err = { 0 };
		char text[200];

		if (read_text(wrong[i].value, &err))
			fail_msg("%s is accepted", wrong[i].value);
		snprintf(text, sizeof(text), "xattr btrfs.encrypt at 0x4000: %s", wrong[i].text);
		assert_string_equal(err.text, text);
		assert_int_equal(err.kind, ERROR_CORRUPT);
	}
}

static void tells_the_context_of_2017(void **state)
{
	uint8_t context[28] = { 1, 1, 4 };
	struct error err = { 0 };

	(void)state;
	assert_true(test_parse_copy(parse_property, context, sizeof(context), &err));
	assert_true(property.is_2017);
	assert_string_equal(property.algorithm, "");
	test_refuses_truncations(parse_property, context, sizeof(context), ANY_LENGTH_FAILS);
	context[0] = 2;
	assert_false(test_parse_copy(parse_property, context, sizeof(context), &err));
}

static void reads_an_iv(void **state)
{
	static const uint8_t sample[17] = { [0] = 0x12, [15] = 0x34, [16] = 1 };
	struct error err = { 0 };

	(void)state;
	assert_true(test_parse_copy(parse_iv, sample, 16, &err));
	assert_memory_equal(iv, sample, 16);
	test_refuses_truncations(parse_iv, sample, 16, ANY_LENGTH_FAILS);
	assert_true(test_parse_copy(parse_iv, sample, 17, &err));
	assert_memory_equal(iv, sample, 16);
	assert_false(test_parse_copy(parse_iv, sample, 15, &err));
	assert_string_equal(err.text, "xattr btrfs.cryptoiv at 0x4000: 15 bytes, not at least 16");
}

static void reads_root_items(void **state)
{
	struct root root = { .flags = ROOT_ENCRYPT_2016, .key_len = 16, .key_hash = 0x12345678, .reserved = "cts(cbc(aes))" };
	struct legacy_root legacy;

	(void)state;
	legacy_root_of(&root, &legacy);
	assert_false(legacy.is_early);
	assert_string_equal(legacy.algorithm, "cts(cbc(aes))");
	assert_string_equal(legacy.tag, "");
	assert_int_equal(legacy.key_len, 16);
	assert_int_equal(legacy.key_hash, 0x12345678);

	/* 16 bytes without a NUL, one of which does not print, and the tag of early 2016. */
	memcpy(root.reserved, "ctr(aes)\n1234567btrfs:61e0d004\0", 32);
	legacy_root_of(&root, &legacy);
	assert_true(legacy.is_early);
	assert_string_equal(legacy.algorithm, "ctr(aes)?1234567");
	assert_string_equal(legacy.tag, "btrfs:61e0d004");
	assert_int_equal(legacy.key_hash, 0);

	root.is_short = true;
	legacy_root_of(&root, &legacy);
	assert_false(legacy.is_early);
	assert_string_equal(legacy.algorithm, "");
}

static void knows_modes(void **state)
{
	(void)state;
	assert_int_equal(legacy_mode_of("ctr(aes)"), LEGACY_CTR);
	assert_int_equal(legacy_mode_of("cbc(aes)"), LEGACY_CBC);
	assert_int_equal(legacy_mode_of("cts(cbc(aes))"), LEGACY_CBC_CTS);
	assert_int_equal(legacy_mode_of("aes"), LEGACY_MODE_UNKNOWN);
	assert_int_equal(legacy_mode_of("ctr(aes)x"), LEGACY_MODE_UNKNOWN);
	assert_int_equal(legacy_mode_of(""), LEGACY_MODE_UNKNOWN);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads_a_property),
		cmocka_unit_test(refuses_a_property),
		cmocka_unit_test(tells_the_context_of_2017),
		cmocka_unit_test(reads_an_iv),
		cmocka_unit_test(reads_root_items),
		cmocka_unit_test(knows_modes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

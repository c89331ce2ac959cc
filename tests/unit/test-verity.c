/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Descriptors of files with fs-verity. */
#include "tests/unit/test.h"

#include "format/verity.h"

static const uint8_t size_sample[] = { LE64(300), LE64(0), LE64(7), 0 };
static const uint8_t descriptor_sample[260] = {
	1, 1, 12, 4, LE32(4), LE64(100000),
	[16] = 0xd1,			/* root_hash */
	[80] = 's', 'a', 'l', 't',
	[256] = 0xee, 0xee, 0xee, 0xee,	/* signature */
};

static struct verity_size size;
static struct verity_descriptor descriptor;

static bool parse_size(struct cursor *item, struct error *err) { return verity_size_read(item, &size, err); }
static bool parse_descriptor(struct cursor *item, struct error *err) { return verity_descriptor_read(item, &descriptor, err); }

static void reads_a_size(void **state)
{
	struct error err = { 0 };

	(void)state;
	assert_true(test_parse_copy(parse_size, size_sample, sizeof(size_sample), &err));
	assert_int_equal(size.size, 300);
	assert_int_equal(size.encryption, 0);
	assert_int_equal(size.reserved[8], 7);
	test_refuses_truncations(parse_size, size_sample, sizeof(size_sample), ANY_LENGTH_FAILS);
}

static void reads_a_descriptor(void **state)
{
	static const struct wrong wrong[] = {
		{ 0, 2, "verity descriptor at 0x4000: version is 2, not 1" },
		{ 3, 33, "verity descriptor at 0x4000: salt_size is 33, at most 32" },
	};
	struct cursor item = { descriptor_sample, sizeof(descriptor_sample), TEST_OFFSET };
	struct error err = { 0 };

	(void)state;
	assert_true(verity_descriptor_read(&item, &descriptor, &err));
	assert_int_equal(item.left, 4);
	assert_int_equal(item.at[0], 0xee);
	assert_int_equal(descriptor.hash_algorithm, 1);
	assert_int_equal(descriptor.log_block_size, 12);
	assert_int_equal(descriptor.sig_size, 4);
	assert_int_equal(descriptor.data_size, 100000);
	assert_int_equal(descriptor.root_hash[0], 0xd1);
	assert_memory_equal(descriptor.salt, "salt", 4);
	test_refuses_truncations(parse_descriptor, descriptor_sample, 256, ANY_LENGTH_FAILS);
	test_refuses_wrong_bytes(parse_descriptor, descriptor_sample, sizeof(descriptor_sample), wrong, ARRAY_SIZE(wrong));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads_a_size),
		cmocka_unit_test(reads_a_descriptor),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Contexts of the fscrypt proposal: those that its author has shown. */
#include "tests/unit/test.h"

#include "format/fscrypt.h"

#define IDENTIFIER 0x69, 0xb2, 0xf6, 0xed, 0xee, 0xe7, 0x20, 0xcc, 0xe0, 0x57, 0x79, 0x37, 0xeb, 0x8a, 0x67, 0x51

static const uint8_t inode_sample[] = {
	2, 1, 4, 2, 0, 0, 0, 0, IDENTIFIER,
	0x77, 0xd5, 0xa7, 0xf8, 0x2d, 0x59, 0xcb, 0x4c, 0x7c, 0x8c, 0x5a, 0x33, 0xfd, 0xe3, 0xc6, 0x03,
};
static const uint8_t extent_sample[] = {
	1, 1, IDENTIFIER,
	0xd0, 0xdd, 0x42, 0xea, 0x7b, 0xa4, 0x3e, 0xe8, 0xc5, 0x5a, 0x2f, 0x79, 0xcb, 0xc8, 0x90, 0xbd,
};

static struct disk_fscrypt_inode_context inode;
static struct disk_fscrypt_extent_context extent;

static bool parse_inode(struct cursor *item, struct error *err) { return fscrypt_inode_context_read(item, &inode, err); }
static bool parse_extent(struct cursor *item, struct error *err) { return fscrypt_extent_context_read(item, &extent, err); }

static void reads_an_inode_context(void **state)
{
	static const struct wrong wrong[] = { { 0, 1, "fscrypt inode context at 0x4000: version is 1, not 2" } };
	struct error err = { 0 };

	(void)state;
	assert_true(test_parse_copy(parse_inode, inode_sample, sizeof(inode_sample), &err));
	assert_int_equal(inode.contents_mode, 1);
	assert_int_equal(inode.filenames_mode, 4);
	assert_int_equal(inode.flags, 2);
	assert_int_equal(inode.master_key_identifier[0], 0x69);
	assert_int_equal(inode.nonce[15], 0x03);
	test_refuses_truncations(parse_inode, inode_sample, sizeof(inode_sample), ANY_LENGTH_FAILS);
	test_refuses_wrong_bytes(parse_inode, inode_sample, sizeof(inode_sample), wrong, ARRAY_SIZE(wrong));
}

static void reads_an_extent_context(void **state)
{
	static const struct wrong wrong[] = { { 0, 2, "fscrypt extent context at 0x4000: version is 2, not 1" } };
	struct error err = { 0 };

	(void)state;
	assert_true(test_parse_copy(parse_extent, extent_sample, sizeof(extent_sample), &err));
	assert_int_equal(extent.mode, 1);
	assert_int_equal(extent.master_key_identifier[15], 0x51);
	assert_int_equal(extent.nonce[0], 0xd0);
	test_refuses_truncations(parse_extent, extent_sample, sizeof(extent_sample), ANY_LENGTH_FAILS);
	test_refuses_wrong_bytes(parse_extent, extent_sample, sizeof(extent_sample), wrong, ARRAY_SIZE(wrong));
}

static void names_modes(void **state)
{
	(void)state;
	assert_string_equal(fscrypt_mode_name(1), "AES-256-XTS");
	assert_string_equal(fscrypt_mode_name(10), "AES-256-HCTR2");
	assert_null(fscrypt_mode_name(0));
	assert_null(fscrypt_mode_name(2));
	assert_null(fscrypt_mode_name(11));
	assert_null(fscrypt_mode_name(255));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads_an_inode_context),
		cmocka_unit_test(reads_an_extent_context),
		cmocka_unit_test(names_modes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

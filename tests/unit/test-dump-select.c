/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Names of trees and keys on the command line. */
#include "tests/unit/test.h"

#include "cmd/dump/select.h"

static void takes_names_of_trees(void **state)
{
	static const struct { const char *word; uint64_t id; } rows[] = {
		{ "root", 1 }, { "EXTENT", 2 }, { "chunk_tree", 3 }, { "device", 4 }, { "dev", 4 }, { "BTRFS_FS_TREE_OBJECTID", 5 }, { "Checksum", 7 },
		{ "csum", 7 }, { "quota", 8 }, { "UUID_TREE", 9 }, { "free_space", 10 }, { "FREE-SPACE-TREE", 10 }, { "block-group", 11 },
		{ "raid_stripe", 12 }, { "tree-log", -6ull }, { "TREE_LOG_OBJECTID", -6ull }, { "log", -6ull }, { "TREE_LOG_FIXUP", -7ull },
		{ "TREE_RELOC", -8ull }, { "data-reloc", -9ull }, { "BTRFS_DATA_RELOC_TREE_OBJECTID", -9ull }, { "256", 256 },
		{ "0x101", 257 }, { "18446744073709551607", -9ull },
	};
	struct error err = { 0 };
	uint64_t id;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		if (!select_tree(rows[i].word, &id, &err))
			fail_msg("%s", err.text);
		assert_true(id == rows[i].id);
	}
}

static void refuses_other_words(void **state)
{
	static const char *const words[] = { "", "0", "tree", "fsx", "5x", "-5", " 5", "0x", "18446744073709551616", "fs tree", "btrfs_" };
	struct error err = { 0 };
	uint64_t id;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(words); i++) {
		if (select_tree(words[i], &id, &err))
			fail_msg("\"%s\" is accepted", words[i]);
		assert_int_equal(err.kind, ERROR_USAGE);
	}
	assert_string_equal(err.text, "--tree: \"btrfs_\" is neither the name of a tree nor a number from 1 to 18446744073709551615");
	assert_false(select_block("1q", &id, &err));
	assert_true(select_block("1k", &id, &err));
	assert_true(id == 1024);
	assert_true(select_block("0", &id, &err));
}

static void is(const struct key *key, uint64_t objectid, uint8_t type, uint64_t offset)
{
	assert_true(key->objectid == objectid);
	assert_int_equal(key->type, type);
	assert_true(key->offset == offset);
}

static void takes_keys(void **state)
{
	struct key first, last;
	int type = -1;
	struct error err = { 0 };

	(void)state;
	assert_true(select_key("--key", "257", &first, &last, &type, &err));
	is(&first, 257, 0, 0);
	is(&last, 257, UINT8_MAX, UINT64_MAX);
	assert_true(select_key("--key", "257,extent_data", &first, &last, &type, &err));
	is(&first, 257, KEY_EXTENT_DATA, 0);
	is(&last, 257, KEY_EXTENT_DATA, UINT64_MAX);
	assert_true(select_key("--key", "(FREE_SPACE UNTYPED 4096)", &first, &last, &type, &err));
	is(&first, FREE_SPACE_ID, 0, 4096);
	is(&last, FREE_SPACE_ID, 0, 4096);
	assert_true(select_key("--key", "ROOT_TREE_DIR 84 -1", &first, &last, &type, &err));
	is(&first, 6, KEY_DIR_ITEM, UINT64_MAX);
	assert_true(select_key("--key", "DEV_STATS PERSISTENT_ITEM 1", &first, &last, &type, &err));
	is(&first, 0, KEY_PERSISTENT_ITEM, 1);
	assert_true(select_key("--key", "FIRST_CHUNK_TREE", &first, &last, &type, &err));
	is(&first, 256, 0, 0);
	assert_true(select_key("--key", "0xfffffffffffffff7,ROOT_ITEM", &first, &last, &type, &err));
	is(&first, DATA_RELOC_TREE_ID, KEY_ROOT_ITEM, 0);
	assert_true(select_key("--key", "-200,PERSISTENT_ITEM,-2", &first, &last, &type, &err));
	is(&first, CRYPT_ID, KEY_PERSISTENT_ITEM, -2ull);
	is(&last, CRYPT_ID, KEY_PERSISTENT_ITEM, -2ull);
	assert_true(select_key("--key", "-9", &first, &last, &type, &err));
	is(&first, DATA_RELOC_TREE_ID, 0, 0);
	/* The name of an object is not taken for that of a type. */
	assert_true(select_key("--key", "EXTENT_CSUM", &first, &last, &type, &err));
	is(&first, EXTENT_CSUM_ID, 0, 0);
	assert_int_equal(type, -1);
}

static void takes_a_type_of_any_object(void **state)
{
	struct key first, last;
	struct error err = { 0 };
	int type = -1;

	(void)state;
	assert_true(select_key("--key", "persistent-item", &first, &last, &type, &err));
	assert_int_equal(type, KEY_PERSISTENT_ITEM);
	is(&first, 0, 0, 0);
	is(&last, UINT64_MAX, UINT8_MAX, UINT64_MAX);
}

static void refuses_other_keys(void **state)
{
	static const char *const words[] = { "", ",", "x", "256,257", "256,NOTHING", "1,2,3,4", "1,2,x", "1,2,-x", "-", "EXTENT_DATA", "EXTENT_DATA,1", "()" };
	int type = -1;
	struct key first, last;
	struct error err = { 0 };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(words); i++)
		if (select_key("--min-key", words[i], &first, &last, NULL, &err))
			fail_msg("\"%s\" is accepted", words[i]);
	assert_string_equal(err.text, "--min-key: \"()\" is not a key: OBJECTID[,TYPE[,OFFSET]]");
	assert_false(select_key("--key", "257,INODE_ITEMS", &first, &last, &type, &err));
	assert_string_equal(err.text, "--key: \"INODE_ITEMS\" is neither the name of an item type nor a number from 0 to 255");
	assert_string_equal(err.hint, "did you mean INODE_ITEM?");
	err = (struct error){ 0 };
	assert_false(select_key("--key", "257,INODE_ITEM,x", &first, &last, &type, &err));
	assert_string_equal(err.text, "--key: \"x\" is not a number");
	assert_string_equal(err.hint, "");
	assert_false(select_key("--key", "EXTENT_DATE", &first, &last, &type, &err));
	assert_string_equal(err.text, "--key: \"EXTENT_DATE\" is neither a number, nor the name of an object or item type");
	assert_string_equal(err.hint, "did you mean EXTENT_DATA?");
	assert_false(select_key("--min-key", "vault", &first, &last, NULL, &err));
	assert_string_equal(err.text, "--min-key: \"vault\" is neither a number nor the name of an object");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(takes_names_of_trees),
		cmocka_unit_test(refuses_other_words),
		cmocka_unit_test(takes_keys),
		cmocka_unit_test(takes_a_type_of_any_object),
		cmocka_unit_test(refuses_other_keys),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Keys: their order, and the words that btrfs-progs prints for them. */
#include "tests/unit/test.h"

#include "format/key.h"

static void compares_in_the_order_of_the_trees(void **state)
{
	static const struct key rising[] = {
		{ 0, 0, 0 },
		{ 0, 0, UINT64_MAX },
		{ 0, 1, 0 },
		{ 0, 255, 5 },
		{ 1, 0, 0 },
		{ CRYPT_ID, KEY_PERSISTENT_ITEM, 1 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rising); i++)
		for (size_t j = 0; j < ARRAY_SIZE(rising); j++) {
			const int order = key_compare(&rising[i], &rising[j]);

			assert_int_equal((order > 0) - (order < 0), (i > j) - (i < j));
		}
}

static void survives_the_disk(void **state)
{
	static const uint8_t bytes[] = { LE64(0x0102030405060708), 9, LE64(0xfffefdfcfbfaf9f8) };
	struct disk_key disk;

	(void)state;
	memcpy(&disk, bytes, sizeof(disk));

	const struct key key = key_from_disk(&disk);

	assert_int_equal(key.objectid, 0x0102030405060708);
	assert_int_equal(key.type, 9);
	assert_int_equal(key.offset, 0xfffefdfcfbfaf9f8);
	disk = key_to_disk(&key);
	assert_memory_equal(&disk, bytes, sizeof(bytes));
}

static void prints_as_dump_tree(void **state)
{
	static const struct {
		struct key key;
		const char *text;
	} rows[] = {
		{ { 256, KEY_EXTENT_DATA, 0 }, "(256 EXTENT_DATA 0)" },
		{ { 0, 0, 0 }, "(0 UNKNOWN.0 0)" },
		{ { FREE_SPACE_ID, 0, 13631488 }, "(FREE_SPACE UNTYPED 13631488)" },
		{ { 257, 41, 0 }, "(257 FSCRYPT_INODE_CTX 0)" },
		{ { 257, 99, 0 }, "(257 UNKNOWN.99 0)" },
		{ { ROOT_TREE_ID, KEY_INODE_ITEM, 0 }, "(ROOT_TREE INODE_ITEM 0)" },
		{ { DEV_ITEMS_ID, KEY_DEV_ITEM, 1 }, "(DEV_ITEMS DEV_ITEM 1)" },
		{ { 1, KEY_DEV_EXTENT, 13631488 }, "(1 DEV_EXTENT 13631488)" },
		{ { 256, KEY_CHUNK_ITEM, 22020096 }, "(FIRST_CHUNK_TREE CHUNK_ITEM 22020096)" },
		{ { 0, KEY_PERSISTENT_ITEM, 1 }, "(DEV_STATS PERSISTENT_ITEM 1)" },
		{ { CRYPT_ID, KEY_PERSISTENT_ITEM, 0 }, "(18446744073709551416 PERSISTENT_ITEM 0)" },
		{ { BALANCE_ID, KEY_TEMPORARY_ITEM, 0 }, "(BALANCE TEMPORARY_ITEM 0)" },
		{ { ORPHAN_ID, KEY_ORPHAN_ITEM, 256 }, "(ORPHAN ORPHAN_ITEM 256)" },
		{ { EXTENT_CSUM_ID, KEY_EXTENT_CSUM, 4096 }, "(EXTENT_CSUM EXTENT_CSUM 4096)" },
		{ { 257, KEY_DIR_INDEX, UINT64_MAX }, "(257 DIR_INDEX -1)" },
		{ { FS_TREE_ID, KEY_ROOT_ITEM, UINT64_MAX }, "(FS_TREE ROOT_ITEM 18446744073709551615)" },
		{ { TREE_RELOC_ID, KEY_ROOT_ITEM, CSUM_TREE_ID }, "(TREE_RELOC ROOT_ITEM CSUM_TREE)" },
		{ { 0, KEY_QGROUP_INFO, (1ull << 48) + 5 }, "(0 QGROUP_INFO 1/5)" },
		{ { 257, KEY_QGROUP_RELATION, (1ull << 48) + 5 }, "(0/257 QGROUP_RELATION 1/5)" },
		{ { 0x0b, KEY_UUID_SUBVOL, 0x0a }, "(0x000000000000000b UUID_KEY_SUBVOL 0x000000000000000a)" },
		{ { UINT64_MAX, KEY_UUID_RECEIVED, UINT64_MAX },
		  "(0xffffffffffffffff UUID_KEY_RECEIVED_SUBVOL 0xffffffffffffffff)" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		char text[KEY_TEXT_SIZE];

		assert_string_equal(key_text(&rows[i].key, text), rows[i].text);
	}
	assert_null(key_type_name(99));
	assert_string_equal(key_type_name(KEY_ROOT_BACKREF), "ROOT_BACKREF");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(compares_in_the_order_of_the_trees),
		cmocka_unit_test(survives_the_disk),
		cmocka_unit_test(prints_as_dump_tree),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

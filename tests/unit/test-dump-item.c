/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Dumps of items that no kernel of the test machines makes; the others are compared with btrfs-progs on real images. */
#include <stdio.h>
#include <unistd.h>

#include "tests/unit/test.h"

#include "cmd/dump/items.h"
#include "cmd/json.h"

static char printed[8192];

static bool print(struct key key, const void *bytes, size_t len, bool as_json, enum dump_names names)
{
	const struct superblock super = { .sector_size = 4096, .csum_type = CSUM_CRC32C };
	uint8_t *copy = malloc(len ? len : 1);
	struct dump dump = { .key = &key, .super = &super, .object = as_json ? json_line() : NULL, .names = names };
	FILE *file = tmpfile();
	const int saved = dup(STDOUT_FILENO);

	assert_non_null(copy);
	assert_non_null(file);
	memcpy(copy, bytes, len);
	fflush(stdout);
	assert_true(dup2(fileno(file), STDOUT_FILENO) >= 0);

	const bool reads = dump_one_item(&dump, (struct cursor){ copy, len, TEST_OFFSET });

	if (as_json)
		json_print(dump.object, stdout);
	fflush(stdout);
	assert_true(dup2(saved, STDOUT_FILENO) >= 0);
	close(saved);
	rewind(file);
	printed[fread(printed, 1, sizeof(printed) - 1, file)] = '\0';
	fclose(file);
	free(copy);
	return reads;
}

static void prints(struct key key, const void *bytes, size_t len, const char *text, const char *json)
{
	assert_true(print(key, bytes, len, false, NAMES_ESCAPED));
	assert_string_equal(printed, text);
	assert_true(print(key, bytes, len, true, NAMES_ESCAPED));
	assert_string_equal(printed, json);
}

#define KEY(o, t, f) ((struct key){ (o), (t), (f) })

static void devices(void **state)
{
	static const uint8_t replace[] = { LE64(1), LE64(2), LE64(3), LE64(0), LE64(4), LE64(6), LE64(7), LE64(8), LE64(9) };
	static const uint8_t stripes[] = { LE64(1), LE64(4096), LE64(2), LE64(8192) };
	static const uint8_t stats[] = { LE64(1), LE64(2), LE64(3), LE64(4), LE64(5), LE64(6) };

	(void)state;
	prints(KEY(0, KEY_DEV_REPLACE, 0), replace, sizeof(replace),
	       "device replace src_devid 1 cursor_left 2 cursor_right 3\n"
	       "cont_reading_from_srcdev_mode 0 replace_state 4 (suspended)\n"
	       "time_started 6 time_stopped 7\n"
	       "num_write_errors 8 num_uncorrectable_read_errors 9\n",
	       "{\"src_devid\":\"1\",\"cursor_left\":\"2\",\"cursor_right\":\"3\",\"cont_reading_from_srcdev_mode\":\"0\",\"replace_state\":\"4\","
	       "\"time_started\":\"6\",\"time_stopped\":\"7\",\"num_write_errors\":\"8\",\"num_uncorrectable_read_errors\":\"9\"}\n");
	prints(KEY(0x100000, KEY_RAID_STRIPE, 65536), stripes, sizeof(stripes),
	       "stripe 0 devid 1 physical 4096\n"
	       "stripe 1 devid 2 physical 8192\n",
	       "{\"stripes\":[{\"stripe\":0,\"devid\":\"1\",\"physical\":\"4096\"},{\"stripe\":1,\"devid\":\"2\",\"physical\":\"8192\"}]}\n");
	prints(KEY(0, KEY_PERSISTENT_ITEM, 3), stats, sizeof(stats),
	       "persistent item objectid DEV_STATS offset 3\n"
	       "device stats\n"
	       "write_errs 1 read_errs 2 flush_errs 3 corruption_errs 4 generation 5\n"
	       "more 0600000000000000\n",
	       "{\"devid\":\"3\",\"write_errs\":\"1\",\"read_errs\":\"2\",\"flush_errs\":\"3\",\"corruption_errs\":\"4\",\"generation_errs\":\"5\","
	       "\"more\":\"0600000000000000\"}\n");
}

static void old_and_unknown(void **state)
{
	static const uint8_t bytes[] = { 0xab, 0xcd };
	static const uint8_t parent[] = { LE32(7) };

	(void)state;
	prints(KEY(5, KEY_PERSISTENT_ITEM, 6), bytes, sizeof(bytes),
	       "persistent item objectid 5 offset 6\nunknown persistent item objectid 5\n", "{\"bytes\":\"abcd\"}\n");
	prints(KEY(ORPHAN_ID, KEY_TEMPORARY_ITEM, 6), bytes, sizeof(bytes),
	       "temporary item objectid ORPHAN offset 6\nunknown temporary item objectid 18446744073709551611\n", "{\"bytes\":\"abcd\"}\n");
	prints(KEY(1, KEY_CSUM_ITEM, 2), bytes, sizeof(bytes), "csum item\n", "{\"bytes\":\"abcd\"}\n");
	prints(KEY(1, KEY_EXTENT_REF_V0, 2), bytes, sizeof(bytes), "extent ref v0 (deprecated)\n", "{\"bytes\":\"abcd\"}\n");
	prints(KEY(1, 77, 2), bytes, sizeof(bytes), "0000 abcd\n", "{\"bytes\":\"abcd\"}\n");
	prints(KEY(1, KEY_STRING_ITEM, 2), "a\nb", 3, "item data a\\x0ab\n", "{\"data\":\"a\\nb\"}\n");
	prints(KEY(4096, KEY_TREE_BLOCK_REF, 5), bytes, 0, "tree block backref\n",
	       "{\"root\":\"5\",\"root_name\":\"FS_TREE\",\"type\":\"TREE_BLOCK_REF\"}\n");
	prints(KEY(4096, KEY_SHARED_BLOCK_REF, 8192), bytes, 0, "shared block backref\n", "{\"parent\":\"8192\",\"type\":\"SHARED_BLOCK_REF\"}\n");
	prints(KEY(4096, KEY_SHARED_DATA_REF, 8192), parent, sizeof(parent), "shared data backref count 7\n",
	       "{\"parent\":\"8192\",\"count\":7,\"type\":\"SHARED_DATA_REF\"}\n");
}

static void verity(void **state)
{
	static const uint8_t size[] = { LE64(260), LE64(0), LE64(0), 0 };
	static const uint8_t descriptor[258] = {
		1, 1, 12, 2, LE32(2), LE64(100000), [16] = 0xd1, [80] = 0x5a, 0x17, [256] = 0xee, 0xef,
	};

	(void)state;
	prints(KEY(257, KEY_VERITY_DESC, 0), size, sizeof(size),
	       "verity descriptor size 260 encryption 0 reserved 00000000000000000000000000000000\n",
	       "{\"size\":\"260\",\"encryption\":0,\"reserved\":\"00000000000000000000000000000000\"}\n");
	prints(KEY(257, KEY_VERITY_DESC, 1), descriptor, sizeof(descriptor),
	       "version 1 hash_algorithm 1 hash sha256 log_block_size 12 data_size 100000\n"
	       "root_hash d100000000000000000000000000000000000000000000000000000000000000\n"
	       "salt_size 2 salt 5a17\n"
	       "sig_size 2 signature eeef\n",
	       "{\"version\":1,\"hash_algorithm\":1,\"hash\":\"sha256\",\"log_block_size\":12,\"data_size\":\"100000\","
	       "\"root_hash\":\"d100000000000000000000000000000000000000000000000000000000000000\",\"salt_size\":2,\"salt\":\"5a17\","
	       "\"sig_size\":2,\"signature\":\"eeef\"}\n");
	prints(KEY(257, KEY_VERITY_DESC, 1), "\x07xy", 3, "0000 077879\n", "{\"bytes\":\"077879\"}\n");
	prints(KEY(257, KEY_VERITY_MERKLE, 0), "\x01\x02", 2, "0000 0102\n", "{\"bytes\":\"0102\"}\n");
}

static void damaged_and_hidden(void **state)
{
	static const uint8_t bytes[] = { 0xab };
	static const uint8_t ref[] = { LE64(3), LE16(4), 'n', 'a', 'm', 'e' };

	(void)state;
	assert_false(print(KEY(0, KEY_QGROUP_INFO, 5), bytes, 1, false, NAMES_ESCAPED));
	assert_string_equal(printed, "not decoded: qgroup info at 0x4000: 1 bytes, not 40\n0000 ab\n");
	assert_false(print(KEY(0, KEY_QGROUP_INFO, 5), bytes, 1, true, NAMES_HIDDEN));
	assert_string_equal(printed, "{\"not_decoded\":\"qgroup info at 0x4000: 1 bytes, not 40\",\"bytes\":\"HIDDEN\"}\n");
	assert_true(print(KEY(257, KEY_INODE_REF, 256), ref, sizeof(ref), false, NAMES_HIDDEN));
	assert_string_equal(printed, "index 3 namelen 4 name: HIDDEN\n");
	assert_true(print(KEY(257, KEY_INODE_REF, 256), ref, sizeof(ref), true, NAMES_HIDDEN));
	assert_string_equal(printed, "{\"names\":[{\"index\":\"3\",\"namelen\":4,\"name\":\"HIDDEN\"}]}\n");
	assert_true(print(KEY(257, KEY_INODE_REF, 256), ref, sizeof(ref), false, NAMES_RAW));
	assert_string_equal(printed, "index 3 namelen 4 name: name\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(devices),
		cmocka_unit_test(old_and_unknown),
		cmocka_unit_test(verity),
		cmocka_unit_test(damaged_and_hidden),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

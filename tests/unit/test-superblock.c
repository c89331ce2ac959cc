/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Superblocks: their fields, and where their copies are. */
#include "tests/unit/test.h"

#include "format/superblock.h"

static const uint8_t sample[SUPER_SIZE] = {
	[0x20] = UUID(0xf5),		/* fsid */
	[0x30] = LE64(0x10000),		/* bytenr */
	LE64(1),			/* 0x38: flags */
	'_', 'B', 'H', 'R', 'f', 'S', '_', 'M',
	LE64(9),			/* 0x48: generation */
	LE64(0x1d2c000),		/* 0x50: root */
	LE64(0x1500000),		/* 0x58: chunk_root */
	LE64(0),			/* 0x60: log_root */
	LE64(0),
	LE64(300 << 20),		/* 0x70: total_bytes */
	LE64(147456),			/* 0x78: bytes_used */
	LE64(6),			/* 0x80: root_dir_objectid */
	LE64(1),			/* 0x88: num_devices */
	LE32(4096),			/* 0x90: sectorsize */
	LE32(16384),			/* 0x94: nodesize */
	LE32(16384),			/* 0x98: leafsize */
	LE32(4096),			/* 0x9c: stripesize */
	LE32(129),			/* 0xa0: sys_chunk_array_size */
	LE64(8),			/* 0xa4: chunk_root_generation */
	LE64(0),			/* 0xac: compat_flags */
	LE64(3),			/* 0xb4: compat_ro_flags */
	LE64(0x341),			/* 0xbc: incompat_flags */
	LE16(CSUM_XXHASH64),		/* 0xc4: csum_type */
	1,				/* 0xc6: root_level */
	2,				/* 0xc7: chunk_root_level */
	0,				/* 0xc8: log_root_level */
	LE64(4),			/* 0xc9: dev_item.devid */
	LE64(200 << 20),		/* 0xd1: dev_item.total_bytes */
	[0x10b] = UUID(0xde),		/* dev_item.uuid */
	[0x22b] = LE64(7),		/* cache_generation */
	[0x23b] = UUID(0xa5),		/* metadata_uuid */
	[0x32b] = 0xc1,			/* sys_chunk_array */
	[0xfff] = 0xee,
};

static bool parse(struct cursor *item, struct error *err)
{
	struct superblock super;

	assert_int_equal(item->left, SUPER_SIZE);
	return superblock_read(item->at, SUPER_OFFSET_0, &super, err);
}

static void reads_a_superblock(void **state)
{
	struct error err = { 0 };
	struct superblock super;

	(void)state;
	assert_true(superblock_read(sample, SUPER_OFFSET_0, &super, &err));
	assert_memory_equal(&super.disk, sample, SUPER_SIZE);
	assert_int_equal(super.bytenr, 0x10000);
	assert_int_equal(super.flags, 1);
	assert_int_equal(super.generation, 9);
	assert_int_equal(super.root, 0x1d2c000);
	assert_int_equal(super.chunk_root, 0x1500000);
	assert_int_equal(super.log_root, 0);
	assert_int_equal(super.chunk_root_generation, 8);
	assert_int_equal(super.total_bytes, 300 << 20);
	assert_int_equal(super.bytes_used, 147456);
	assert_int_equal(super.n_devices, 1);
	assert_int_equal(super.compat, 0);
	assert_int_equal(super.compat_ro, 3);
	assert_int_equal(super.incompat, 0x341);
	assert_int_equal(super.cache_generation, 7);
	assert_int_equal(super.sector_size, 4096);
	assert_int_equal(super.node_size, 16384);
	assert_int_equal(super.csum_type, CSUM_XXHASH64);
	assert_int_equal(super.root_level, 1);
	assert_int_equal(super.chunk_root_level, 2);
	assert_int_equal(super.devid, 4);
	assert_int_equal(super.dev_total_bytes, 200 << 20);
	assert_int_equal(super.dev_uuid[0], 0xde);
	assert_int_equal(super.dev_uuid[15], 0xde);
	assert_int_equal(super.fsid[15], 0xf5);
	assert_int_equal(super.metadata_fsid[15], 0xf5);
	assert_ptr_equal(super.sys_chunks.at, super.disk.sys_chunk_array);
	assert_int_equal(super.sys_chunks.at[0], 0xc1);
	assert_int_equal(super.sys_chunks.left, 129);
	assert_int_equal(super.sys_chunks.offset, 0x10000 + 0x32b);
}

/* What is set is the same where it is read and where it is written back. */
static void sets_both_forms(void **state)
{
	static const uint8_t our_state[] = "state";
	struct error err = { 0 };
	struct superblock super, again;

	(void)state;
	assert_true(superblock_read(sample, SUPER_OFFSET_0, &super, &err));
	superblock_set_root_level(&super, 5);
	superblock_set_chunk_root(&super, 0x1600000);
	superblock_set_chunk_root_level(&super, 6);
	superblock_set_bytes_used(&super, 212992);
	superblock_put_state(&super.disk, our_state, sizeof(our_state));
	assert_true(superblock_read((const uint8_t *)&super.disk, SUPER_OFFSET_0, &again, &err));
	assert_int_equal(again.root_level, 5);
	assert_int_equal(again.chunk_root, 0x1600000);
	assert_int_equal(again.chunk_root_level, 6);
	assert_int_equal(again.bytes_used, 212992);
	assert_int_equal(super.root_level, again.root_level);
	assert_int_equal(super.chunk_root, again.chunk_root);
	assert_int_equal(super.chunk_root_level, again.chunk_root_level);
	assert_int_equal(super.bytes_used, again.bytes_used);
	assert_int_equal(again.incompat, super.incompat | INCOMPAT_CRYPT_UNFINISHED);
	assert_memory_equal(again.disk.tail, our_state, sizeof(our_state));
	/* What was behind the state is gone. */
	assert_int_equal(sample[SUPER_SIZE - 1], 0xee);
	assert_int_equal(again.disk.tail[sizeof(again.disk.tail) - 1], 0);
	assert_true(superblock_is_unfinished(&again));
	superblock_clear_state(&super.disk);
	assert_true(superblock_read((const uint8_t *)&super.disk, SUPER_OFFSET_0, &again, &err));
	assert_false(superblock_is_unfinished(&again));
	assert_int_equal(again.incompat, 0x341);
}

static void tree_headers_carry_the_metadata_uuid(void **state)
{
	uint8_t bytes[SUPER_SIZE];
	struct error err = { 0 };
	struct superblock super;

	(void)state;
	memcpy(bytes, sample, sizeof(bytes));
	bytes[0xbd] |= INCOMPAT_METADATA_UUID >> 8;
	assert_true(superblock_read(bytes, SUPER_OFFSET_0, &super, &err));
	assert_int_equal(super.fsid[0], 0xf5);
	assert_int_equal(super.metadata_fsid[0], 0xa5);
	assert_int_equal(super.metadata_fsid[15], 0xa5);
}

static void accepts_every_size(void **state)
{
	uint8_t bytes[SUPER_SIZE];
	struct error err = { 0 };
	struct superblock super;

	(void)state;
	memcpy(bytes, sample, sizeof(bytes));
	for (uint32_t sector = 4096; sector <= 65536; sector *= 2)
		for (uint32_t node = sector; node <= 65536; node *= 2) {
			const uint8_t sizes[] = { LE32(sector), LE32(node) };

			memcpy(bytes + 0x90, sizes, sizeof(sizes));
			memset(bytes + 0x50, 0, 16);
			bytes[0x52] = bytes[0x5a] = 1;	/* roots at 64 KiB */
			if (!superblock_read(bytes, SUPER_OFFSET_0, &super, &err))
				fail_msg("%s", err.text);
			assert_int_equal(super.sector_size, sector);
			assert_int_equal(super.node_size, node);
		}
}

static void accepts_the_limits(void **state)
{
	static const struct {
		size_t at;
		uint8_t low, high;
	} rows[] = {
		{ 0xa0, 97, 0 },	/* sys_chunk_array_size */
		{ 0xa0, 0, 8 },
		{ 0xc4, CSUM_BLAKE2B, 0 },
		{ 0xc6, 7, 7 },		/* root_level, chunk_root_level */
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		uint8_t bytes[SUPER_SIZE];
		struct error err = { 0 };
		struct superblock super;

		memcpy(bytes, sample, sizeof(bytes));
		bytes[rows[i].at] = rows[i].low;
		bytes[rows[i].at + 1] = rows[i].high;
		if (!superblock_read(bytes, SUPER_OFFSET_0, &super, &err))
			fail_msg("%s", err.text);
	}
}

static void says_what_is_no_superblock(void **state)
{
	uint8_t bytes[SUPER_SIZE];
	struct error err = { 0 };
	struct superblock super;

	(void)state;
	memcpy(bytes, sample, sizeof(bytes));
	bytes[0x47] = 'm';
	assert_false(superblock_read(bytes, SUPER_OFFSET_0, &super, &err));
	assert_int_equal(err.kind, ERROR_NOT_FOUND);
	assert_string_equal(err.text, "no btrfs superblock at 0x10000");
}

#define AT "superblock at 0x10000: "

static void refuses_one_wrong_byte(void **state)
{
	static const struct wrong wrong[] = {
		{ 0x33, 4, AT "bytenr is 0x4010000, not where it is" },
		{ 0x88, 0, AT "num_devices is 0, not at least 1" },
		{ 0x91, 0, AT "sectorsize is 0, not a power of two from 4096 to 65536" },
		{ 0x91, 8, AT "sectorsize is 2048, not a power of two from 4096 to 65536" },
		{ 0x92, 1, AT "sectorsize is 69632, not a power of two from 4096 to 65536" },
		{ 0x91, 0x80, AT "nodesize is 16384, not a power of two from 32768 to 65536" },
		{ 0x95, 0, AT "nodesize is 0, not a power of two from 4096 to 65536" },
		{ 0x95, 0x30, AT "nodesize is 12288, not a power of two from 4096 to 65536" },
		{ 0x97, 1, AT "nodesize is 16793600, not a power of two from 4096 to 65536" },
		{ 0xa0, 96, AT "sys_chunk_array_size is 96, not 97 to 2048" },
		{ 0xa1, 8, AT "sys_chunk_array_size is 2177, not 97 to 2048" },
		{ 0xc4, 4, AT "csum_type is 4, not 0 to 3" },
		{ 0xc5, 1, AT "csum_type is 257, not 0 to 3" },
		{ 0x50, 1, AT "root is 0x1d2c001, not a multiple of 4096" },
		{ 0xc6, 8, AT "root_level is 8, not 0 to 7" },
		{ 0x58, 1, AT "chunk_root is 0x1500001, not a multiple of 4096" },
		{ 0xc7, 8, AT "chunk_root_level is 8, not 0 to 7" },
		{ 0x60, 1, AT "log_root is 0x1, not a multiple of 4096" },
		{ 0xc8, 8, AT "log_root_level is 8, not 0 to 7" },
	};

	(void)state;
	test_refuses_wrong_bytes(parse, sample, sizeof(sample), wrong, ARRAY_SIZE(wrong));
}

static void refuses_no_root(void **state)
{
	uint8_t bytes[SUPER_SIZE];
	struct error err = { 0 };
	struct superblock super;

	(void)state;
	memcpy(bytes, sample, sizeof(bytes));
	memset(bytes + 0x50, 0, 8);
	assert_false(superblock_read(bytes, SUPER_OFFSET_0, &super, &err));
	assert_string_equal(err.text, AT "root is 0, not an address");
}

static void knows_its_copies(void **state)
{
	(void)state;
	assert_int_equal(superblock_offset(0), 64 << 10);
	assert_int_equal(superblock_offset(1), 64 << 20);
	assert_int_equal(superblock_offset(2), 256ull << 30);
	assert_int_equal(superblock_n_copies(0), 0);
	assert_int_equal(superblock_n_copies((64 << 10) + 4095), 0);
	assert_int_equal(superblock_n_copies((64 << 10) + 4096), 1);
	assert_int_equal(superblock_n_copies((64 << 20) + 4095), 1);
	assert_int_equal(superblock_n_copies((64 << 20) + 4096), 2);
	assert_int_equal(superblock_n_copies((256ull << 30) + 4096), 3);
	assert_int_equal(superblock_n_copies(UINT64_MAX), 3);
}

static void knows_its_checksums(void **state)
{
	(void)state;
	assert_int_equal(csum_type_size(CSUM_CRC32C), 4);
	assert_int_equal(csum_type_size(CSUM_XXHASH64), 8);
	assert_int_equal(csum_type_size(CSUM_SHA256), 32);
	assert_int_equal(csum_type_size(CSUM_BLAKE2B), 32);
	assert_string_equal(csum_type_name(CSUM_CRC32C), "crc32c");
	assert_string_equal(csum_type_name(CSUM_BLAKE2B), "blake2b");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads_a_superblock),
		cmocka_unit_test(sets_both_forms),
		cmocka_unit_test(tree_headers_carry_the_metadata_uuid),
		cmocka_unit_test(accepts_every_size),
		cmocka_unit_test(accepts_the_limits),
		cmocka_unit_test(says_what_is_no_superblock),
		cmocka_unit_test(refuses_one_wrong_byte),
		cmocka_unit_test(refuses_no_root),
		cmocka_unit_test(knows_its_copies),
		cmocka_unit_test(knows_its_checksums),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

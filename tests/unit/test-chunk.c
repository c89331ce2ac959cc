/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Chunks, in the chunk tree and in the superblock. */
#include "tests/unit/test.h"

#include "format/chunk.h"

#define LOGICAL 0x1500000u
#define SECTOR 4096u
#define KEY_SIZE sizeof(struct disk_key)

static struct chunk_stripe room[CHUNK_STRIPES_MAX];

/* The superblock's array holds keys before the chunks; a chunk item is the same without. */
static const uint8_t sample[] = {
	LE64(256), KEY_CHUNK_ITEM, LE64(LOGICAL),
	LE64(8 << 20),			/* 17 (0): length */
	LE64(2),			/* 25 (8): owner */
	LE64(65536),			/* 33 (16): stripe_len */
	LE64(GROUP_SYSTEM | GROUP_DUP),	/* 41 (24): type */
	LE32(65536), LE32(65536), LE32(4096),
	LE16(2),			/* 61 (44): num_stripes */
	LE16(1),			/* 63 (46): sub_stripes */
	LE64(1), LE64(0x1600000), UUID(0xd1),
	LE64(1), LE64(0x1e00000), UUID(0xd2),
};

static bool parse(struct cursor *item, struct error *err)
{
	struct chunk chunk;

	return chunk_read(item, LOGICAL, SECTOR, room, &chunk, err);
}

static bool parse_array(struct cursor *array, struct error *err)
{
	struct chunk chunk;

	do {
		if (!chunk_array_next(array, SECTOR, room, &chunk, err))
			return false;
	} while (array->left > 0);
	return true;
}

static void check_sample(const struct chunk *chunk)
{
	assert_int_equal(chunk->logical, LOGICAL);
	assert_int_equal(chunk->length, 8 << 20);
	assert_int_equal(chunk->type, GROUP_SYSTEM | GROUP_DUP);
	assert_int_equal(chunk->stripe_len, 65536);
	assert_int_equal(chunk->n_stripes, 2);
	assert_int_equal(chunk->sub_stripes, 1);
	assert_int_equal(chunk->stripe[0].devid, 1);
	assert_int_equal(chunk->stripe[0].physical, 0x1600000);
	assert_int_equal(chunk->stripe[0].dev_uuid[15], 0xd1);
	assert_int_equal(chunk->stripe[1].physical, 0x1e00000);
	assert_int_equal(chunk->stripe[1].dev_uuid[0], 0xd2);
}

static void reads_an_item(void **state)
{
	struct cursor item = { sample + KEY_SIZE, sizeof(sample) - KEY_SIZE, TEST_OFFSET };
	struct error err = { 0 };
	struct chunk chunk;

	(void)state;
	assert_true(chunk_read(&item, LOGICAL, SECTOR, room, &chunk, &err));
	assert_int_equal(item.left, 0);
	check_sample(&chunk);
}

static void reads_an_array(void **state)
{
	uint8_t two[2 * sizeof(sample)];
	struct cursor array = { two, sizeof(two), TEST_OFFSET };
	struct error err = { 0 };
	struct chunk chunk;

	(void)state;
	memcpy(two, sample, sizeof(sample));
	memcpy(two + sizeof(sample), sample, sizeof(sample));
	assert_true(chunk_array_next(&array, SECTOR, room, &chunk, &err));
	check_sample(&chunk);
	assert_true(chunk_array_next(&array, SECTOR, room, &chunk, &err));
	check_sample(&chunk);
	assert_int_equal(array.left, 0);
}

static void refuses_every_truncation(void **state)
{
	(void)state;
	test_refuses_truncations(parse, sample + KEY_SIZE, sizeof(sample) - KEY_SIZE, ANY_LENGTH_FAILS);
	test_refuses_truncations(parse_array, sample, sizeof(sample), ANY_LENGTH_FAILS);
}

#define AT "chunk at 0x4000: "

static void refuses_one_wrong_byte(void **state)
{
	static const struct wrong wrong[] = {
		{ 1, 1, AT "length is 0x800100, not a nonzero multiple of 4096" },
		{ 2, 0, AT "length is 0, not a nonzero multiple of 4096" },
		{ 6, 1, AT "length is 0x1000000800000, but at most 0xffffffff0000 is possible" },
		{ 18, 2, AT "stripe_len is 131072, not 65536" },
		{ 18, 0, AT "stripe_len is 0, not 65536" },
		{ 24, GROUP_DUP, AT "type is 0x20, neither data, system nor metadata" },
		{ 24, GROUP_SYSTEM | GROUP_DATA, AT "type is 0x3, system together with another" },
		{ 24, GROUP_DATA | GROUP_DUP | GROUP_RAID1, AT "type is 0x31, which has several profiles" },
		{ 25, 0x08, AT "type is 0x822, which has unknown bits 0x800" },
		{ 44, 0, AT "num_stripes is 0, not at least 1" },
		{ 44, 3, AT "num_stripes is 3, 64 bytes are left for them" },
		{ 45, 1, AT "num_stripes is 258, 64 bytes are left for them" },
		{ 44, 1, AT "num_stripes is 1, DUP takes 2 to 2" },
		{ 24, GROUP_DATA, AT "num_stripes is 2, single takes 1 to 1" },
		{ 24, GROUP_DATA | GROUP_RAID10, AT "sub_stripes is 1, RAID10 takes 2" },
	};

	(void)state;
	test_refuses_wrong_bytes(parse, sample + KEY_SIZE, sizeof(sample) - KEY_SIZE, wrong, ARRAY_SIZE(wrong));
}

static void refuses_one_wrong_byte_of_an_array(void **state)
{
	static const struct wrong wrong[] = {
		{ 0, 1, AT "key is (257 CHUNK_ITEM 22020096), not a chunk's" },
		{ 8, KEY_DEV_ITEM, AT "key is (256 DEV_ITEM 22020096), not a chunk's" },
		{ 9, 1, "chunk at 0x4011: logical is 0x1500001, not a multiple of 4096" },
		{ 41, GROUP_DATA | GROUP_DUP, AT "type is 0x21, not system in the superblock's array" },
	};

	(void)state;
	test_refuses_wrong_bytes(parse_array, sample, sizeof(sample), wrong, ARRAY_SIZE(wrong));
}

static void refuses_the_end_of_addresses(void **state)
{
	struct cursor item = { sample + KEY_SIZE, sizeof(sample) - KEY_SIZE, TEST_OFFSET };
	struct error err = { 0 };
	struct chunk chunk;

	(void)state;
	assert_false(chunk_read(&item, 0xffffffffff900000, SECTOR, room, &chunk, &err));
	assert_string_equal(err.text, AT "length is 0x800000, past the end of addresses from 0xffffffffff900000");
}

static void accepts_the_limits(void **state)
{
	uint8_t bytes[sizeof(sample) - KEY_SIZE];
	const struct le64 longest = to_le64(0xffffffff0000);
	struct cursor item = { bytes, sizeof(bytes), TEST_OFFSET };
	struct error err = { 0 };
	struct chunk chunk;

	(void)state;
	memcpy(bytes, sample + KEY_SIZE, sizeof(bytes));
	memcpy(bytes, &longest, sizeof(longest));
	assert_true(chunk_read(&item, LOGICAL, SECTOR, room, &chunk, &err));
	assert_int_equal(chunk.length, 0xffffffff0000);
}

static void refuses_what_follows(void **state)
{
	uint8_t bytes[sizeof(sample) + 1];
	struct cursor item = { bytes + KEY_SIZE, sizeof(bytes) - KEY_SIZE, TEST_OFFSET };
	struct error err = { 0 };
	struct chunk chunk;

	(void)state;
	memcpy(bytes, sample, sizeof(sample));
	assert_false(chunk_read(&item, LOGICAL, SECTOR, room, &chunk, &err));
	assert_string_equal(err.text, AT "num_stripes is 2, 1 bytes follow them");
}

/* An item of n stripes, each with its number in all fields. */
static bool read_many(uint64_t profile, unsigned n, struct chunk *chunk, struct error *err)
{
	static uint8_t bytes[sizeof(struct disk_chunk) + UINT16_MAX * sizeof(struct disk_stripe)];
	struct cursor item = { bytes, sizeof(struct disk_chunk) + n * sizeof(struct disk_stripe), TEST_OFFSET };
	struct disk_chunk disk;

	memcpy(&disk, sample + KEY_SIZE, sizeof(disk));
	disk.type = to_le64(GROUP_DATA | profile);
	disk.num_stripes = to_le16((uint16_t)n);
	disk.sub_stripes = to_le16(2);
	memcpy(bytes, &disk, sizeof(disk));
	for (unsigned i = 0; i < n; i++) {
		struct disk_stripe stripe = { .devid = to_le64(i + 1), .offset = to_le64(i * 4096ull) };

		stripe.dev_uuid[0] = (uint8_t)i;
		memcpy(bytes + sizeof(disk) + i * sizeof(stripe), &stripe, sizeof(stripe));
	}
	return chunk_read(&item, LOGICAL, SECTOR, room, chunk, err);
}

static void reads_as_many_stripes_as_a_leaf_holds(void **state)
{
	struct error err = { 0 };
	struct chunk chunk;

	(void)state;
	assert_int_equal(CHUNK_STRIPES_MAX, 2042);
	assert_true(read_many(GROUP_RAID10, 2042, &chunk, &err));
	assert_int_equal(chunk.n_stripes, 2042);
	for (unsigned i = 0; i < 2042; i++) {
		assert_int_equal(chunk.stripe[i].devid, i + 1);
		assert_int_equal(chunk.stripe[i].physical, i * 4096);
		assert_int_equal(chunk.stripe[i].dev_uuid[0], i % 256);
	}
	assert_false(read_many(GROUP_RAID10, 2043, &chunk, &err));
	assert_int_equal(err.kind, ERROR_CORRUPT);
	assert_string_equal(err.text, AT "num_stripes is 2043, a leaf has room for 2042");
	assert_false(read_many(GROUP_RAID0, UINT16_MAX, &chunk, &err));
}

static void refuses_more_parity_than_a_byte_counts(void **state)
{
	struct error err = { 0 };
	struct chunk chunk;

	(void)state;
	assert_true(read_many(GROUP_RAID6, 255, &chunk, &err));
	assert_false(read_many(GROUP_RAID6, 256, &chunk, &err));
	assert_int_equal(err.kind, ERROR_REFUSED);
	assert_string_equal(err.text, AT "num_stripes is 256, this version reads RAID6 with up to 255");
	assert_false(read_many(GROUP_RAID5, 256, &chunk, &err));
	assert_int_equal(err.kind, ERROR_REFUSED);
}

/* Which numbers of stripes each profile takes. */
static void counts_stripes(void **state)
{
	static const struct {
		uint64_t profile;
		unsigned sub_stripes;
		uint64_t good;	/* bit n: n stripes */
	} rows[] = {
		{ 0, 0, 1 << 1 },
		{ GROUP_RAID0, 0, 0x1fffffffffe },
		{ GROUP_RAID1, 0, 1 << 2 },
		{ GROUP_DUP, 0, 1 << 2 },
		{ GROUP_RAID10, 2, 0x15555555554 },
		{ GROUP_RAID10, 3, 0 },
		{ GROUP_RAID5, 1, 0x1fffffffffc },
		{ GROUP_RAID6, 1, 0x1fffffffff8 },
		{ GROUP_RAID1C3, 1, 1 << 3 },
		{ GROUP_RAID1C4, 1, 1 << 4 },
	};

	(void)state;
	for (size_t row = 0; row < ARRAY_SIZE(rows); row++)
		for (unsigned n = 0; n <= 40; n++) {
			uint8_t bytes[sizeof(struct disk_chunk) + 40 * sizeof(struct disk_stripe)] = { 0 };
			struct cursor item = { bytes, sizeof(struct disk_chunk) + n * sizeof(struct disk_stripe), 0 };
			const struct le64 type = to_le64(GROUP_DATA | rows[row].profile);
			struct error err = { 0 };
			struct chunk chunk;

			memcpy(bytes, sample + KEY_SIZE, sizeof(struct disk_chunk));
			memcpy(bytes + 24, &type, sizeof(type));
			bytes[44] = (uint8_t)n;
			bytes[46] = (uint8_t)rows[row].sub_stripes;
			assert_int_equal(chunk_read(&item, LOGICAL, SECTOR, room, &chunk, &err), rows[row].good >> n & 1);
		}
}

static void names_types(void **state)
{
	char text[64];

	(void)state;
	assert_string_equal(chunk_type_text(GROUP_DATA, text), "DATA|single");
	assert_string_equal(chunk_type_text(GROUP_SYSTEM | GROUP_DUP, text), "SYSTEM|DUP");
	assert_string_equal(chunk_type_text(GROUP_DATA | GROUP_METADATA | GROUP_RAID1C3, text), "DATA|METADATA|RAID1C3");
	assert_string_equal(chunk_type_text(GROUP_DATA | GROUP_RAID0 | GROUP_RAID1, text), "DATA|0x18");
	assert_string_equal(chunk_type_text(GROUP_DATA | GROUP_RAID5 | 1ull << 48, text), "DATA|RAID5|0x1000000000000");
	assert_string_equal(chunk_type_text(UINT64_MAX, text), "DATA|SYSTEM|METADATA|0xfffffffffffffff8");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads_an_item),
		cmocka_unit_test(reads_an_array),
		cmocka_unit_test(refuses_every_truncation),
		cmocka_unit_test(refuses_one_wrong_byte),
		cmocka_unit_test(refuses_one_wrong_byte_of_an_array),
		cmocka_unit_test(refuses_the_end_of_addresses),
		cmocka_unit_test(accepts_the_limits),
		cmocka_unit_test(refuses_what_follows),
		cmocka_unit_test(reads_as_many_stripes_as_a_leaf_holds),
		cmocka_unit_test(refuses_more_parity_than_a_byte_counts),
		cmocka_unit_test(counts_stripes),
		cmocka_unit_test(names_types),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

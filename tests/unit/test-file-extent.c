/* SPDX-License-Identifier: GPL-2.0-or-later */
/* File extents: regular, prealloc, holes, inline, compressed or not. */
#include "tests/unit/test.h"

#include "format/file-extent.h"

#define SECTOR 4096u
#define FILE_OFFSET 0x3000u

static const uint8_t sample[] = {
	LE64(7),			/* 0: generation */
	LE64(0x10000),			/* 8: ram_bytes */
	COMPRESS_ZSTD,			/* 16: compression */
	0,				/* 17: encryption */
	LE16(SEAL_MARK),		/* 18: other_encoding */
	FILE_EXTENT_REG,		/* 20: type */
	LE64(0x1500000),		/* 21: disk_bytenr */
	LE64(0x3000),			/* 29: disk_num_bytes */
	LE64(0x2000),			/* 37: offset */
	LE64(0x4000),			/* 45: num_bytes */
};

static const uint8_t plain_sample[] = {
	LE64(7), LE64(0x10000), COMPRESS_NONE, 0, LE16(0), FILE_EXTENT_PREALLOC,
	LE64(0x1500000), LE64(0x10000), LE64(0x2000), LE64(0x4000),
};

static const uint8_t hole_sample[] = {
	LE64(7), LE64(0x1000), COMPRESS_NONE, 0, LE16(0), FILE_EXTENT_REG, LE64(0), LE64(0), LE64(0), LE64(0x4000),
};

static const uint8_t inline_sample[] = {
	LE64(7), LE64(3), COMPRESS_NONE, 1, LE16(0), FILE_EXTENT_INLINE, 'h', 'i', '\n',
};

static const uint8_t inline_compressed_sample[] = {
	LE64(7), LE64(3000), COMPRESS_ZLIB, 0, LE16(0), FILE_EXTENT_INLINE, 'x',
};

static bool parse(struct cursor *item, struct error *err)
{
	struct file_extent extent;

	return file_extent_read(item, FILE_OFFSET, SECTOR, &extent, err);
}

static bool parse_inline(struct cursor *item, struct error *err)
{
	struct file_extent extent;

	return file_extent_read(item, 0, SECTOR, &extent, err);
}

static struct file_extent read_good(const uint8_t *bytes, size_t len, uint64_t file_offset)
{
	struct cursor item = { bytes, len, TEST_OFFSET };
	struct error err = { 0 };
	struct file_extent extent;

	if (!file_extent_read(&item, file_offset, SECTOR, &extent, &err))
		fail_msg("%s", err.text);
	assert_int_equal(item.left, 0);
	return extent;
}

static void reads_a_regular_extent(void **state)
{
	const struct file_extent extent = read_good(sample, sizeof(sample), FILE_OFFSET);

	(void)state;
	assert_int_equal(extent.generation, 7);
	assert_int_equal(extent.ram_bytes, 0x10000);
	assert_int_equal(extent.compression, COMPRESS_ZSTD);
	assert_int_equal(extent.encryption, 0);
	assert_int_equal(extent.other_encoding, SEAL_MARK);
	assert_int_equal(extent.type, FILE_EXTENT_REG);
	assert_int_equal(extent.disk_bytenr, 0x1500000);
	assert_int_equal(extent.disk_num_bytes, 0x3000);
	assert_int_equal(extent.offset, 0x2000);
	assert_int_equal(extent.num_bytes, 0x4000);
	assert_int_equal(extent.payload.left, 0);
	assert_true(file_extent_has_disk(&extent));
}

static void reads_a_hole(void **state)
{
	const struct file_extent extent = read_good(hole_sample, sizeof(hole_sample), FILE_OFFSET);

	(void)state;
	assert_false(file_extent_has_disk(&extent));
	assert_int_equal(extent.num_bytes, 0x4000);
}

static void reads_inline_extents(void **state)
{
	struct file_extent extent = read_good(inline_sample, sizeof(inline_sample), 0);

	(void)state;
	assert_false(file_extent_has_disk(&extent));
	assert_int_equal(extent.encryption, 1);
	assert_int_equal(extent.payload.left, 3);
	assert_memory_equal(extent.payload.at, "hi\n", 3);
	assert_int_equal(extent.payload.offset, TEST_OFFSET + 21);

	extent = read_good(inline_compressed_sample, sizeof(inline_compressed_sample), 0);
	assert_int_equal(extent.ram_bytes, 3000);
	assert_int_equal(extent.payload.left, 1);
}

/* As long as a node of 64 KiB has room for, with sectors as large. */
static void inline_extents_may_be_longer_than_4096_bytes(void **state)
{
	static uint8_t bytes[21 + 60000] = { LE64(7), LE64(60000), COMPRESS_NONE, 0, LE16(0), FILE_EXTENT_INLINE };

	(void)state;
	assert_int_equal(read_good(bytes, sizeof(bytes), 0).payload.left, 60000);
}

static void ignores_a_wrong_ram_bytes_where_nothing_is_decoded(void **state)
{
	uint8_t bytes[sizeof(plain_sample)];

	(void)state;
	memcpy(bytes, plain_sample, sizeof(bytes));
	bytes[10] = 0;
	assert_int_equal(read_good(bytes, sizeof(bytes), FILE_OFFSET).ram_bytes, 0);
}

static void accepts_the_limits(void **state)
{
	uint8_t bytes[sizeof(sample)];

	(void)state;
	memcpy(bytes, sample, sizeof(bytes));
	bytes[10] = 2;			/* ram_bytes and disk_num_bytes: 128 KiB, all of it used */
	bytes[30] = 0;
	bytes[31] = 2;
	bytes[46] = 0xe0;
	bytes[47] = 1;
	assert_int_equal(read_good(bytes, sizeof(bytes), FILE_OFFSET).num_bytes, (128 << 10) - 0x2000);
}

static void refuses_every_truncation(void **state)
{
	(void)state;
	test_refuses_truncations(parse, sample, sizeof(sample), ANY_LENGTH_FAILS);
	test_refuses_truncations(parse, hole_sample, sizeof(hole_sample), ANY_LENGTH_FAILS);
	test_refuses_truncations(parse_inline, inline_sample, sizeof(inline_sample), ANY_LENGTH_FAILS);
}

#define AT "file extent at 0x4000: "

static void refuses_one_wrong_byte(void **state)
{
	static const struct wrong wrong[] = {
		{ 8, 1, AT "ram_bytes is 65537, not a multiple of 4096" },
		{ 10, 3, AT "ram_bytes is 196608, at most 131072 when compressed" },
		{ 15, 1, AT "ram_bytes is 72057594037993472, at most 131072 when compressed" },
		{ 16, 4, AT "compression is 4, not 0 to 3" },
		{ 20, 3, AT "type is 3, not 0 to 2" },
		{ 20, 0, AT "key offset is 12288, 0 when inline" },
		{ 21, 1, AT "disk_bytenr is 22020097, not a multiple of 4096" },
		{ 30, 0x31, AT "disk_num_bytes is 12544, not a multiple of 4096" },
		{ 30, 0, AT "disk_num_bytes is 0, the extent has a disk address 0x1500000" },
		{ 31, 2, AT "disk_num_bytes is 143360, at most 131072 when compressed" },
		{ 37, 1, AT "offset is 8193, not a multiple of 4096" },
		{ 38, 0xd0, AT "offset is 53248 and num_bytes is 16384, past the extent's 65536" },
		{ 44, 0x80, AT "offset is 9223372036854784000 and num_bytes is 16384, past the extent's 65536" },
		{ 45, 1, AT "num_bytes is 16385, not a multiple of 4096" },
		{ 46, 0, AT "num_bytes is 0, not at least 4096" },
		{ 46, 0xf0, AT "offset is 8192 and num_bytes is 61440, past the extent's 65536" },
	};
	static const struct wrong wrong_plain[] = {
		{ 31, 0, AT "disk_num_bytes is 0, the extent has a disk address 0x1500000" },
		{ 38, 0xd0, AT "offset is 53248 and num_bytes is 16384, past the extent's 65536" },
		{ 52, 0x80, AT "offset is 8192 and num_bytes is 9223372036854792192, past the extent's 65536" },
	};

	(void)state;
	test_refuses_wrong_bytes(parse, sample, sizeof(sample), wrong, ARRAY_SIZE(wrong));
	test_refuses_wrong_bytes(parse, plain_sample, sizeof(plain_sample), wrong_plain, ARRAY_SIZE(wrong_plain));
}

static void refuses_one_wrong_byte_inline(void **state)
{
	static const struct wrong wrong[] = {
		{ 8, 2, AT "ram_bytes is 2, the payload has 3" },
		{ 15, 1, AT "ram_bytes is 72057594037927939, the payload has 3" },
		{ 20, 1, AT "3 bytes after the header, not 32" },
	};
	static const struct wrong wrong_compressed[] = {
		{ 10, 3, AT "ram_bytes is 199608, at most 131072 when compressed" },
	};

	(void)state;
	test_refuses_wrong_bytes(parse_inline, inline_sample, sizeof(inline_sample), wrong, ARRAY_SIZE(wrong));
	test_refuses_wrong_bytes(parse_inline, inline_compressed_sample, sizeof(inline_compressed_sample), wrong_compressed,
				 ARRAY_SIZE(wrong_compressed));
}

static void refuses_what_wraps(void **state)
{
	static const struct {
		uint64_t file_offset, disk_bytenr, disk_num_bytes, num_bytes;
		const char *text;
	} rows[] = {
		{ -4096ull, 0x1000, 0x2000, 0x2000, AT "num_bytes is 8192, past the end of a file from 18446744073709547520" },
		{ 0, -4096ull, 0x2000, 0x2000, AT "disk_num_bytes is 8192, past the end of addresses from 0xfffffffffffff000" },
		{ 1, 0x1000, 0x2000, 0x2000, AT "key offset is 1, not a multiple of 4096" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		const struct disk_file_extent disk = {
			.type = FILE_EXTENT_REG,
			.disk_bytenr = to_le64(rows[i].disk_bytenr),
			.disk_num_bytes = to_le64(rows[i].disk_num_bytes),
			.num_bytes = to_le64(rows[i].num_bytes),
		};
		struct cursor item = { (const uint8_t *)&disk, sizeof(disk), TEST_OFFSET };
		struct error err = { 0 };
		struct file_extent extent;

		assert_false(file_extent_read(&item, rows[i].file_offset, SECTOR, &extent, &err));
		assert_string_equal(err.text, rows[i].text);
	}
}

static void refuses_a_finer_grain_than_the_sector(void **state)
{
	struct cursor item = { plain_sample, sizeof(plain_sample), TEST_OFFSET };
	struct error err = { 0 };
	struct file_extent extent;

	(void)state;
	assert_false(file_extent_read(&item, 0, 65536, &extent, &err));
	assert_string_equal(err.text, AT "offset is 8192, not a multiple of 65536");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads_a_regular_extent),
		cmocka_unit_test(reads_a_hole),
		cmocka_unit_test(reads_inline_extents),
		cmocka_unit_test(inline_extents_may_be_longer_than_4096_bytes),
		cmocka_unit_test(ignores_a_wrong_ram_bytes_where_nothing_is_decoded),
		cmocka_unit_test(accepts_the_limits),
		cmocka_unit_test(refuses_every_truncation),
		cmocka_unit_test(refuses_one_wrong_byte),
		cmocka_unit_test(refuses_one_wrong_byte_inline),
		cmocka_unit_test(refuses_what_wraps),
		cmocka_unit_test(refuses_a_finer_grain_than_the_sector),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

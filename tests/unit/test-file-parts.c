/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Files in parts: the map of holes, the bytes around what is lost, and items that contradict each other. */
#include "common/fs/file-parts.h"

#include <stdio.h>
#include <zlib.h>

#include "common/volume/csum.h"
#include "common/volume/mirror.h"
#include "tests/unit/fs-image.h"

#define SECTOR 4096u
#define PLACE (1u << 20)	/* in the data chunk: the test's data are written from here */

static uint64_t data;			/* logical address of PLACE */
static uint8_t disk[16 * SECTOR];	/* what is there */
static struct file_reader *reader;

static int open_with_data(void **state)
{
	const struct chunk *chunk;

	fs_image_open(state);
	for (size_t i = 0; i < volume->n_chunks; i++) {
		if (volume->chunks[i].type & GROUP_DATA)
			data = volume->chunks[i].logical + PLACE;
	}
	for (size_t i = 0; i < sizeof(disk); i += 16)
		snprintf((char *)disk + i, 16, "place %08zu", i);
	ok(volume_chunk(volume, data, &chunk, err));
	image_patch(&image, chunk_physical(chunk, data, 0), disk, sizeof(disk));
	ok(file_reader_new(&reader, err));
	return 0;
}

static int close_all(void **state)
{
	file_reader_free(reader);
	return fs_image_close(state);
}

static void add_extent(uint64_t at, uint8_t type, uint64_t sector, uint64_t length, uint16_t mark)
{
	const struct disk_file_extent item = {
		.generation = to_le64(1), .ram_bytes = to_le64(length), .other_encoding = to_le16(mark), .type = type,
		.disk_bytenr = to_le64(data + sector * SECTOR), .disk_num_bytes = to_le64(length), .num_bytes = to_le64(length),
	};

	insert(FS_TREE_ID, FREE_INODE, KEY_EXTENT_DATA, at, &item, sizeof(item));
}

/* Checksums of all sectors; bit n of wrong: not that of sector n. */
static void add_csums(unsigned wrong)
{
	uint8_t csums[sizeof(disk) / SECTOR * 4];

	for (unsigned i = 0; i < sizeof(disk) / SECTOR; i++) {
		csum_compute(CSUM_CRC32C, disk + i * SECTOR, SECTOR, csums + 4 * i);
		csums[4 * i] ^= wrong >> i & 1;
	}
	insert(CSUM_TREE_ID, EXTENT_CSUM_ID, KEY_EXTENT_CSUM, data, csums, sizeof(csums));
}

/* What came out, as "+first-end" for data and "!first-end" for what is lost, in KiB where whole; and the bytes. */
struct log {
	char text[1024];
	uint8_t bytes[32 * SECTOR];
	char why[512];
};

static void note(struct log *log, char kind, uint64_t first, uint64_t end)
{
	const size_t used = strlen(log->text);

	snprintf(log->text + used, sizeof(log->text) - used, "%c%llu-%llu ", kind, (unsigned long long)first, (unsigned long long)end);
}

static bool take(void *context, uint64_t offset, const void *bytes, size_t len, struct error *err)
{
	struct log *log = context;

	(void)err;
	assert_true(offset + len <= sizeof(log->bytes));
	memcpy(log->bytes + offset, bytes, len);
	note(log, '+', offset, offset + len);
	return true;
}

static void lose(void *context, const struct report *report)
{
	struct log *log = context;

	assert_int_equal(report->kind, REPORT_LOST);
	if (!log->why[0])
		snprintf(log->why, sizeof(log->why), "%s", report->text);
	note(log, '!', report->first, report->end);
}

static struct log log_of(uint64_t size)
{
	struct log log = { 0 };
	const struct file_sink sink = { .data = take, .report = lose, .context = &log };

	ok(file_parts_read(reader, &plain_source, &top, FREE_INODE, size, &sink, err));
	return log;
}

static void leaves_holes_out(void **state)
{
	struct file_map map = { 0 };
	struct log log;

	(void)state;
	add_extent(SECTOR, FILE_EXTENT_REG, 0, SECTOR, 0);
	add_extent(2 * SECTOR, FILE_EXTENT_REG, 4, SECTOR, 0);
	add_extent(3 * SECTOR, FILE_EXTENT_PREALLOC, 8, SECTOR, 0);
	add_extent(6 * SECTOR, FILE_EXTENT_REG, 5, 2 * SECTOR, 0);
	add_csums(0);
	ok(file_map_read(&top, FREE_INODE, 6 * SECTOR + 100, &map, err));
	assert_int_equal(map.n, 2);
	assert_int_equal(map.at[0].offset, SECTOR);
	assert_int_equal(map.at[0].len, 2 * SECTOR);
	assert_int_equal(map.at[1].offset, 6 * SECTOR);
	assert_int_equal(map.at[1].len, 100);
	assert_int_equal(map.bytes, 2 * SECTOR + 100);
	assert_false(map.has_sealed || map.has_inline);
	file_map_free(&map);
	log = log_of(6 * SECTOR + 100);
	assert_string_equal(log.text, "+4096-8192 +8192-12288 +24576-24676 ");
	assert_memory_equal(log.bytes + 2 * SECTOR, disk + 4 * SECTOR, SECTOR);
}

/* Sector by sector where a piece fails; neighbours are one range. */
static void names_what_is_lost(void **state)
{
	struct log log;

	(void)state;
	add_extent(0, FILE_EXTENT_REG, 0, 8 * SECTOR, 0);
	add_csums(1 << 2 | 1 << 3 | 1 << 7);
	log = log_of(8 * SECTOR - 10);
	assert_string_equal(log.text, "+0-8192 !8192-16384 +16384-24576 +24576-28672 !28672-32758 ");
	assert_non_null(strstr(log.why, "bytes 8192 to 12287: data at "));
	assert_memory_equal(log.bytes + 4 * SECTOR, disk + 4 * SECTOR, 3 * SECTOR);
}

static void survives_items_that_cannot_be(void **state)
{
	struct log log;

	(void)state;
	add_extent(0, FILE_EXTENT_REG, 0, 2 * SECTOR, 0);
	add_extent(SECTOR, FILE_EXTENT_REG, 4, SECTOR, 0);		/* in the middle of the one before */
	add_extent(2 * SECTOR, 7, 4, SECTOR, 0);			/* of no type */
	add_extent(4 * SECTOR, FILE_EXTENT_REG, 4, SECTOR, 0);
	add_csums(0);
	log = log_of(6 * SECTOR);
	assert_string_equal(log.text, "+0-8192 !4096-16384 +16384-20480 ");
	assert_non_null(strstr(log.why, "extent item at 4096: begins before the previous item ends, at 8192"));
}

/* An item that shows the middle of an extent; ram 0: it is not compressed. */
static void add_bookend(uint64_t at, uint64_t sector, uint64_t n_sectors, uint64_t ram, uint64_t offset, uint64_t length)
{
	const struct disk_file_extent item = {
		.generation = to_le64(1), .ram_bytes = to_le64(ram ? ram : n_sectors * SECTOR), .compression = ram ? COMPRESS_ZLIB : COMPRESS_NONE,
		.type = FILE_EXTENT_REG, .disk_bytenr = to_le64(data + sector * SECTOR), .disk_num_bytes = to_le64(n_sectors * SECTOR),
		.offset = to_le64(offset), .num_bytes = to_le64(length),
	};

	insert(FS_TREE_ID, FREE_INODE, KEY_EXTENT_DATA, at, &item, sizeof(item));
}

static void shows_the_middle_of_extents(void **state)
{
	static uint8_t packed[4 * SECTOR], plain[16 * SECTOR];
	const struct chunk *chunk;
	uLongf len = sizeof(packed);
	struct log log;

	(void)state;
	for (size_t i = 0; i < sizeof(plain); i += 16)
		snprintf((char *)plain + i, 16, "plain %08zu", i);
	assert_int_equal(compress2(packed, &len, plain, sizeof(plain), 9), Z_OK);
	ok(volume_chunk(volume, data, &chunk, err));
	image_patch(&image, chunk_physical(chunk, data + 20 * SECTOR, 0), packed, sizeof(packed));
	add_bookend(0, 2, 8, 0, 3 * SECTOR, 2 * SECTOR);
	add_bookend(2 * SECTOR, 20, 4, sizeof(plain), 10 * SECTOR, 3 * SECTOR);
	add_bookend(5 * SECTOR, 20, 4, sizeof(plain), SECTOR, SECTOR);
	log = log_of(6 * SECTOR);
	assert_memory_equal(log.bytes, disk + 5 * SECTOR, 2 * SECTOR);
	assert_memory_equal(log.bytes + 2 * SECTOR, plain + 10 * SECTOR, 3 * SECTOR);
	assert_memory_equal(log.bytes + 5 * SECTOR, plain + SECTOR, SECTOR);
	assert_string_equal(log.why, "");
}

/* ram_bytes says how long it is; what is behind the compressed bytes is padding. */
static void compressed_inline_data_may_be_padded(void **state)
{
	uint8_t item[3000] = { 0 };
	const struct disk_file_extent head = { .ram_bytes = to_le64(2500), .compression = COMPRESS_ZLIB, .type = FILE_EXTENT_INLINE };
	uLongf len = 2000;
	struct log log;

	(void)state;
	memcpy(item, &head, FILE_EXTENT_INLINE_HEADER);
	assert_int_equal(compress(item + FILE_EXTENT_INLINE_HEADER, &len, disk, 2500), Z_OK);
	insert(FS_TREE_ID, FREE_INODE, KEY_EXTENT_DATA, 0, item, FILE_EXTENT_INLINE_HEADER + len + 60);
	log = log_of(2500);
	assert_string_equal(log.text, "+0-2500 ");
	assert_memory_equal(log.bytes, disk, 2500);
}

static void tells_marks(void **state)
{
	struct file_map map = { 0 };

	(void)state;
	add_extent(0, FILE_EXTENT_REG, 0, SECTOR, SEAL_MARK);
	ok(file_map_read(&top, FREE_INODE, SECTOR, &map, err));
	assert_true(map.has_sealed);
	file_map_free(&map);
}

#define parts_test(f) cmocka_unit_test_setup_teardown(f, open_with_data, close_all)

int main(void)
{
	const struct CMUnitTest tests[] = {
		parts_test(leaves_holes_out),
		parts_test(names_what_is_lost),
		parts_test(survives_items_that_cannot_be),
		parts_test(shows_the_middle_of_extents),
		parts_test(compressed_inline_data_may_be_padded),
		parts_test(tells_marks),
	};

	return cmocka_run_group_tests(tests, fs_image_make, fs_image_remove);
}

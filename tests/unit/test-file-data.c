/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Files: items of every kind in a row, checksums that match and do not, and extents that cannot be. */
#include "common/fs/source.h"

#include <stdio.h>
#include <zlib.h>

#include "common/volume/csum.h"
#include "common/volume/mirror.h"
#include "tests/unit/fs-image.h"
#include "tests/unit/whole-file.h"

#define SECTOR 4096u
#define PLACE (1u << 20)	/* in the data chunk: the test's data are written from here */

static uint64_t data;		/* logical address of PLACE */
static uint8_t disk[64 * SECTOR];	/* what is there */

/* --- making files ------------------------------------------------------------------------------------------------ */

static uint64_t physical(uint64_t logical)
{
	const struct chunk *chunk;

	ok(volume_chunk(volume, logical, &chunk, err));
	return chunk_physical(chunk, logical, 0);
}

static int open_with_data(void **state)
{
	fs_image_open(state);
	for (size_t i = 0; i < volume->n_chunks; i++) {
		if (volume->chunks[i].type & GROUP_DATA)
			data = volume->chunks[i].logical + PLACE;
	}
	for (size_t i = 0; i < sizeof(disk); i += 16)
		snprintf((char *)disk + i, 16, "place %08zu", i);
	image_patch(&image, physical(data), disk, sizeof(disk));
	return 0;
}

static void add_inode(uint64_t size)
{
	const struct disk_inode_item item = { .size = to_le64(size), .mode = to_le32(0100644), .nlink = to_le32(1) };

	insert(FS_TREE_ID, FREE_INODE, KEY_INODE_ITEM, 0, &item, sizeof(item));
}

/* What differs from case to case; the rest of a struct disk_file_extent follows from it. */
struct extent {
	uint64_t at;		/* in the file */
	uint8_t type, compression, encryption;
	uint16_t mark;
	uint64_t sector, n_sectors;	/* on disk, from PLACE; none: a hole */
	uint64_t offset, length, ram;
};

static void add_extent(const struct extent *e)
{
	const struct disk_file_extent item = {
		.generation = to_le64(1), .ram_bytes = to_le64(e->ram ? e->ram : e->n_sectors ? e->n_sectors * SECTOR : e->length),
		.compression = e->compression, .encryption = e->encryption, .other_encoding = to_le16(e->mark), .type = e->type,
		.disk_bytenr = to_le64(e->n_sectors ? data + e->sector * SECTOR : 0),
		.disk_num_bytes = to_le64(e->n_sectors * SECTOR), .offset = to_le64(e->offset), .num_bytes = to_le64(e->length),
	};

	insert(FS_TREE_ID, FREE_INODE, KEY_EXTENT_DATA, e->at, &item, sizeof(item));
}

static void add_inline(const void *bytes, size_t len, uint8_t compression, uint64_t ram)
{
	uint8_t item[3000];
	const struct disk_file_extent head = { .ram_bytes = to_le64(ram), .compression = compression, .type = FILE_EXTENT_INLINE };

	memcpy(item, &head, FILE_EXTENT_INLINE_HEADER);
	memcpy(item + FILE_EXTENT_INLINE_HEADER, bytes, len);
	insert(FS_TREE_ID, FREE_INODE, KEY_EXTENT_DATA, 0, item, FILE_EXTENT_INLINE_HEADER + len);
}

/* Checksums of sectors first..first+n, right ones with wrong == n. */
static void add_csums(unsigned first, unsigned n, unsigned wrong)
{
	uint8_t csums[64 * 4];

	for (unsigned i = 0; i < n; i++)
		csum_compute(CSUM_CRC32C, disk + (first + i) * SECTOR, SECTOR, csums + 4 * i);
	if (wrong < n)
		csums[4 * wrong] ^= 1;
	insert(CSUM_TREE_ID, EXTENT_CSUM_ID, KEY_EXTENT_CSUM, data + first * SECTOR, csums, 4 * n);
}

/* --- reading them -------------------------------------------------------------------------------------------------- */

struct bytes {
	uint8_t *at;
	size_t len;
};

static bool read_all(struct bytes *all, struct error *err)
{
	return whole_file_read(&plain_source, &top, FREE_INODE, &all->at, &all->len, err);
}

static void reads(const uint8_t *want, size_t len)
{
	struct bytes all;

	ok(read_all(&all, err));
	assert_int_equal(all.len, len);
	for (size_t i = 0; i < len; i++) {
		if (all.at[i] != want[i])
			fail_msg("byte %zu is %#x, not %#x", i, all.at[i], want[i]);
	}
	free(all.at);
}

static void fails(enum error_kind kind, const char *text)
{
	struct error err = { 0 };
	struct bytes all;

	assert_false(read_all(&all, &err));
	free(all.at);
	if (!strstr(err.text, text))
		fail_msg("\"%s\" does not say \"%s\"", err.text, text);
	assert_int_equal(err.kind, kind);
}

static void holes_and_prealloc_are_zeros(void **state)
{
	static uint8_t want[20 * SECTOR + 5];

	(void)state;
	add_inode(sizeof(want));
	add_extent(&(struct extent){ .at = 2 * SECTOR, .type = 1, .sector = 0, .n_sectors = 4, .offset = SECTOR, .length = 2 * SECTOR });
	add_extent(&(struct extent){ .at = 5 * SECTOR, .type = 1, .length = SECTOR });
	add_extent(&(struct extent){ .at = 6 * SECTOR, .type = 2, .sector = 8, .n_sectors = 3, .length = 3 * SECTOR });
	add_extent(&(struct extent){ .at = 9 * SECTOR, .type = 1, .sector = 12, .n_sectors = 1, .length = SECTOR });
	memcpy(want + 2 * SECTOR, disk + SECTOR, 2 * SECTOR);
	memcpy(want + 9 * SECTOR, disk + 12 * SECTOR, SECTOR);
	reads(want, sizeof(want));
}

static void nothing_past_the_size_comes_out(void **state)
{
	(void)state;
	add_inode(SECTOR + 7);
	add_extent(&(struct extent){ .at = 0, .type = 1, .sector = 3, .n_sectors = 4, .length = 4 * SECTOR });
	/* Neither is looked at. */
	add_csums(5, 1, 0);
	add_extent(&(struct extent){ .at = 4 * SECTOR, .type = 1, .encryption = 1, .length = SECTOR });
	reads(disk + 3 * SECTOR, SECTOR + 7);
}

static void inline_data_may_be_followed_by_extents(void **state)
{
	static uint8_t want[2 * SECTOR];

	(void)state;
	add_inode(sizeof(want));
	add_inline("begin", 5, COMPRESS_NONE, 5);
	add_extent(&(struct extent){ .at = SECTOR, .type = 1, .sector = 1, .n_sectors = 1, .length = SECTOR });
	memcpy(want, "begin", 5);
	memcpy(want + SECTOR, disk + SECTOR, SECTOR);
	reads(want, sizeof(want));
}

static void compressed_inline_data_are_as_long_as_ram_bytes(void **state)
{
	uint8_t packed[2000] = { 0 };
	uLongf len = sizeof(packed);

	(void)state;
	assert_int_equal(compress(packed, &len, disk, 3000), Z_OK);
	add_inode(3000);
	add_inline(packed, len + 50, COMPRESS_ZLIB, 3000);	/* padded */
	reads(disk, 3000);
}

/* Two items that show parts of one compressed extent, in the wrong order. */
static void parts_of_a_compressed_extent(void **state)
{
	static uint8_t packed[4 * SECTOR], plain[16 * SECTOR], want[8 * SECTOR];
	uLongf len = sizeof(packed);

	(void)state;
	for (size_t i = 0; i < sizeof(plain); i += 16)
		snprintf((char *)plain + i, 16, "plain %08zu", i);
	assert_int_equal(compress2(packed, &len, plain, sizeof(plain), 9), Z_OK);
	assert_true(len > SECTOR && len <= sizeof(packed));
	image_patch(&image, physical(data + 20 * SECTOR), packed, sizeof(packed));
	add_inode(sizeof(want) - 1);
	add_extent(&(struct extent){ .at = 0, .type = 1, .compression = COMPRESS_ZLIB, .sector = 20, .n_sectors = 4,
				     .ram = sizeof(plain), .offset = 10 * SECTOR, .length = 3 * SECTOR });
	add_extent(&(struct extent){ .at = 3 * SECTOR, .type = 1, .compression = COMPRESS_ZLIB, .sector = 20, .n_sectors = 4,
				     .ram = sizeof(plain), .offset = 2 * SECTOR, .length = 5 * SECTOR });
	memcpy(want, plain + 10 * SECTOR, 3 * SECTOR);
	memcpy(want + 3 * SECTOR, plain + 2 * SECTOR, 5 * SECTOR);
	reads(want, sizeof(want) - 1);
}

/* Some sectors have checksums and some none; items begin before and end behind the extent. */
static void checks_what_has_a_checksum(void **state)
{
	(void)state;
	add_csums(0, 6, 6);
	add_csums(8, 1, 1);
	add_csums(10, 20, 20);
	add_inode(10 * SECTOR);
	add_extent(&(struct extent){ .at = 0, .type = 1, .sector = 4, .n_sectors = 10, .length = 10 * SECTOR });
	reads(disk + 4 * SECTOR, 10 * SECTOR);
}

static void names_the_bytes_that_are_wrong(void **state)
{
	uint8_t have[CSUM_SIZE];
	char text[300];

	(void)state;
	csum_compute(CSUM_CRC32C, disk + 12 * SECTOR, SECTOR, have);
	snprintf(text, sizeof(text), "inode 100000 bytes 12288 to 16383: data at %llu: crc32c is %02x%02x%02x%02x, the csum tree has "
		 "%02x%02x%02x%02x", (unsigned long long)data + 12 * SECTOR, have[0], have[1], have[2], have[3], have[0] ^ 1, have[1],
		 have[2], have[3]);
	add_csums(8, 10, 4);
	add_inode(10 * SECTOR);
	add_extent(&(struct extent){ .at = 2 * SECTOR, .type = 1, .sector = 8, .n_sectors = 8, .offset = 3 * SECTOR,
				     .length = 5 * SECTOR });
	fails(ERROR_CORRUPT, text);
}

static void a_bad_sector_spoils_the_whole_compressed_extent(void **state)
{
	(void)state;
	add_csums(0, 4, 1);
	add_inode(8 * SECTOR);
	add_extent(&(struct extent){ .at = SECTOR, .type = 1, .compression = COMPRESS_ZSTD, .sector = 0, .n_sectors = 4,
				     .ram = 16 * SECTOR, .offset = 4 * SECTOR, .length = 7 * SECTOR });
	fails(ERROR_CORRUPT, "inode 100000 bytes 4096 to 32767: data at");
}

static void refuses_a_csum_item_of_no_size(void **state)
{
	(void)state;
	insert(CSUM_TREE_ID, EXTENT_CSUM_ID, KEY_EXTENT_CSUM, data, "1234567", 7);
	add_inode(SECTOR);
	add_extent(&(struct extent){ .at = 0, .type = 1, .sector = 0, .n_sectors = 1, .length = SECTOR });
	fails(ERROR_CORRUPT, "size is 7, not a multiple of 4");
}

static void refuses_what_it_cannot_read(void **state)
{
	static const struct {
		struct extent extent;
		enum error_kind kind;
		const char *text;
	} wrong[] = {
		{ { .type = 1, .mark = SEAL_MARK, .sector = 0, .n_sectors = 1, .length = SECTOR }, ERROR_KEY,
		  "inode 100000 extent item at 0: it is sealed and no key was given" },
		{ { .type = 1, .encryption = 1, .sector = 0, .n_sectors = 1, .length = SECTOR }, ERROR_REFUSED,
		  "inode 100000 extent item at 0: encryption is 1, which this version cannot read" },
		{ { .type = 1, .compression = COMPRESS_LZO, .sector = 0, .n_sectors = 1, .ram = 2 * SECTOR, .length = 2 * SECTOR },
		  ERROR_CORRUPT, "inode 100000 extent item at 0: lzo data: total length is" },
		{ { .type = 1, .sector = 1u << 20, .n_sectors = 1, .length = SECTOR }, ERROR_CORRUPT, "inode 100000 extent item at 0" },
		{ { .type = 1, .sector = 0, .n_sectors = 1, .offset = SECTOR, .length = SECTOR }, ERROR_CORRUPT, "inode 100000" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(wrong); i++) {
		add_inode(8 * SECTOR);
		add_extent(&wrong[i].extent);
		fails(wrong[i].kind, wrong[i].text);
		fs_image_close(state);
		open_with_data(state);
	}
	add_inode(8 * SECTOR);
	add_extent(&(struct extent){ .at = 0, .type = 1, .sector = 0, .n_sectors = 2, .length = 2 * SECTOR });
	add_extent(&(struct extent){ .at = SECTOR, .type = 1, .sector = 2, .n_sectors = 1, .length = SECTOR });
	fails(ERROR_CORRUPT, "inode 100000 extent item at 4096: begins before the previous item ends, at 8192");
}

#define data_test(f) cmocka_unit_test_setup_teardown(f, open_with_data, fs_image_close)

int main(void)
{
	const struct CMUnitTest tests[] = {
		data_test(holes_and_prealloc_are_zeros),
		data_test(nothing_past_the_size_comes_out),
		data_test(inline_data_may_be_followed_by_extents),
		data_test(compressed_inline_data_are_as_long_as_ram_bytes),
		data_test(parts_of_a_compressed_extent),
		data_test(checks_what_has_a_checksum),
		data_test(names_the_bytes_that_are_wrong),
		data_test(a_bad_sector_spoils_the_whole_compressed_extent),
		data_test(refuses_a_csum_item_of_no_size),
		data_test(refuses_what_it_cannot_read),
	};

	return cmocka_run_group_tests(tests, fs_image_make, fs_image_remove);
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Decompression: what compressors make, every truncation, wrong lengths, padding, and LZO's sector edges. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>
#include <lzo/lzo1x.h>
#include <zlib.h>
#include <zstd.h>

#include "common/fs/decompress.h"

#define SECTOR 4096u
#define PLAIN (5 * SECTOR)
#define ROOM (64u << 10)

static uint8_t plain[PLAIN], packed[ROOM], lzo_work[LZO1X_1_MEM_COMPRESS];

/* Text that compresses, every 16 bytes of it unique. */
static void fill_plain(uint8_t *bytes, size_t len)
{
	char text[32];

	for (size_t i = 0; i < len; i += 16) {
		snprintf(text, sizeof(text), "at %012zu.", i);
		memcpy(bytes + i, text, 16);
	}
}

static void put_le32(uint8_t *at, uint32_t value)
{
	const struct le32 disk = to_le32(value);

	memcpy(at, &disk, sizeof(disk));
}

/* As btrfs frames it. */
static size_t pack_lzo(const uint8_t *in, size_t in_len, uint32_t sector, uint8_t *out)
{
	size_t at = 4;

	for (size_t done = 0; done < in_len; done += sector) {
		lzo_uint len;

		if (sector - at % sector < 4) {
			memset(out + at, 0, sector - at % sector);
			at += sector - at % sector;
		}
		lzo1x_1_compress(in + done, in_len - done < sector ? in_len - done : sector, out + at + 4, &len, lzo_work);
		put_le32(out + at, len);
		at += 4 + len;
	}
	put_le32(out, at);
	return at;
}

static size_t pack(uint8_t compression)
{
	uLongf len = ROOM;

	switch (compression) {
	case COMPRESS_ZLIB:
		assert_int_equal(compress2(packed, &len, plain, PLAIN, 3), Z_OK);
		return len;
	case COMPRESS_LZO:
		return pack_lzo(plain, PLAIN, SECTOR, packed);
	default:
		return ZSTD_compress(packed, ROOM, plain, PLAIN, 3);
	}
}

/* Decodes from and to heap copies of exactly these lengths, so that ASan sees a byte too many. */
static bool decode(uint8_t compression, const uint8_t *in, size_t in_len, size_t out_len, uint32_t sector, uint8_t **out,
		   struct error *err)
{
	uint8_t *copy = malloc(in_len ? in_len : 1);

	*out = malloc(out_len ? out_len : 1);
	assert_non_null(copy);
	assert_non_null(*out);
	memcpy(copy, in, in_len);
	memset(*out, 0xaa, out_len);
	const bool ok = decompress(compression, copy, in_len, *out, out_len, sector, err);

	free(copy);
	return ok;
}

static void restores_what_was_packed(void **state)
{
	(void)state;
	for (uint8_t compression = COMPRESS_ZLIB; compression <= COMPRESS_ZSTD; compression++) {
		const size_t len = pack(compression);
		struct error err = { 0 };
		uint8_t *out;

		assert_true(decode(compression, packed, len, PLAIN, SECTOR, &out, &err));
		assert_memory_equal(out, plain, PLAIN);
		free(out);
	}
}

static void ignores_padding_after_the_data(void **state)
{
	(void)state;
	for (uint8_t compression = COMPRESS_ZLIB; compression <= COMPRESS_ZSTD; compression++) {
		const size_t len = pack(compression);
		const size_t padded = (len + SECTOR - 1) / SECTOR * SECTOR;
		struct error err = { 0 };
		uint8_t *out;

		memset(packed + len, 0, padded - len);
		assert_true(decode(compression, packed, padded, PLAIN, SECTOR, &out, &err));
		assert_memory_equal(out, plain, PLAIN);
		free(out);
	}
}

static void cuts_and_pads_the_output(void **state)
{
	(void)state;
	for (uint8_t compression = COMPRESS_ZLIB; compression <= COMPRESS_ZSTD; compression++) {
		const size_t len = pack(compression);
		struct error err = { 0 };
		uint8_t *out;

		assert_true(decode(compression, packed, len, 2 * SECTOR + 77, SECTOR, &out, &err));
		assert_memory_equal(out, plain, 2 * SECTOR + 77);
		free(out);
		assert_true(decode(compression, packed, len, PLAIN + 9, SECTOR, &out, &err));
		assert_memory_equal(out, plain, PLAIN);
		for (size_t i = PLAIN; i < PLAIN + 9; i++)
			assert_int_equal(out[i], 0);
		free(out);
	}
}

/* A checksum that is cut off does no harm once the output is full: csums are checked elsewhere. */
static void refuses_every_truncation(void **state)
{
	(void)state;
	for (uint8_t compression = COMPRESS_ZLIB; compression <= COMPRESS_ZSTD; compression++) {
		const size_t len = pack(compression);

		for (size_t cut = 0; cut + 16 < len; cut++) {
			struct error err = { 0 };
			uint8_t *out;

			assert_false(decode(compression, packed, cut, PLAIN, SECTOR, &out, &err));
			assert_int_equal(err.kind, ERROR_CORRUPT);
			assert_string_not_equal(err.text, "");
			free(out);
		}
	}
}

static void survives_every_wrong_byte(void **state)
{
	(void)state;
	for (uint8_t compression = COMPRESS_ZLIB; compression <= COMPRESS_ZSTD; compression++) {
		const size_t len = pack(compression);
		size_t n_refused = 0;

		for (size_t i = 0; i < len; i++) {
			struct error err = { 0 };
			uint8_t *out;

			packed[i] ^= 0x5b;
			if (!decode(compression, packed, len, PLAIN, SECTOR, &out, &err)) {
				assert_int_equal(err.kind, ERROR_CORRUPT);
				n_refused++;
			}
			packed[i] ^= 0x5b;
			free(out);
		}
		assert_true(n_refused > 0);
	}
}

/*
 * Segments whose ends fall on every distance from a sector edge.  flat: how much of the first sector compresses; each run of many makes it one byte
 * longer, which moves every later segment.  The number of segments that begin behind padding.
 */
static unsigned decode_around_edges(uint32_t sector, size_t n_segments, size_t flat, size_t n_runs)
{
	static uint8_t noise[3 * 65536], buffer[6 * 65536];
	uint32_t seed = 1;
	unsigned n_edges = 0;

	for (size_t i = 0; i < n_segments * sector; i++) {
		seed = seed * 1664525 + 1013904223;
		noise[i] = i < flat ? 'x' : seed >> 24;
	}
	for (size_t run = 0; run < n_runs; run++) {
		struct error err = { 0 };
		uint8_t *out;

		noise[flat + run] = 'x';
		const size_t len = pack_lzo(noise, n_segments * sector, sector, buffer);

		for (size_t at = 4, n = 0; n < n_segments; n++) {
			if (sector - at % sector < 4) {
				at += sector - at % sector;
				n_edges++;
			}
			struct le32 length;

			memcpy(&length, buffer + at, 4);
			at += 4 + le32(length);
		}
		assert_true(decode(COMPRESS_LZO, buffer, len, n_segments * sector, sector, &out, &err));
		assert_memory_equal(out, noise, n_segments * sector);
		free(out);
	}
	return n_edges;
}

static void lzo_length_never_crosses_a_sector(void **state)
{
	(void)state;
	assert_true(decode_around_edges(4096, 8, 8, 600) > 0);
	assert_true(decode_around_edges(8192, 8, 8, 600) > 0);
	assert_true(decode_around_edges(65536, 3, 8, 600) > 0);
}

/* What would be an edge of sectors of 4096 is none of larger ones. */
static void lzo_lengths_cross_other_edges(void **state)
{
	(void)state;
	assert_int_equal(decode_around_edges(8192, 1, 3900, 500), 0);
	assert_int_equal(decode_around_edges(8192, 2, 3900, 500), 0);
	assert_int_equal(decode_around_edges(65536, 2, 3900, 500), 0);
}

static void lzo_segments_follow_the_sector_size(void **state)
{
	static uint8_t big[256u << 10], buffer[300u << 10];
	static const uint32_t sizes[] = { 4096, 8192, 16384, 65536 };

	(void)state;
	fill_plain(big, sizeof(big));
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		const size_t len = pack_lzo(big, sizeof(big), sizes[i], buffer);
		struct error err = { 0 };
		uint8_t *out;

		assert_true(decode(COMPRESS_LZO, buffer, len, sizeof(big), sizes[i], &out, &err));
		assert_memory_equal(out, big, sizeof(big));
		free(out);
		/* With a smaller sector the segments decode to more than one sector. */
		if (i == 0)
			continue;
		assert_false(decode(COMPRESS_LZO, buffer, len, sizeof(big), sizes[i - 1], &out, &err));
		free(out);
	}
}

static void refuses_wrong_lengths(void **state)
{
	static const struct { uint32_t total, segment; const char *text; } wrong[] = {
		{ 3, 5, "lzo data: total length is 3, not 4 to 32" },
		{ 33, 5, "lzo data: total length is 33, not 4 to 32" },
		{ 6, 5, "lzo data at 4: 2 bytes left, a segment length takes 4" },
		{ 32, 0, "lzo data at 8: segment length is 0, not 1 to 24" },
		{ 32, 25, "lzo data at 8: segment length is 25, not 1 to 24" },
		{ 32, 0xffffffff, "lzo data at 8: segment length is 4294967295, not 1 to 24" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		uint8_t bytes[32] = { 0 };
		struct error err = { 0 };
		uint8_t *out;

		put_le32(bytes, wrong[i].total);
		put_le32(bytes + 4, wrong[i].segment);
		assert_false(decode(COMPRESS_LZO, bytes, sizeof(bytes), 100, SECTOR, &out, &err));
		assert_string_equal(err.text, wrong[i].text);
		free(out);
	}
}

static void refuses_unknown_compression(void **state)
{
	struct error err = { 0 };
	uint8_t *out;

	(void)state;
	assert_false(decode(4, plain, 16, 16, SECTOR, &out, &err));
	assert_string_equal(err.text, "compression is 4, not 1 to 3");
	free(out);
	assert_false(decode(COMPRESS_NONE, plain, 16, 16, SECTOR, &out, &err));
	free(out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(restores_what_was_packed),
		cmocka_unit_test(ignores_padding_after_the_data),
		cmocka_unit_test(cuts_and_pads_the_output),
		cmocka_unit_test(refuses_every_truncation),
		cmocka_unit_test(survives_every_wrong_byte),
		cmocka_unit_test(lzo_length_never_crosses_a_sector),
		cmocka_unit_test(lzo_lengths_cross_other_edges),
		cmocka_unit_test(lzo_segments_follow_the_sector_size),
		cmocka_unit_test(refuses_wrong_lengths),
		cmocka_unit_test(refuses_unknown_compression),
	};

	fill_plain(plain, sizeof(plain));
	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Decodes compressed extents: zlib, LZO in the framing of btrfs, zstd. The input is hostile; the caller bounds the output. */
#include "common/fs/decompress.h"

#include <inttypes.h>
#include <lzo/lzo1x.h>
#include <stdlib.h>
#define ZLIB_CONST	/* next_in is const */
#include <zlib.h>
#define ZSTD_STATIC_LINKING_ONLY	/* for ZSTD_createDCtx_advanced() */
#include <zstd.h>

#include "common/crypto/secret.h"

/* An extent of at most 1 MiB decoded bytes needs no more. The kernel's own limit is 17. */
#define ZSTD_WINDOW_LOG_MAX 20

#define LZO_LENGTH_SIZE 4u

/* --- what the libraries take and give back: windows and tables, with plain text in them ------------------------ */

struct taken {
	size_t len;
	max_align_t bytes[];
};

static void *take_bytes(void *opaque, size_t len)
{
	struct taken *taken = malloc(sizeof(*taken) + len);

	(void)opaque;
	if (!taken)
		return NULL;
	taken->len = len;
	return taken->bytes;
}

static void give_back(void *opaque, void *bytes)
{
	struct taken *taken = bytes ? (struct taken *)((uint8_t *)bytes - offsetof(struct taken, bytes)) : NULL;

	(void)opaque;
	if (taken)
		wiped_free(taken, sizeof(*taken) + taken->len);
}

/* The bounds of zlib itself keep the product small. */
static void *take_array(void *opaque, unsigned n, unsigned size)
{
	return take_bytes(opaque, (size_t)n * size);
}

/* --- the three ---------------------------------------------------------------------------------------------------- */

static bool inflate_zlib(const uint8_t *in, size_t in_len, uint8_t *out, size_t out_len, size_t *done, struct error *err)
{
	z_stream stream = {
		.next_in = in,
		.avail_in = in_len,
		.next_out = out,
		.avail_out = out_len,
		.zalloc = take_array,
		.zfree = give_back,
	};
	int status;

	if (inflateInit(&stream) != Z_OK)
		return error_memory(err);
	/* One call decides, because it gets all the input and all the room. */
	status = inflate(&stream, Z_FINISH);
	*done = stream.total_out;
	const size_t used = stream.total_in;
	inflateEnd(&stream);
	/* A full output is enough: the padding up to a sector may decode to more bytes than the file has. */
	if (status == Z_STREAM_END || *done == out_len)
		return true;
	if (status == Z_MEM_ERROR)
		return error_memory(err);
	return error_set(err, ERROR_CORRUPT, "zlib data: %s after %zu of %zu bytes, %zu of %zu bytes decoded",
			 status == Z_DATA_ERROR ? "invalid" : status == Z_NEED_DICT ? "wants a dictionary" : "ends early",
			 used, in_len, *done, out_len);
}

static bool inflate_zstd(const uint8_t *in, size_t in_len, uint8_t *out, size_t out_len, size_t *done, struct error *err)
{
	ZSTD_inBuffer from = { in, in_len, 0 };
	ZSTD_outBuffer to = { out, out_len, 0 };
	ZSTD_DCtx *context = ZSTD_createDCtx_advanced((ZSTD_customMem){ take_bytes, give_back, NULL });
	bool ok = true;
	size_t more;

	if (!context)
		return error_memory(err);
	ZSTD_DCtx_setParameter(context, ZSTD_d_windowLogMax, ZSTD_WINDOW_LOG_MAX);
	/* Stops at the end of the first frame: padding up to the sector follows. */
	do {
		const size_t had_in = from.pos, had_out = to.pos;

		more = ZSTD_decompressStream(context, &to, &from);
		if (ZSTD_isError(more))
			ok = error_set(err, ERROR_CORRUPT, "zstd data: %s after %zu of %zu bytes, %zu of %zu bytes decoded",
				       ZSTD_getErrorName(more), from.pos, in_len, to.pos, out_len);
		else if (more != 0 && to.pos < out_len && from.pos == had_in && to.pos == had_out)
			ok = error_set(err, ERROR_CORRUPT, "zstd data: ends early after %zu bytes, %zu of %zu bytes decoded",
				       from.pos, to.pos, out_len);
	} while (ok && more != 0 && to.pos < out_len);
	*done = to.pos;
	ZSTD_freeDCtx(context);
	return ok;
}

static uint32_t lzo_length(const uint8_t *at)
{
	struct le32 length;

	memcpy(&length, at, sizeof(length));
	return le32(length);
}

struct segments {
	const uint8_t *in;
	size_t in_len;
	uint32_t sector_size;
	uint8_t *sector;	/* room for what one segment decodes to */
};

/*
 * The format is four bytes with the total length, then segments. A segment is four bytes of length, then that many bytes of LZO1X, which decode
 * to at most one sector. The length of a segment never crosses a sector edge: if fewer than four bytes are left before it, they are padding.
 */
static bool inflate_lzo_segments(const struct segments *s, uint8_t *out, size_t out_len, size_t *done, struct error *err)
{
	const uint8_t *const in = s->in;
	const size_t in_len = s->in_len;

	if (in_len < LZO_LENGTH_SIZE)
		return error_set(err, ERROR_CORRUPT, "lzo data: %zu bytes, the length takes %u", in_len, LZO_LENGTH_SIZE);

	const size_t total = lzo_length(in);
	size_t at = LZO_LENGTH_SIZE;

	if (total < LZO_LENGTH_SIZE || total > in_len)
		return error_set(err, ERROR_CORRUPT, "lzo data: total length is %zu, not %u to %zu", total, LZO_LENGTH_SIZE,
				 in_len);
	*done = 0;
	while (*done < out_len) {
		const size_t sector_left = s->sector_size - at % s->sector_size;
		lzo_uint decoded = s->sector_size;

		if (sector_left < LZO_LENGTH_SIZE)
			at += sector_left;
		if (at >= total)
			return true;
		if (total - at < LZO_LENGTH_SIZE)
			return error_set(err, ERROR_CORRUPT, "lzo data at %zu: %zu bytes left, a segment length takes %u", at,
					 total - at, LZO_LENGTH_SIZE);

		const size_t length = lzo_length(in + at);

		at += LZO_LENGTH_SIZE;
		if (length == 0 || length > total - at)
			return error_set(err, ERROR_CORRUPT, "lzo data at %zu: segment length is %zu, not 1 to %zu", at, length,
					 total - at);

		const int status = lzo1x_decompress_safe(in + at, length, s->sector, &decoded, NULL);

		if (status != LZO_E_OK)
			return error_set(err, ERROR_CORRUPT, "lzo data at %zu: segment of %zu bytes: error %d", at, length, status);

		const size_t take = decoded < out_len - *done ? decoded : out_len - *done;

		memcpy(out + *done, s->sector, take);
		*done += take;
		at += length;
	}
	return true;
}

static bool inflate_lzo(const uint8_t *in, size_t in_len, uint8_t *out, size_t out_len, uint32_t sector_size, size_t *done,
			struct error *err)
{
	const struct segments segments = { in, in_len, sector_size, malloc(sector_size) };
	bool ok;

	if (!segments.sector)
		return error_memory(err);
	ok = inflate_lzo_segments(&segments, out, out_len, done, err);
	wiped_free(segments.sector, sector_size);
	return ok;
}

bool decompress(uint8_t compression, const uint8_t *in, size_t in_len, uint8_t *out, size_t out_len, uint32_t sector_size,
		struct error *err)
{
	size_t done = 0;
	bool ok;

	switch (compression) {
	case COMPRESS_ZLIB:
		ok = inflate_zlib(in, in_len, out, out_len, &done, err);
		break;
	case COMPRESS_LZO:
		ok = inflate_lzo(in, in_len, out, out_len, sector_size, &done, err);
		break;
	case COMPRESS_ZSTD:
		ok = inflate_zstd(in, in_len, out, out_len, &done, err);
		break;
	default:
		return error_set(err, ERROR_CORRUPT, "compression is %u, not %u to %u", compression, COMPRESS_ZLIB, COMPRESS_ZSTD);
	}
	if (ok && done < out_len)
		memset(out + done, 0, out_len - done);
	return ok;
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Compressed extents: zlib, lzo, zstd. */
#ifndef COMMON_FS_DECOMPRESS_H
#define COMMON_FS_DECOMPRESS_H

#include "format/file-extent.h"

/* Decompresses exactly out_len bytes (shorter input is zero padded; ERROR_CORRUPT for anything invalid). LZO needs sector_size. */
bool decompress(uint8_t compression, const uint8_t *in, size_t in_len, uint8_t *out, size_t out_len, uint32_t sector_size,
		struct error *err) must_use;

#endif /* COMMON_FS_DECOMPRESS_H */

/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Chunk items, and arrays of them. */
#include "tests/fuzz/fuzz.h"

#include "format/chunk.h"

static struct chunk_stripe room[CHUNK_STRIPES_MAX];

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	struct cursor input = { bytes, len, 0 };
	struct error err = { 0 };
	struct chunk chunk;
	char text[64];

	if (fuzz_choice(&input) % 2 == 0) {
		if (chunk_read(&input, 0x1500000, 4096, room, &chunk, &err))
			chunk_type_text(chunk.type, text);
		return 0;
	}
	while (input.left > 0 && chunk_array_next(&input, 4096, room, &chunk, &err))
		chunk_type_text(chunk.type, text);
	return 0;
}

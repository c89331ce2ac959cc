/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Compressed extents: algorithm, sector size and output length from the first two bytes, then the data. */
#include <stdlib.h>

#include "tests/fuzz/fuzz.h"

#include "common/fs/decompress.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	struct cursor input = { bytes, len, 0 };
	const uint8_t compression = fuzz_choice(&input) % 4 + 1;
	const uint8_t sizes = fuzz_choice(&input);
	const uint32_t sector_size = 4096u << sizes % 5;
	/* Whole sectors, and inline extents of odd lengths. */
	const size_t out_len = sizes & 0x80 ? (sizes & 0x7fu) + 1 : (1 + sizes % 8) * 4096u;
	uint8_t *out = malloc(out_len);
	struct error err = { 0 };

	if (!out)
		return 0;
	if (decompress(compression, input.at, input.left, out, out_len, sector_size, &err))
		fuzz_touch((struct cursor){ out, out_len, 0 });
	free(out);
	return 0;
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
/* File extents at the start of a file and inside it, with every sector size. */
#include "tests/fuzz/fuzz.h"

#include "format/file-extent.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	struct cursor input = { bytes, len, 0 };
	const uint8_t choice = fuzz_choice(&input);
	const uint32_t sector_size = 4096u << choice / 2 % 5;
	struct error err = { 0 };
	struct file_extent extent;

	if (file_extent_read(&input, choice % 2 * 65536u, sector_size, &extent, &err))
		fuzz_touch(extent.payload);
	return 0;
}

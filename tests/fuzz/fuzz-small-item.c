/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Items of one or two numbers. */
#include "tests/fuzz/fuzz.h"

#include "format/small-item.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	struct cursor input = { bytes, len, 0 };
	struct error err = { 0 };
	struct space_cache cache;
	uint64_t number;

	switch (fuzz_choice(&input) % 3) {
	case 0:
		while (input.left > 0 && uuid_item_next(&input, &number, &err))
			continue;
		break;
	case 1:
		(void)!dir_log_read(&input, &number, &err);
		break;
	default:
		(void)!space_cache_read(&input, &cache, &err);
		break;
	}
	return 0;
}

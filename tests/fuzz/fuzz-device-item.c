/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Items about devices, and lists of stripes. */
#include "tests/fuzz/fuzz.h"

#include "format/device-item.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	struct cursor input = { bytes, len, 0 };
	struct error err = { 0 };
	struct device_item device;
	struct device_extent extent;
	struct device_stats stats;
	struct device_replace replace;
	struct stripe_copy place;
	uint8_t encoding;
	bool has_head;

	switch (fuzz_choice(&input) % 5) {
	case 0:
		(void)!device_item_read(&input, &device, &err);
		break;
	case 1:
		(void)!device_extent_read(&input, &extent, &err);
		break;
	case 2:
		if (device_stats_read(&input, &stats, &err))
			fuzz_touch(stats.more);
		break;
	case 3:
		(void)!device_replace_read(&input, &replace, &err);
		break;
	default:
		if (stripe_extent_begin(&input, &has_head, &encoding, &err))
			while (input.left > 0 && stripe_extent_next(&input, &place, &err))
				continue;
		break;
	}
	return 0;
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Sizes for people. */
#include "cmd/size-text.h"

#include <inttypes.h>
#include <stdio.h>

#include "common/util/plural.h"

const char *size_text(uint64_t bytes, char text[SIZE_TEXT_SIZE])
{
	static const char *const unit[] = { "B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB" };
	unsigned i = 0;

	/* Rounded from whole numbers of the next smaller unit, as btrfs-progs do. */
	for (; bytes >= 1024 * 1024 && i + 2 < sizeof(unit) / sizeof(unit[0]); i++)
		bytes /= 1024;
	if (bytes >= 1024)
		snprintf(text, SIZE_TEXT_SIZE, "%.2f%s", (double)bytes / 1024, unit[i + 1]);
	else
		snprintf(text, SIZE_TEXT_SIZE, "%.2f%s", (double)bytes, unit[i]);
	return text;
}

const char *size_with_bytes(uint64_t bytes, char text[SIZE_WITH_BYTES])
{
	char readable[SIZE_TEXT_SIZE];

	if (bytes < 1024)
		snprintf(text, SIZE_WITH_BYTES, "%" PRIu64 " byte%s", bytes, plural(bytes));
	else
		snprintf(text, SIZE_WITH_BYTES, "%s (%" PRIu64 " bytes)", size_text(bytes, readable), bytes);
	return text;
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Sizes for people. */
#include "cmd/size-text.h"

#include <stdio.h>

const char *size_text(uint64_t bytes, char text[SIZE_TEXT_SIZE])
{
	static const char *const unit[] = { "B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB" };
	double size = (double)bytes;
	unsigned i = 0;

	for (; size >= 1024 && i + 1 < sizeof(unit) / sizeof(unit[0]); i++)
		size /= 1024;
	snprintf(text, SIZE_TEXT_SIZE, "%.2f%s", size, unit[i]);
	return text;
}

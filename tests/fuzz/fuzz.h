/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the fuzz targets share: they compare nothing, but touch every byte that a reader hands out. */
#ifndef TESTS_FUZZ_FUZZ_H
#define TESTS_FUZZ_FUZZ_H

#include <stddef.h>
#include <stdint.h>

#include "format/cursor.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

static inline void fuzz_touch(struct cursor part)
{
	volatile uint8_t sum = 0;

	for (size_t i = 0; i < part.left; i++)
		sum = (uint8_t)(sum + part.at[i]);
}

/* The first byte, for a target that has to choose. */
static inline uint8_t fuzz_choice(struct cursor *input)
{
	uint8_t choice = 0;

	return cursor_read(input, &choice, 1) ? choice : 0;
}

#endif /* TESTS_FUZZ_FUZZ_H */

/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Counts comparisons: for one test program, which has this in it.  What the program links stands before what the library has. */
#ifndef TESTS_UNIT_COUNT_COMPARED_H
#define TESTS_UNIT_COUNT_COMPARED_H

#include <stddef.h>
#include <stdint.h>

static size_t n_compared;

int memcmp(const void *a, const void *b, size_t n)
{
	const uint8_t *x = a, *y = b;

	n_compared++;
	for (size_t i = 0; i < n; i++) {
		if (x[i] != y[i])
			return x[i] < y[i] ? -1 : 1;
	}
	return 0;
}

#endif /* TESTS_UNIT_COUNT_COMPARED_H */

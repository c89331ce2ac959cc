/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "common/util/sorted64.h"

#include <stdlib.h>

#include "common/util/lower-bound.h"

static int compare(const void *a, const void *b)
{
	const uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

void sort64(uint64_t *at, size_t n)
{
	if (n > 0)
		qsort(at, n, sizeof(*at), compare);
}

size_t sort64_unique(uint64_t *at, size_t n)
{
	size_t kept = 0;

	sort64(at, n);
	for (size_t i = 0; i < n; i++) {
		if (kept == 0 || at[kept - 1] != at[i])
			at[kept++] = at[i];
	}
	return kept;
}

const uint64_t *sorted64_find(const uint64_t *at, size_t n, uint64_t number)
{
	const size_t i = LOWER_BOUND(k, n, at[k] < number);

	return i < n && at[i] == number ? &at[i] : NULL;
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Binary search in sorted data. */
#ifndef COMMON_UTIL_LOWER_BOUND_H
#define COMMON_UTIL_LOWER_BOUND_H

#include <stddef.h>

/*
 * The lowest i from 0 to n for which is_before, an expression of i, is false; n if it is true for all. is_before must be true for
 * everything before the first i for which it is false. It is evaluated for i < n only.
 */
#define LOWER_BOUND(i, n, is_before)						\
	__extension__({								\
		size_t low_##i = 0, high_##i = (n);				\
		while (low_##i < high_##i) {					\
			const size_t i = low_##i + (high_##i - low_##i) / 2;	\
			if (is_before)						\
				low_##i = i + 1;				\
			else							\
				high_##i = i;					\
		}								\
		low_##i;							\
	})

#endif /* COMMON_UTIL_LOWER_BOUND_H */

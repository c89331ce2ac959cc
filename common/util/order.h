/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Comparison functions for qsort(). */
#ifndef COMMON_UTIL_ORDER_H
#define COMMON_UTIL_ORDER_H

#define ORDER(x, y) ((x) < (y) ? -1 : (x) > (y))	/* evaluates both twice */

/* static int NAME(const void *, const void *): ascending by a number in TYPE, then by a second and a third one. */
#define ORDER_BY(name, type, first) ORDER_BY_3(name, type, first, first, first)
#define ORDER_BY_2(name, type, first, second) ORDER_BY_3(name, type, first, second, second)
#define ORDER_BY_3(name, type, first, second, third)								\
	static int name(const void *a, const void *b)								\
	{													\
		const type *x = a, *y = b;									\
		const int order = x->first != y->first ? ORDER(x->first, y->first) : ORDER(x->second, y->second);	\
														\
		return order ? order : ORDER(x->third, y->third);						\
	}													\
	static int name(const void *a, const void *b)	/* takes the semicolon */

#endif /* COMMON_UTIL_ORDER_H */

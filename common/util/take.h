/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Handing over what a variable owns. */
#ifndef COMMON_UTIL_TAKE_H
#define COMMON_UTIL_TAKE_H

#include <stddef.h>

/* Yields the pointer, and sets the variable to NULL: its cleanup, if it has one, then leaves alone what has a new owner. */
#define TAKE(pointer)					\
	__extension__({					\
		__typeof__(pointer) taken = (pointer);	\
		(pointer) = NULL;			\
		taken;					\
	})

#endif /* COMMON_UTIL_TAKE_H */

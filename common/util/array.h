/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A growing array: a pointer to malloced elements, how many are in use, and for how many there is room. Begin with NULL, 0 and 0. */
#ifndef COMMON_UTIL_ARRAY_H
#define COMMON_UTIL_ARRAY_H

#include <stddef.h>

#include "format/error.h"

/*
 * Makes room for at least one element after the n in use, so that at[n] may be written to. Returns false if there is no memory; the array
 * stays as it is. An array that grows has twice the room afterwards: while it is copied both are in memory, three times what is in use.
 * at and room are variables, and evaluated more than once. The array moves: what points into it must not be used any more.
 */
#define ARRAY_ROOM(at, n, room, err)								\
	__extension__({										\
		void *array_now = (at);								\
		if ((n) >= (room)) {								\
			array_now = array_grown((at), &(room), sizeof(*(at)), (err));		\
			(at) = array_now ? array_now : (at);					\
		}										\
		array_now != NULL;								\
	})

/* For ARRAY_ROOM(). Returns the array with twice the room, or NULL. */
void *array_grown(void *at, size_t *room, size_t size, struct error *err) must_use;

#endif /* COMMON_UTIL_ARRAY_H */

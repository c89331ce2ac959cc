/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Doubling only costs address space: pages of a large array that were never written to take no memory. */
#include "common/util/array.h"

#include <stdlib.h>

#define FIRST_ROOM 16

void *array_grown(void *at, size_t *room, size_t size, struct error *err)
{
	const size_t more = *room ? 2 * *room : FIRST_ROOM;	/* not more: too large for a number */
	void *grown = more > *room ? reallocarray(at, more, size) : NULL;

	if (!grown)
		error_memory(err);
	else
		*room = more;
	return grown;
}

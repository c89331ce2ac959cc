/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Memory that is taken before it is needed, for work that must not fail in the middle: whoever has it can allocate so much in all, in any
 * pieces, and libraries can as well.
 */
#ifndef COMMON_UTIL_HELD_MEMORY_H
#define COMMON_UTIL_HELD_MEMORY_H

#include <stddef.h>

#include "format/error.h"

/*
 * From now on malloc() has so many bytes, beside what is in use, that nobody has to be asked for, and keeps whatever is freed.  The pages are not
 * touched: what is not used takes address space (and counts where a limit is set, or the machine promises no more than it has), but no memory.
 * The stack gets room, too.  ERROR_MEMORY.
 */
bool memory_hold(size_t bytes, struct error *err) must_use;

#endif /* COMMON_UTIL_HELD_MEMORY_H */

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Memory reserved before it is needed, for work that must not fail in the middle. Afterwards that much can be allocated in all, in any
 * pieces, also by libraries.
 */
#ifndef COMMON_UTIL_HELD_MEMORY_H
#define COMMON_UTIL_HELD_MEMORY_H

#include <stddef.h>

#include "format/error.h"

/*
 * From now on malloc() has this many bytes, beyond those in use, without asking the system, and keeps whatever is freed. The pages are not
 * touched: unused ones take address space (and count where a limit is set, or the machine does not overcommit), but no memory. The stack
 * gets room too. ERROR_MEMORY.
 */
bool memory_hold(size_t bytes, struct error *err) must_use;

#endif /* COMMON_UTIL_HELD_MEMORY_H */

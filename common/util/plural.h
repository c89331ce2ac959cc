/* SPDX-License-Identifier: GPL-2.0-or-later */
/* "1 file", "2 files". */
#ifndef COMMON_UTIL_PLURAL_H
#define COMMON_UTIL_PLURAL_H

#include <stdint.h>

/* Goes after a noun. */
static inline const char *plural(uint64_t n)
{
	return n == 1 ? "" : "s";
}

/* Goes after a noun and includes the verb: "%s is", "%ss are". */
static inline const char *plural_is(uint64_t n)
{
	return n == 1 ? " is" : "s are";
}

#endif /* COMMON_UTIL_PLURAL_H */

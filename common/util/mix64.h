/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The finaliser of MurmurHash3: every bit of the input reaches every bit of the result. */
#ifndef COMMON_UTIL_MIX64_H
#define COMMON_UTIL_MIX64_H

#include <stdint.h>

static inline uint64_t mix64(uint64_t x)
{
	x ^= x >> 33;
	x *= 0xff51afd7ed558ccdull;
	x ^= x >> 33;
	x *= 0xc4ceb9fe1a85ec53ull;
	return x ^ x >> 33;
}

#endif /* COMMON_UTIL_MIX64_H */

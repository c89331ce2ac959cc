/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A hash of bytes that is fast and no secret: for sets of names and texts. Whoever chooses the bytes must not know the seed. */
#ifndef COMMON_UTIL_HASH64_H
#define COMMON_UTIL_HASH64_H

#include <stddef.h>
#include <stdint.h>

uint64_t hash64(const void *bytes, size_t len, uint64_t seed);

#endif /* COMMON_UTIL_HASH64_H */

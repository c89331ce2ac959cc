/* SPDX-License-Identifier: GPL-2.0-or-later */
/* XXH3. */
#include "common/util/hash64.h"

#include <xxhash.h>

uint64_t hash64(const void *bytes, size_t len, uint64_t seed)
{
	return XXH3_64bits_withSeed(bytes, len, seed);
}

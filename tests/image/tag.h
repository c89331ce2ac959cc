/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Test data that say where they belong: every 16 bytes name the run, the file and the place in it, so that a search for plain text
 * finds any aligned 16 bytes of it.  The readable form compresses; the scrambled form does not, and only who knows the seed sees the tag.
 */
#ifndef TESTS_IMAGE_TAG_H
#define TESTS_IMAGE_TAG_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

enum { TAG_BYTES = 16 };

struct tag_key {
	uint64_t magic;		/* no zero byte in it: symlink targets carry it too */
	uint64_t round[4];
};

static inline uint64_t tag_mix(uint64_t x)
{
	x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9;
	x = (x ^ x >> 27) * 0x94d049bb133111eb;
	return x ^ x >> 31;
}

static inline struct tag_key tag_key_of(uint64_t seed)
{
	struct tag_key key;

	key.magic = tag_mix(seed + 0x9e3779b97f4a7c15) | 0x8080808080808080;
	for (unsigned i = 0; i < 4; i++)
		key.round[i] = tag_mix(seed ^ (i + 2) * 0x9e3779b97f4a7c15);
	return key;
}

/* A Feistel network: no cipher, but no run, period or common prefix is left. */
static inline void tag_scramble(const struct tag_key *key, uint64_t half[2])
{
	for (unsigned i = 0; i < 4; i++) {
		const uint64_t left = half[0];

		half[0] = half[1];
		half[1] = left ^ tag_mix(half[1] + key->round[i]);
	}
}

static inline void tag_unscramble(const struct tag_key *key, uint64_t half[2])
{
	for (unsigned i = 4; i-- > 0;) {
		const uint64_t right = half[1];

		half[1] = half[0];
		half[0] = right ^ tag_mix(half[0] + key->round[i]);
	}
}

static inline void tag_write(const struct tag_key *key, uint32_t file, uint64_t group, bool scrambled, uint8_t out[TAG_BYTES])
{
	uint64_t half[2] = { key->magic, (uint64_t)file << 32 | (uint32_t)group };

	if (scrambled)
		tag_scramble(key, half);
	memcpy(out, half, TAG_BYTES);
}

/* Is this a scrambled tag of the run?  Says whose. */
static inline bool tag_read_scrambled(const struct tag_key *key, const uint8_t in[TAG_BYTES], uint32_t *file, uint32_t *group)
{
	uint64_t half[2];

	memcpy(half, in, TAG_BYTES);
	tag_unscramble(key, half);
	*file = half[1] >> 32;
	*group = (uint32_t)half[1];
	return half[0] == key->magic;
}

#endif /* TESTS_IMAGE_TAG_H */

/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A checksum that must match no mirror, while somebody made the mirrors so that what is tried first matches them. */
#include "common/convert/bad-blocks.h"

#include "common/convert/csum-update.h"
#include "common/volume/csum.h"
#include "common/volume/devices.h"
#include "common/volume/mirror.h"
#include "tests/unit/set-fixture.h"

#define CSUM 0x12345678u

static uint32_t crc(const uint8_t block[CRYPT_BLOCK])
{
	uint8_t bytes[CSUM_SIZE];

	csum_compute(CSUM_CRC32C, block, CRYPT_BLOCK, bytes);
	return bytes[0] | bytes[1] << 8 | bytes[2] << 16 | (uint32_t)bytes[3] << 24;
}

/* Makes the last four bytes so that the block has this checksum: each of their bits flips the same bits of it, always. */
static void forge(uint8_t block[CRYPT_BLOCK], uint32_t wanted)
{
	uint32_t flips[32], bits[32], *tail = (uint32_t *)(block + CRYPT_BLOCK - sizeof(uint32_t)), chosen = 0;

	*tail = 0;

	const uint32_t zero = crc(block);
	uint32_t rest = wanted ^ zero;

	for (unsigned i = 0; i < 32; i++) {
		*tail = bits[i] = 1u << i;
		flips[i] = crc(block) ^ zero;
	}
	for (unsigned bit = 0; bit < 32; bit++) {
		unsigned with = bit;

		while (with < 32 && !(flips[with] >> bit & 1))
			with++;
		assert_true(with < 32);

		const uint32_t flip = flips[with], by = bits[with];

		flips[with] = flips[bit];
		bits[with] = bits[bit];
		flips[bit] = flip;
		bits[bit] = by;
		for (unsigned i = bit + 1; i < 32; i++) {
			if (flips[i] >> bit & 1) {
				flips[i] ^= flip;
				bits[i] ^= by;
			}
		}
		if (rest >> bit & 1) {
			rest ^= flip;
			chosen ^= by;
		}
	}
	*tail = chosen;
	assert_int_equal(crc(block), wanted);
}

static void three_mirrors(void **state)
{
	static const uint64_t mib[] = { 200, 200, 200 };
	static const uint32_t flips[] = { 0, 1, 3, 2 };
	const struct chunk *chunk;
	struct conversion c = { 0 };
	uint8_t block[CRYPT_BLOCK], stored[CSUM_SIZE] = { 0x78, 0x56, 0x34, 0x12 };
	uint64_t at = 0;
	bool has;

	(void)state;
	make_and_open(3, mib, "-m raid1c3 -d raid1c3");
	for (size_t i = 0; i < volume->n_chunks; i++)
		at = volume->chunks[i].type & GROUP_DATA ? volume->chunks[i].logical + MIB : at;
	ok(volume_chunk(volume, at, &chunk, &err));
	assert_int_equal(chunk_n_mirrors(chunk), 3);
	for (unsigned i = 0; i < 3; i++) {
		const struct volume_device *device = volume_device_find(volume, chunk->stripe[i].devid, chunk->stripe[i].dev_uuid);

		memset(block, (int)i + 1, sizeof(block));
		forge(block, CSUM ^ flips[i]);
		ok(device_write(device->device, block, sizeof(block), chunk_physical(chunk, at, i), &err));
	}

	const struct key key = { EXTENT_CSUM_ID, KEY_EXTENT_CSUM, at };

	begin();
	ok(tree_insert(tx, CSUM_TREE_ID, &key, stored, 4, &err));
	c.volume = volume;
	alarm(20);
	ok(csum_spoil(&c, tx, at, &err));
	alarm(0);
	ok(csum_get(volume, at, stored, &has, &err));
	assert_true(has);
	for (unsigned i = 0; i < 3; i++) {
		ok(volume_read(volume, at, block, sizeof(block), i, &err));
		assert_false(csum_matches(CSUM_CRC32C, block, sizeof(block), stored));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(three_mirrors, remove_set),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

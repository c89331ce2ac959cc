/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The four checksums of btrfs, in the form in which it stores them. */
#include "common/volume/csum.h"

#include <isa-l/crc.h>
#include <sodium.h>
#include <xxhash.h>

#include "common/crypto/key-schedule.h"

/* The library takes the length as an int, and a pointer to bytes that it does not change. */
static uint32_t crc32c(const uint8_t *bytes, size_t len)
{
	const size_t step_max = 1u << 30;
	uint32_t crc = ~0u;

	while (len > 0) {
		const size_t step = len < step_max ? len : step_max;

		crc = crc32_iscsi((unsigned char *)(uintptr_t)bytes, (int)step, crc);
		bytes += step;
		len -= step;
	}
	return ~crc;
}

static void blake2b_256(const void *bytes, size_t len, uint8_t out[32])
{
	static bool ready;

	/* The result does not depend on this. It lets the library choose code for this processor. */
	if (!ready)
		ready = sodium_init() >= 0;
	crypto_generichash_blake2b(out, 32, bytes, len, NULL, 0);
}

/* libcrypto uses the processor's own instructions, which makes it five times as fast. The fallback, libsodium, cannot fail. */
static void sha256(const void *bytes, size_t len, uint8_t out[32])
{
	struct error unused;

	if (!crypto_sha256(bytes, len, out, &unused))
		crypto_hash_sha256(out, bytes, len);
}

void csum_compute(enum csum_type type, const void *bytes, size_t len, uint8_t *out)
{
	struct le32 crc;
	struct le64 hash;

	switch (type) {
	case CSUM_CRC32C:
		crc = to_le32(crc32c(bytes, len));
		memcpy(out, &crc, sizeof(crc));
		break;
	case CSUM_XXHASH64:
		hash = to_le64(XXH64(bytes, len, 0));
		memcpy(out, &hash, sizeof(hash));
		break;
	case CSUM_SHA256:
		sha256(bytes, len, out);
		break;
	case CSUM_BLAKE2B:
		blake2b_256(bytes, len, out);
		break;
	}
}

bool csum_matches(enum csum_type type, const void *bytes, size_t len, const uint8_t *csum)
{
	uint8_t computed[CSUM_SIZE];

	csum_compute(type, bytes, len, computed);
	return memcmp(computed, csum, csum_type_size(type)) == 0;
}

bool csum_block_matches(enum csum_type type, const uint8_t *block, size_t len)
{
	uint8_t want[CSUM_SIZE];

	csum_compute(type, block + CSUM_SIZE, len - CSUM_SIZE, want);
	return memcmp(block, want, csum_type_size(type)) == 0;
}

void csum_block_update(enum csum_type type, uint8_t *block, size_t len)
{
	memset(block, 0, CSUM_SIZE);
	csum_compute(type, block + CSUM_SIZE, len - CSUM_SIZE, block);
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "common/crypto/cipher-speed.h"

#include <stdlib.h>

#include "common/crypto/crypto.h"
#include "common/util/cpu-time.h"

#define MILLISECONDS 120	/* each way */
#define BLOCKS 256u		/* more than the processor's first caches hold */

/* Random bytes that are thrown away: nothing here is secret. */
struct trial {
	uint8_t plain[BLOCKS][CRYPT_BLOCK], sealed[BLOCKS][CRYPT_BLOCK], tag[BLOCKS][CRYPT_TAG_SIZE];
};

static bool seal(struct unit_cipher *unit, struct trial *trial, uint32_t i, struct error *err)
{
	return unit_cipher_seal(unit, i, trial->plain[i], CRYPT_BLOCK, trial->sealed[i], trial->tag[i], err);
}

static bool open_again(struct unit_cipher *unit, struct trial *trial, uint32_t i, struct error *err)
{
	bool authentic;

	return unit_cipher_open(unit, i, trial->sealed[i], CRYPT_BLOCK, trial->plain[i], trial->tag[i], &authentic, err) &&
	       (authentic || error_set(err, ERROR_IO, "a block that was just sealed is not authentic: this machine does not compute right"));
}

typedef bool one_block(struct unit_cipher *unit, struct trial *trial, uint32_t i, struct error *err);

static bool measure(one_block *one, struct unit_cipher *unit, struct trial *trial, uint64_t *speed, struct error *err)
{
	const double begin = cpu_milliseconds();
	uint64_t n = 0;
	double took;

	do {
		for (uint32_t i = 0; i < BLOCKS; i++) {
			if (!one(unit, trial, i, err))
				return false;
		}
		n += BLOCKS;
		took = cpu_milliseconds() - begin;
	} while (took < MILLISECONDS);
	*speed = (uint64_t)(n * CRYPT_BLOCK / (took / 1e3));
	return true;
}

bool cipher_speed_measure(enum crypt_cipher cipher, struct cipher_speed *speed, struct error *err)
{
	cleanup_unit_cipher struct unit_cipher *unit = NULL;
	struct trial *const trial = malloc(sizeof(*trial));
	uint8_t key[CRYPT_KEY_SIZE];
	bool ok;

	if (!trial)
		return error_memory(err);
	ok = crypto_random(key, sizeof(key), err) && crypto_random(trial->plain, sizeof(trial->plain), err) &&
	     unit_cipher_new_keyed(key, cipher, &unit, err) && measure(seal, unit, trial, &speed->encryption, err) &&
	     measure(open_again, unit, trial, &speed->decryption, err);
	free(trial);
	return ok;
}

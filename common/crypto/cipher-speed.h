/* SPDX-License-Identifier: GPL-2.0-or-later */
/* How fast a cipher is on this machine. */
#ifndef COMMON_CRYPTO_CIPHER_SPEED_H
#define COMMON_CRYPTO_CIPHER_SPEED_H

#include "common/crypto/key-schedule.h"

struct cipher_speed {
	uint64_t encryption, decryption;	/* bytes in a second of processor time */
};
/* In memory, on blocks of CRYPT_BLOCK bytes with their tags, as they are sealed. Takes about a quarter of a second. */
bool cipher_speed_measure(enum crypt_cipher cipher, struct cipher_speed *speed, struct error *err) must_use;

#endif /* COMMON_CRYPTO_CIPHER_SPEED_H */

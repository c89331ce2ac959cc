/* SPDX-License-Identifier: GPL-2.0-or-later */
/* libsodium in our terms, for the files of this room only: locked memory and Argon2id. */
#ifndef COMMON_CRYPTO_SODIUM_H
#define COMMON_CRYPTO_SODIUM_H

#include <stddef.h>
#include <stdint.h>

#include "format/error.h"

bool locked_memory_init(struct error *err) must_use;

/* Zeroed, locked, left out of core dumps, between guard pages. Fails if it cannot be locked. */
bool locked_memory_new(size_t len, uint8_t **bytes, struct error *err) must_use;
/* Wipes the memory first. NULL is fine. */
void locked_memory_free(uint8_t *bytes);

/* One lane. The caller has checked the costs. The memory is freed before this returns. */
#define ARGON2ID_MEMORY_KIB_MIN 8u
bool argon2id(const uint8_t *secret, size_t len, const uint8_t salt[16], uint32_t memory_kib, uint32_t passes,
	      uint8_t out[32], struct error *err) must_use;

#endif /* COMMON_CRYPTO_SODIUM_H */

/* SPDX-License-Identifier: GPL-2.0-or-later */
/* SHA-256 of bytes that arrive in pieces. */
#ifndef COMMON_CRYPTO_HASH_H
#define COMMON_CRYPTO_HASH_H

#include <stddef.h>
#include <stdint.h>

#include "format/error.h"

#define HASH_SIZE 32u

struct hash;
bool hash_new(struct hash **hash, struct error *err) must_use;
void hash_free(struct hash *hash);	/* NULL is fine */
/* Library failures are sticky and are reported by hash_finish(). */
void hash_start(struct hash *hash);
void hash_update(struct hash *hash, const void *bytes, size_t len);
bool hash_finish(struct hash *hash, uint8_t out[HASH_SIZE], struct error *err) must_use;

#endif /* COMMON_CRYPTO_HASH_H */

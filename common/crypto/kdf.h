/* SPDX-License-Identifier: GPL-2.0-or-later */
/* From a passphrase or key file to 32 bytes, at a cost that is bounded before any memory is taken. */
#ifndef COMMON_CRYPTO_KDF_H
#define COMMON_CRYPTO_KDF_H

#include "common/crypto/secret.h"
#include "format/crypt.h"

#define KDF_SALT_SIZE	16u
#define KDF_OUT_SIZE	32u

/* Reading: what a hostile slot may cost us. */
#define KDF_MEMORY_KIB_MAX	(1u << 20)	/* and half of what is available */
#define KDF_PASSES_MAX		64u
#define KDF_WORK_KIB_MAX	(16u << 20)	/* memory times passes */
#define KDF_ITERATIONS_MAX	100000000u
/* Creating. */
#define KDF_MEMORY_KIB_NEW_MIN	(64u << 10)	/* where there are as many */
#define KDF_PASSES_NEW_MIN	3u
#define KDF_ITERATIONS_NEW_MIN	1000u

struct kdf_cost {
	enum crypt_kdf kdf;
	uint32_t memory_kib;	/* Argon2id */
	uint32_t passes;	/* Argon2id */
	uint32_t iterations;	/* PBKDF2 */
};

/*
 * Fills what is 0 so that one derivation takes about milliseconds on this machine: Argon2id with 64 to 128 MiB
 * (never more than half of what is available) and at least 3 passes; PBKDF2 with at least 1000 iterations.
 * What the caller set is checked against the bounds for creating (at least 64 MiB, where there are as many, and 3 passes) and kept.
 */
bool kdf_calibrate(struct kdf_cost *cost, unsigned milliseconds, struct error *err) must_use;

/* ERROR_REFUSED where a cost is above the bounds for reading, or is none. */
bool kdf_check(const struct kdf_cost *cost, struct error *err) must_use;

/* *out: KDF_OUT_SIZE bytes.  Checks the cost first; not for KDF_NONE. */
bool kdf_derive(const struct kdf_cost *cost, const struct secret *secret, const uint8_t salt[KDF_SALT_SIZE],
		struct secret **out, struct error *err) must_use;

#endif /* COMMON_CRYPTO_KDF_H */

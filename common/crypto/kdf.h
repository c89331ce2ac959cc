/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Turns a passphrase or key file into 32 bytes, at a cost that is bounded before any memory is allocated. */
#ifndef COMMON_CRYPTO_KDF_H
#define COMMON_CRYPTO_KDF_H

#include "common/crypto/secret.h"
#include "format/crypt.h"

#define KDF_SALT_SIZE	16u
#define KDF_OUT_SIZE	32u

/* For reading: what a hostile slot may cost us. */
#define KDF_MEMORY_KIB_MAX	(1u << 20)	/* and half of the available memory */
#define KDF_PASSES_MAX		64u
#define KDF_WORK_KIB_MAX	(16u << 20)	/* memory times passes */
#define KDF_ITERATIONS_MAX	100000000u
/* For new slots. */
#define KDF_MEMORY_KIB_NEW_MIN	(64u << 10)	/* if that much is available */
#define KDF_PASSES_NEW_MIN	3u
#define KDF_MILLISECONDS	1000u	/* what opening a new slot takes on the machine that makes it, unless told otherwise */
#define KDF_ITERATIONS_NEW_MIN	1000u

struct kdf_cost {
	enum crypt_kdf kdf;
	uint32_t memory_kib;	/* Argon2id */
	uint32_t passes;	/* Argon2id */
	uint32_t iterations;	/* PBKDF2 */
};

/*
 * Fills the fields that are 0 so that one derivation takes about the given time on this machine: Argon2id with 64 to 128 MiB (never more
 * than half of the available memory) and at least 3 passes, PBKDF2 with at least 1000 iterations. Fields that the caller set are kept, and
 * checked against the bounds for new slots (at least 3 passes, and 64 MiB if that much is available).
 */
bool kdf_calibrate(struct kdf_cost *cost, unsigned milliseconds, struct error *err) must_use;

/* What a derivation takes, in milliseconds of processor time, a little more than 0: other processes do not count. */
bool kdf_measure(const struct kdf_cost *cost, double *milliseconds, struct error *err) must_use;

/* ERROR_REFUSED if a cost exceeds the bounds for reading, or is not valid at all. */
bool kdf_check(const struct kdf_cost *cost, struct error *err) must_use;

/* *out: KDF_OUT_SIZE bytes. Checks the cost first. Not for KDF_NONE. */
bool kdf_derive(const struct kdf_cost *cost, const struct secret *secret, const uint8_t salt[KDF_SALT_SIZE],
		struct secret **out, struct error *err) must_use;

#endif /* COMMON_CRYPTO_KDF_H */

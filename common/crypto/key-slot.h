/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Key slots: the volume key, wrapped under a passphrase or key file.  format/README.md, "Key slots". */
#ifndef COMMON_CRYPTO_KEY_SLOT_H
#define COMMON_CRYPTO_KEY_SLOT_H

#include "common/crypto/secret.h"
#include "format/crypt.h"

struct kdf_cost {
	enum crypt_kdf kdf;
	uint32_t memory_kib;	/* Argon2id */
	uint32_t passes;	/* Argon2id */
	uint32_t iterations;	/* PBKDF2 */
};

/*
 * Fills what is 0 so that one derivation takes about milliseconds on this machine: Argon2id with 64 to 128 MiB
 * (never more than half of what is available) and at least 3 passes; PBKDF2 with at least 1000 iterations.
 * What the caller set is checked against the bounds for creating and kept.
 */
bool kdf_calibrate(struct kdf_cost *cost, unsigned milliseconds, struct error *err) must_use;

/* Wraps the 32-byte volume key under secret into a new slot record with a new salt. */
bool key_slot_create(const struct secret *secret, const struct kdf_cost *cost, const uint8_t domain_uuid[CRYPT_UUID_SIZE],
		     uint16_t number, enum crypt_slot_type type, const char *label, const struct secret *volume_key,
		     struct disk_crypt_slot *disk, struct error *err) must_use;

/*
 * Does secret open this slot?  *volume_key stays NULL where it does not (no error: commit, tag and everything else look
 * the same).  Costs above the bounds for reading are refused before any memory is taken: ERROR_REFUSED.
 */
bool key_slot_open(const struct crypt_slot *slot, const struct secret *secret, struct secret **volume_key,
		   struct error *err) must_use;

#endif /* COMMON_CRYPTO_KEY_SLOT_H */

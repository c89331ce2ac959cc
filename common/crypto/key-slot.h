/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Key slots: the volume key, wrapped under a passphrase or key file. See format/README.md, "Key slots". */
#ifndef COMMON_CRYPTO_KEY_SLOT_H
#define COMMON_CRYPTO_KEY_SLOT_H

#include "common/crypto/kdf.h"
#include "common/crypto/secret.h"
#include "format/crypt.h"

/*
 * Wraps the 32-byte volume key under secret, into a new slot record with a new salt. label: at most CRYPT_LABEL_MAX bytes of UTF-8; NULL:
 * none. A slot of type SLOT_RECOVERY has kdf KDF_NONE, and its secret has CRYPT_RECOVERY_SIZE random bytes.
 */
bool key_slot_create(const struct secret *secret, const struct kdf_cost *cost, const uint8_t domain_uuid[CRYPT_UUID_SIZE],
		     uint16_t number, enum crypt_slot_type type, const char *label, const struct secret *volume_key,
		     struct disk_crypt_slot *disk, struct error *err) must_use;

/* The same secret, volume key, number, type, cost and time of creation as this slot has, with another label and salt. */
bool key_slot_relabel(const struct crypt_slot *slot, const struct secret *secret, const char *label, const struct secret *volume_key,
		      struct disk_crypt_slot *disk, struct error *err) must_use;

/* From now on opening a slot may take so much memory at most, less than what kdf_check() allows. */
void key_slot_limit_memory(uint32_t kib);
/*
 * Does secret open this slot? If not, *volume_key stays NULL (no error; nothing tells whether the commitment, the tag or anything else was
 * wrong). Costs above the bounds for reading are refused before any memory is allocated: ERROR_REFUSED.
 */
bool key_slot_open(const struct crypt_slot *slot, const struct secret *secret, struct secret **volume_key,
		   struct error *err) must_use;

#endif /* COMMON_CRYPTO_KEY_SLOT_H */

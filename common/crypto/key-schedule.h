/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Derives everything from the volume key, see format/README.md, "Key schedule". In our terms, so that only crypto.c knows the library. */
#ifndef COMMON_CRYPTO_KEY_SCHEDULE_H
#define COMMON_CRYPTO_KEY_SCHEDULE_H

#include "common/crypto/secret.h"
#include "format/crypt.h"

/* Random bytes from the kernel. */
bool crypto_random(void *out, size_t len, struct error *err) must_use;
bool crypto_sha256(const void *bytes, size_t len, uint8_t out[32], struct error *err) must_use;
bool crypto_sha512(const void *bytes, size_t len, uint8_t out[64], struct error *err) must_use;

/* The PRK of a domain, in locked memory. */
struct key_schedule;
bool key_schedule_new(const struct secret *volume_key, const uint8_t domain_uuid[CRYPT_UUID_SIZE],
		      struct key_schedule **schedule, struct error *err) must_use;
/* While the format of 2016 is being decrypted, from its key of 16 bytes, for the records of that operation alone. */
bool key_schedule_new_legacy(const struct secret *key, const uint8_t op_id[CRYPT_UUID_SIZE], struct key_schedule **schedule,
			     struct error *err) must_use;
/*
 * For an operation that anybody may do: nothing is derived from it, and its MACs are the SHA-256 of what they cover. They prove that nothing
 * is torn, not who wrote it. So whoever reads such a state or record has to check what it does.
 */
bool key_schedule_new_keyless(struct key_schedule **schedule, struct error *err) must_use;
void key_schedule_free(struct key_schedule *schedule);

/* D("key-check", "", 32). */
bool key_schedule_kcv(const struct key_schedule *schedule, uint8_t kcv[CRYPT_MAC_SIZE], struct error *err) must_use;

/*
 * While rekeying: the volume key before, wrapped under K_bridge of the new one. kcv_old: its key check value. *volume_key stays NULL if what is
 * wrapped is not authentic.
 */
bool bridge_wrap(const struct key_schedule *schedule, const uint8_t op_id[CRYPT_UUID_SIZE], const uint8_t kcv_old[CRYPT_MAC_SIZE],
		 const struct secret *old, uint8_t wrapped[CRYPT_KEY_SIZE], uint8_t tag[CRYPT_TAG_SIZE], struct error *err) must_use;
bool bridge_unwrap(const struct key_schedule *schedule, const uint8_t op_id[CRYPT_UUID_SIZE], const uint8_t kcv_old[CRYPT_MAC_SIZE],
		   const uint8_t wrapped[CRYPT_KEY_SIZE], const uint8_t tag[CRYPT_TAG_SIZE], struct secret **volume_key,
		   struct error *err) must_use;

/* A MAC key D(label, context, 32) and its running state: HMAC-SHA-512 truncated to 32 bytes, for any number of messages. */
struct mac;
bool mac_new(const struct key_schedule *schedule, const char *label, const void *context, size_t context_len,
	     struct mac **mac, struct error *err) must_use;
void mac_free(struct mac *mac);
/* Library failures are sticky and are reported by mac_finish(), so that updates need no check. */
void mac_start(struct mac *mac);
void mac_update(struct mac *mac, const void *bytes, size_t len);
bool mac_finish(struct mac *mac, uint8_t out[CRYPT_MAC_SIZE], struct error *err) must_use;

/*
 * A new nonce for a unit, never all zeros: the first bytes of MAC(random[32] | id | csums) under mac_new(schedule, "nonce", "", 0).
 * id: the unit id (le64), or I with its nonce zero; csums: of the plain text.
 */
bool crypto_nonce(struct mac *nonce_mac, const void *id, size_t id_len, const void *csums, size_t csums_len,
		  uint8_t nonce[CRYPT_NONCE_SIZE], struct error *err) must_use;

/* AEAD under D(label, context, 32). The context is U (label "unit") or I (label "inline"). */
struct unit_cipher;
bool unit_cipher_new(const struct key_schedule *schedule, enum crypt_cipher cipher, const char *label,
		     const void *context, size_t context_len, struct unit_cipher **unit, struct error *err) must_use;
void unit_cipher_free(struct unit_cipher *unit);

/*
 * index: the block in the unit (nonce 0^8 | be32(index)); 0 for inline units. len: CRYPT_BLOCK, or the length of the inline payload. in ==
 * out is fine. open: *authentic says whether the tag is right; if not, out is zeroed.
 */
bool unit_cipher_seal(struct unit_cipher *unit, uint32_t index, const void *plain, size_t len, void *out,
		      uint8_t tag[CRYPT_TAG_SIZE], struct error *err) must_use;
bool unit_cipher_open(struct unit_cipher *unit, uint32_t index, const void *in, size_t len, void *plain,
		      const uint8_t tag[CRYPT_TAG_SIZE], bool *authentic, struct error *err) must_use;
/* Seals again what was sealed with this tag. *same: it still has that tag. */
bool unit_cipher_reseal(struct unit_cipher *unit, uint32_t index, const void *plain, size_t len, void *out,
			const uint8_t tag[CRYPT_TAG_SIZE], bool *same, struct error *err) must_use;
/* Either of the two: reads what is in one form, gives the other one, and says whether the tag is right. */
typedef bool unit_cipher_read(struct unit_cipher *unit, uint32_t index, const void *in, size_t len, void *out,
			      const uint8_t tag[CRYPT_TAG_SIZE], bool *right, struct error *err);
/* The key stream of a block: plain = ciphertext xor key stream. Not authenticated: only for recovering torn blocks. */
bool unit_cipher_key_stream(struct unit_cipher *unit, uint32_t index, size_t len, uint8_t *out, struct error *err) must_use;

static inline void key_schedule_cleanup(struct key_schedule **p) { key_schedule_free(*p); }
static inline void mac_cleanup(struct mac **p) { mac_free(*p); }
static inline void unit_cipher_cleanup(struct unit_cipher **p) { unit_cipher_free(*p); }
#define cleanup_key_schedule __attribute__((cleanup(key_schedule_cleanup)))
#define cleanup_mac __attribute__((cleanup(mac_cleanup)))
#define cleanup_unit_cipher __attribute__((cleanup(unit_cipher_cleanup)))

#endif /* COMMON_CRYPTO_KEY_SCHEDULE_H */

/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The key schedule: one extraction per domain; everything else is expanded from it by label and context. */
#include "common/crypto/key-schedule.h"

#include <stdlib.h>

#include "common/crypto/crypto.h"
#include "common/util/take.h"

#define SALT_LABEL "btrfs-crypt/1"
#define SALT_LABEL_LEGACY "btrfs-crypt/2016"
#define LEGACY_KEY_SIZE 16u
#define LABEL_MAX 16u
#define CONTEXT_MAX 64u

struct key_schedule {
	struct secret *prk;	/* NULL: there is no key */
};

/* The salt is label | uuid. */
static bool extract(const struct secret *key, const char *label, const uint8_t uuid[CRYPT_UUID_SIZE], struct key_schedule **schedule,
		    struct error *err)
{
	cleanup_key_schedule struct key_schedule *new = calloc(1, sizeof(*new));
	uint8_t salt[LABEL_MAX + CRYPT_UUID_SIZE];
	const size_t label_len = strlen(label);

	if (!new)
		return error_memory(err);
	assert(label_len <= LABEL_MAX);
	memcpy(salt, label, label_len);
	memcpy(salt + label_len, uuid, CRYPT_UUID_SIZE);
	if (!secret_new(PRK_SIZE, &new->prk, err) ||
	    !hkdf_extract(salt, label_len + CRYPT_UUID_SIZE, secret_view(key), secret_len(key), secret_bytes(new->prk), err))
		return false;
	*schedule = TAKE(new);
	return true;
}

bool key_schedule_new(const struct secret *volume_key, const uint8_t domain_uuid[CRYPT_UUID_SIZE],
		      struct key_schedule **schedule, struct error *err)
{
	if (secret_len(volume_key) != CRYPT_KEY_SIZE)
		return error_set(err, ERROR_KEY, "the volume key has %zu bytes, not %u", secret_len(volume_key),
				 CRYPT_KEY_SIZE);
	return extract(volume_key, SALT_LABEL, domain_uuid, schedule, err);
}

bool key_schedule_new_legacy(const struct secret *key, const uint8_t op_id[CRYPT_UUID_SIZE], struct key_schedule **schedule, struct error *err)
{
	if (secret_len(key) != LEGACY_KEY_SIZE)
		return error_set(err, ERROR_KEY, "the key has %zu bytes, not %u", secret_len(key), LEGACY_KEY_SIZE);
	return extract(key, SALT_LABEL_LEGACY, op_id, schedule, err);
}

bool key_schedule_new_keyless(struct key_schedule **schedule, struct error *err)
{
	*schedule = calloc(1, sizeof(**schedule));
	return *schedule || error_memory(err);
}

void key_schedule_free(struct key_schedule *schedule)
{
	if (!schedule)
		return;
	secret_free(schedule->prk);
	free(schedule);
}

/* D(label, context, 32) */
static bool derive(const struct key_schedule *schedule, const char *label, const void *context, size_t context_len,
		   uint8_t out[CRYPT_KEY_SIZE], struct error *err)
{
	uint8_t info[1 + LABEL_MAX + CONTEXT_MAX];
	const size_t label_len = strlen(label);

	assert(schedule->prk && label_len <= LABEL_MAX && context_len <= CONTEXT_MAX);
	info[0] = label_len;
	memcpy(info + 1, label, label_len);
	if (context_len > 0)
		memcpy(info + 1 + label_len, context, context_len);
	return hkdf_expand(secret_view(schedule->prk), info, 1 + label_len + context_len, out, CRYPT_KEY_SIZE, err);
}

bool key_schedule_kcv(const struct key_schedule *schedule, uint8_t kcv[CRYPT_MAC_SIZE], struct error *err)
{
	return derive(schedule, "key-check", NULL, 0, kcv, err);
}

static bool bridge_key(const struct key_schedule *schedule, const uint8_t op_id[CRYPT_UUID_SIZE], const uint8_t kcv_old[CRYPT_MAC_SIZE],
		       uint8_t key[CRYPT_KEY_SIZE], struct error *err)
{
	uint8_t context[CRYPT_UUID_SIZE + CRYPT_MAC_SIZE];

	memcpy(context, op_id, CRYPT_UUID_SIZE);
	memcpy(context + CRYPT_UUID_SIZE, kcv_old, CRYPT_MAC_SIZE);
	return derive(schedule, "bridge", context, sizeof(context), key, err);
}

bool bridge_wrap(const struct key_schedule *schedule, const uint8_t op_id[CRYPT_UUID_SIZE], const uint8_t kcv_old[CRYPT_MAC_SIZE],
		 const struct secret *old, uint8_t wrapped[CRYPT_KEY_SIZE], uint8_t tag[CRYPT_TAG_SIZE], struct error *err)
{
	uint8_t key[CRYPT_KEY_SIZE];
	const bool ok = bridge_key(schedule, op_id, kcv_old, key, err) && key_wrap(key, NULL, 0, secret_view(old), wrapped, tag, err);

	secret_wipe(key, sizeof(key));
	return ok;
}

bool bridge_unwrap(const struct key_schedule *schedule, const uint8_t op_id[CRYPT_UUID_SIZE], const uint8_t kcv_old[CRYPT_MAC_SIZE],
		   const uint8_t wrapped[CRYPT_KEY_SIZE], const uint8_t tag[CRYPT_TAG_SIZE], struct secret **volume_key, struct error *err)
{
	cleanup_secret struct secret *new = NULL;
	uint8_t key[CRYPT_KEY_SIZE];
	bool authentic = false;
	const bool ok = secret_new(CRYPT_KEY_SIZE, &new, err) && bridge_key(schedule, op_id, kcv_old, key, err) &&
			key_unwrap(key, NULL, 0, wrapped, tag, secret_bytes(new), &authentic, err);

	secret_wipe(key, sizeof(key));
	*volume_key = NULL;
	if (ok && authentic) {
		*volume_key = TAKE(new);
	}
	return ok;
}

bool mac_new(const struct key_schedule *schedule, const char *label, const void *context, size_t context_len,
	     struct mac **mac, struct error *err)
{
	if (!schedule->prk)
		return mac_new_keyless(mac, err);

	uint8_t key[CRYPT_KEY_SIZE];
	const bool ok = derive(schedule, label, context, context_len, key, err) && mac_new_keyed(key, mac, err);

	secret_wipe(key, sizeof(key));
	return ok;
}

bool unit_cipher_new(const struct key_schedule *schedule, enum crypt_cipher cipher, const char *label,
		     const void *context, size_t context_len, struct unit_cipher **unit, struct error *err)
{
	uint8_t key[CRYPT_KEY_SIZE];
	const bool ok = derive(schedule, label, context, context_len, key, err) &&
			unit_cipher_new_keyed(key, cipher, unit, err);

	secret_wipe(key, sizeof(key));
	return ok;
}

bool crypto_nonce(struct mac *nonce_mac, const void *id, size_t id_len, const void *csums, size_t csums_len,
		  uint8_t nonce[CRYPT_NONCE_SIZE], struct error *err)
{
	static const uint8_t not_sealed[CRYPT_NONCE_SIZE];
	uint8_t fresh[32], out[CRYPT_MAC_SIZE];

	do {
		if (!crypto_random(fresh, sizeof(fresh), err))
			return false;
		mac_start(nonce_mac);
		mac_update(nonce_mac, fresh, sizeof(fresh));
		mac_update(nonce_mac, id, id_len);
		mac_update(nonce_mac, csums, csums_len);
		if (!mac_finish(nonce_mac, out, err))
			return false;
	} while (memcmp(out, not_sealed, CRYPT_NONCE_SIZE) == 0);
	memcpy(nonce, out, CRYPT_NONCE_SIZE);
	secret_wipe(fresh, sizeof(fresh));
	return true;
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Key slots: a commitment to the secret, and the volume key wrapped under it. Both are bound to every byte of the slot header. */
#include "common/crypto/key-slot.h"

#include <inttypes.h>
#include <time.h>

#include "common/crypto/crypto.h"
#include "common/util/escape.h"
#include "common/util/take.h"

#define SALT_LABEL "btrfs-crypt-slot/1"

/* The two keys of a slot: the one to compare, and the one that wraps. */
struct slot_keys {
	uint8_t commit[32];
	uint8_t kek[CRYPT_KEY_SIZE];
};

static bool expand(const struct secret *prk, const char *label, const uint8_t h[64], uint8_t out[32], struct error *err)
{
	uint8_t info[6 + 64];
	const size_t label_len = strlen(label);

	assert(label_len <= 6);
	memcpy(info, label, label_len);
	memcpy(info + label_len, h, 64);
	return hkdf_expand(secret_view(prk), info, label_len + 64, out, 32, err);
}

/* Derives P from S, and both expansions from P. */
static bool derive_from(const struct disk_crypt_slot_header *header, const struct secret *s, struct slot_keys *keys,
			struct error *err)
{
	const size_t label_len = sizeof(SALT_LABEL) - 1;
	uint8_t salt[sizeof(SALT_LABEL) - 1 + CRYPT_UUID_SIZE + KDF_SALT_SIZE];
	cleanup_secret struct secret *prk = NULL;
	uint8_t h[64];

	memcpy(salt, SALT_LABEL, label_len);
	memcpy(salt + label_len, header->domain_uuid, CRYPT_UUID_SIZE);
	memcpy(salt + label_len + CRYPT_UUID_SIZE, header->salt, KDF_SALT_SIZE);
	return secret_new(PRK_SIZE, &prk, err) && crypto_sha512(header, sizeof(*header), h, err) &&
	       hkdf_extract(salt, sizeof(salt), secret_view(s), secret_len(s), secret_bytes(prk), err) &&
	       expand(prk, "commit", h, keys->commit, err) && expand(prk, "wrap", h, keys->kek, err);
}

static bool derive(const struct disk_crypt_slot_header *header, const struct kdf_cost *cost, const struct secret *secret,
		   struct slot_keys *keys, struct error *err)
{
	cleanup_secret struct secret *s = NULL;

	if (cost->kdf == KDF_NONE)
		return derive_from(header, secret, keys, err);
	return kdf_derive(cost, secret, header->salt, &s, err) && derive_from(header, s, keys, err);
}

/* --- creating ------------------------------------------------------------------------ */
static bool header_fill(struct disk_crypt_slot_header *header, const struct kdf_cost *cost, const char *label,
			struct error *err)
{
	const size_t label_len = label ? strlen(label) : 0;

	if (label_len > CRYPT_LABEL_MAX)
		return error_set(err, ERROR_USAGE, "the label has %zu bytes, but at most %u are allowed", label_len, CRYPT_LABEL_MAX);
	if (label_len > 0 && !utf8_is_valid(label, label_len))
		return error_set(err, ERROR_USAGE, "the label is not UTF-8");
	crypt_head_write(&header->head, CRYPT_SLOT, 1);
	memcpy(header->magic, CRYPT_SLOT_MAGIC, sizeof(header->magic));
	header->version = to_le32(CRYPT_VERSION);
	header->kdf = cost->kdf;
	if (cost->kdf == KDF_ARGON2ID) {
		header->p1 = to_le32(cost->memory_kib);
		header->p2 = to_le32(cost->passes);
		header->p3 = to_le32(1);
	} else if (cost->kdf == KDF_PBKDF2_SHA512) {
		header->p1 = to_le32(cost->iterations);
	}
	if (le64(header->time) == 0)
		header->time = to_le64(time(NULL));
	if (label_len > 0)
		memcpy(header->label, label, label_len);
	return crypto_random(header->salt, sizeof(header->salt), err);
}

/* new: with number, type, domain uuid and perhaps time. */
static bool fill(struct disk_crypt_slot new, const struct secret *secret, const struct kdf_cost *cost, const char *label,
		 const struct secret *volume_key, struct disk_crypt_slot *disk, struct error *err)
{
	const uint8_t type = new.header.type;
	struct slot_keys keys;
	bool ok;

	assert(le16(new.header.number) < CRYPT_SLOTS_MAX && secret_len(volume_key) == CRYPT_KEY_SIZE);
	if ((type == SLOT_RECOVERY) != (cost->kdf == KDF_NONE))
		return error_set(err, ERROR_REFUSED, "a recovery key, and only that, has no key derivation function");
	if (type == SLOT_RECOVERY && secret_len(secret) != CRYPT_RECOVERY_SIZE)
		return error_set(err, ERROR_KEY, "the recovery key has %zu bytes, not %u", secret_len(secret),
				 CRYPT_RECOVERY_SIZE);
	ok = header_fill(&new.header, cost, label, err) && derive(&new.header, cost, secret, &keys, err) &&
	     key_wrap(keys.kek, &new.header, sizeof(new.header), secret_view(volume_key), new.wrapped, new.tag, err);
	if (ok) {
		memcpy(new.commit, keys.commit, sizeof(new.commit));
		*disk = new;
	}
	secret_wipe(&keys, sizeof(keys));
	return ok;
}

bool key_slot_create(const struct secret *secret, const struct kdf_cost *cost, const uint8_t domain_uuid[CRYPT_UUID_SIZE],
		     uint16_t number, enum crypt_slot_type type, const char *label, const struct secret *volume_key,
		     struct disk_crypt_slot *disk, struct error *err)
{
	struct disk_crypt_slot new = { .header = { .number = to_le16(number), .type = type } };

	memcpy(new.header.domain_uuid, domain_uuid, CRYPT_UUID_SIZE);
	return fill(new, secret, cost, label, volume_key, disk, err);
}

static uint32_t memory_limit = KDF_MEMORY_KIB_MAX;

void key_slot_limit_memory(uint32_t kib)
{
	memory_limit = kib;
}

/* --- opening --------------------------------------------------------------------------- */
static bool cost_of(const struct crypt_slot *slot, struct kdf_cost *cost, struct error *err)
{
	*cost = (struct kdf_cost){ .kdf = slot->kdf };
	if (slot->kdf == KDF_ARGON2ID) {
		if (slot->p3 != 1)
			return error_set(err, ERROR_REFUSED, "Argon2id has %" PRIu32 " lanes, not 1", slot->p3);
		if (slot->p1 > memory_limit && slot->p1 <= KDF_MEMORY_KIB_MAX)
			return error_set(err, ERROR_REFUSED, "Argon2id needs %" PRIu32 " KiB of memory; --pbkdf-max-memory allows %" PRIu32 " KiB",
					 slot->p1, memory_limit);
		cost->memory_kib = slot->p1;
		cost->passes = slot->p2;
	} else if (slot->kdf == KDF_PBKDF2_SHA512) {
		cost->iterations = slot->p1;
	}
	return true;
}

/* The commitment comes first: only the secret that made this slot gets as far as the wrapped key. */
static bool unwrap(const struct crypt_slot *slot, const struct slot_keys *keys, struct secret **volume_key,
		   struct error *err)
{
	const struct disk_crypt_slot *disk = &slot->disk;
	cleanup_secret struct secret *new = NULL;
	bool authentic;

	if (!secret_same(keys->commit, disk->commit, sizeof(keys->commit)))
		return true;
	if (!secret_new(CRYPT_KEY_SIZE, &new, err) ||
	    !key_unwrap(keys->kek, &disk->header, sizeof(disk->header), disk->wrapped, disk->tag, secret_bytes(new),
			&authentic, err))
		return false;
	if (authentic) {
		*volume_key = TAKE(new);
	}
	return true;
}

bool key_slot_open(const struct crypt_slot *slot, const struct secret *secret, struct secret **volume_key,
		   struct error *err)
{
	struct slot_keys keys;
	struct kdf_cost cost;
	bool ok;

	*volume_key = NULL;
	if (!cost_of(slot, &cost, err))
		return error_prefix(err, "key slot %u", slot->number);
	if (cost.kdf == KDF_NONE && secret_len(secret) != CRYPT_RECOVERY_SIZE)
		return true;
	ok = derive(&slot->disk.header, &cost, secret, &keys, err);
	if (!ok)
		error_prefix(err, "key slot %u", slot->number);
	ok = ok && unwrap(slot, &keys, volume_key, err);
	secret_wipe(&keys, sizeof(keys));
	return ok;
}

bool key_slot_relabel(const struct crypt_slot *slot, const struct secret *secret, const char *label, const struct secret *volume_key,
		      struct disk_crypt_slot *disk, struct error *err)
{
	const struct disk_crypt_slot_header *const old = &slot->disk.header;
	struct disk_crypt_slot new = { .header = { .number = old->number, .type = old->type, .time = old->time } };
	struct kdf_cost cost;

	memcpy(new.header.domain_uuid, old->domain_uuid, CRYPT_UUID_SIZE);
	return cost_of(slot, &cost, err) && fill(new, secret, &cost, label, volume_key, disk, err);
}

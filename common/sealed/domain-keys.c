/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Reads the header and slots that an unfinished conversion keeps outside the root tree, where they are complete at every moment. */
#include "common/sealed/domain.h"

#include <inttypes.h>
#include <stdlib.h>

#include "common/util/take.h"
#include "common/volume/mirror.h"
#include "common/volume/warn.h"

#define KEYS_MIN (sizeof(struct disk_crypt_header) + sizeof(struct le32) + HASH_SIZE)
#define HASH_SIZE 32u

bool domain_keys_encode(const struct crypt_header *header, const struct disk_crypt_slot *slots, size_t n_slots, uint8_t **bytes,
			size_t *len, struct error *err)
{
	const struct le32 n = to_le32((uint32_t)n_slots);
	const size_t size = KEYS_MIN + n_slots * sizeof(*slots);
	struct disk_crypt_header disk;
	uint8_t *out, *at;

	assert(n_slots <= DOMAIN_KEYS_SLOTS_MAX);
	out = at = malloc(size);
	if (!out)
		return error_memory(err);
	crypt_header_write(header, &disk);
	at = (uint8_t *)mempcpy(at, &disk, sizeof(disk));
	at = (uint8_t *)mempcpy(at, &n, sizeof(n));
	if (n_slots > 0)
		at = (uint8_t *)mempcpy(at, slots, n_slots * sizeof(*slots));
	if (!crypto_sha256(out, size - HASH_SIZE, at, err)) {
		free(out);
		return false;
	}
	*bytes = out;
	*len = size;
	return true;
}

/* Splits off the part that the hash at its end covers. damaged: the hash may be wrong. */
static bool check_hash(const uint8_t *bytes, size_t len, uint64_t where, bool damaged, struct cursor *keys, uint32_t *n_slots, struct error *err)
{
	uint8_t hash[HASH_SIZE];
	struct le32 n;

	memcpy(&n, bytes + sizeof(struct disk_crypt_header), sizeof(n));
	*n_slots = le32(n);
	if (*n_slots > DOMAIN_KEYS_SLOTS_MAX)
		return error_set(err, ERROR_KEY_HEADER, "copies of the keys at %" PRIu64 ": %" PRIu32 " key slots, not 0 to %u", where,
				 *n_slots, DOMAIN_KEYS_SLOTS_MAX);

	const size_t covered = KEYS_MIN - HASH_SIZE + *n_slots * sizeof(struct disk_crypt_slot);

	if (covered + HASH_SIZE > len)
		return error_set(err, ERROR_KEY_HEADER, "copies of the keys at %" PRIu64 ": %" PRIu32 " key slots take %zu bytes, but "
			"there are only %zu",
				 where, *n_slots, covered + HASH_SIZE, len);
	if (!crypto_sha256(bytes, covered, hash, err))
		return false;
	if (!damaged && memcmp(hash, bytes + covered, HASH_SIZE) != 0)
		return error_set(err, ERROR_KEY_HEADER, "copies of the keys at %" PRIu64 ": their hash is wrong", where);
	*keys = (struct cursor){ bytes, covered, where };
	return true;
}

/* damaged: reads as much as possible. Opening proves a slot, and the MAC proves the header. */
static bool decode(struct domain *d, const uint8_t *bytes, size_t len, uint64_t where, bool damaged, struct error *err)
{
	struct cursor keys = { 0 }, part;
	struct le32 skipped;
	uint32_t n_slots;

	if (!check_hash(bytes, len, where, damaged, &keys, &n_slots, err))
		return false;
	d->n_slots = 0;
	if (!cursor_take(&keys, sizeof(struct disk_crypt_header), &part) || !crypt_header_read(&part, &d->copy[0], err) ||
	    !cursor_read(&keys, &skipped, sizeof(skipped)))
		return false;
	for (uint32_t i = 0; i < n_slots; i++) {
		struct crypt_slot *const slot = &d->slots[d->n_slots];
		bool is_right = cursor_take(&keys, sizeof(struct disk_crypt_slot), &part) && crypt_slot_read(&part, slot, err);

		if (is_right && memcmp(slot->domain_uuid, d->copy[0].domain_uuid, CRYPT_UUID_SIZE) != 0)
			is_right = error_set(err, ERROR_KEY_HEADER, "copies of the keys at %" PRIu64 ": key slot %u belongs to "
				"another sealing", where,
					     slot->number);
		if (!is_right && !damaged)
			return false;
		d->n_slots += is_right;
	}
	d->header = d->copy[0];
	d->copy_valid[0] = true;
	return true;
}

/* Reads the first intact copy, from any mirror. If all are bad, the error is that of the first one. */
static bool read_mirrors(struct domain *d, const struct crypt_range *range, bool damaged, struct error *err)
{
	const struct chunk *chunk;
	uint8_t bytes[DOMAIN_KEYS_MAX];
	struct error first = { 0 };

	if (range->length < KEYS_MIN)
		return error_set(err, ERROR_STATE, "conversion state in the superblock: %" PRIu64 " bytes for keys, not at least %zu",
				 range->length, KEYS_MIN);
	if (!volume_chunk(d->volume, range->logical, &chunk, err)) {
		if (err->kind == ERROR_CORRUPT)
			err->kind = ERROR_STATE;
		return error_prefix(err, "conversion state in the superblock");
	}
	for (unsigned i = 0; i < 2 * chunk_n_mirrors(chunk); i++) {
		const unsigned mirror = i / 2;
		const uint64_t at = i % 2 ? domain_keys_second(range->length) : 0, left = range->length - at;
		const size_t len = left < DOMAIN_KEYS_MAX ? left : DOMAIN_KEYS_MAX;
		struct error error = { 0 };

		if (len >= KEYS_MIN && volume_read(d->volume, range->logical + at, bytes, len, mirror, &error) &&
		    decode(d, bytes, len, range->logical + at, damaged, &error)) {
			if (first.kind != ERROR_NONE && !damaged)
				volume_warn(d->volume, "%s; another copy of them is used", first.text);
			return true;
		}
		if (first.kind == ERROR_NONE)
			first = error;
	}
	if (first.kind == ERROR_CORRUPT)	/* the range leaves its chunk */
		first.kind = ERROR_STATE;
	*err = first;
	return false;
}

static bool read_unfinished(struct volume *volume, bool damaged, struct domain **domain, struct error *err)
{
	const struct superblock *super = volume_unfinished_super(volume);
	cleanup_domain struct domain *d = calloc(1, sizeof(*d));
	struct crypt_state_tail state;

	if (!d)
		return error_memory(err);
	d->slots = calloc(DOMAIN_KEYS_SLOTS_MAX, sizeof(*d->slots));
	if (!d->slots)
		return error_memory(err);
	if (!super)
		return error_set(err, ERROR_NOT_FOUND, "no conversion is unfinished");
	d->volume = volume;
	d->slot_used = -1;
	d->unfinished = true;
	if (!crypt_state_read(super->disk.tail, &state, err) || !read_mirrors(d, &state.keys, damaged, err))
		return false;
	d->number = d->header.domain;
	if (state.domain != d->header.domain || memcmp(state.disk.domain_uuid, d->header.domain_uuid, CRYPT_UUID_SIZE) != 0)
		return error_set(err, ERROR_STATE, "conversion state in the superblock: its keys belong to another sealing");
	*domain = TAKE(d);
	return true;
}

bool domain_read_unfinished(struct volume *volume, struct domain **domain, struct error *err)
{
	return read_unfinished(volume, false, domain, err);
}

bool domain_read_damaged_keys(struct volume *volume, struct domain **domain, struct error *err)
{
	return read_unfinished(volume, true, domain, err);
}

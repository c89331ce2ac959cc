/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Shared by the readers of crypt items; only format/crypt*.c include it. */
#ifndef FORMAT_CRYPT_CHECK_H
#define FORMAT_CRYPT_CHECK_H

#include <inttypes.h>

#include "format/crypt.h"

/* What is being read and where, for messages. */
struct place {
	enum error_kind kind;
	const char *what;
	uint64_t offset;
};

#define wrong(place, format, ...) \
	error_set(err, (place).kind, "%s at %#" PRIx64 ": " format, (place).what, (place).offset, __VA_ARGS__)

static inline bool all_zero(const void *bytes, size_t len)
{
	const uint8_t *at = bytes;
	uint8_t any = 0;

	for (size_t i = 0; i < len; i++)
		any |= at[i];
	return any == 0;
}

/* Was it made by a version that was never released? Then it is refused with a message that says so. */
static inline bool is_unreleased(uint32_t version, struct place place, struct error *err)
{
	if (!crypt_version_is_unreleased(version))
		return false;
	place.kind = ERROR_REFUSED;
	wrong(place, "format version %" PRIu32 " was made by an unreleased version", version);
	return true;
}

/* The top level, or a number that btrfs gives to subvolumes. */
static inline bool is_subvolume_id(uint64_t id)
{
	return id == FS_TREE_ID || (id >= FIRST_FREE_ID && id <= LAST_FREE_ID);
}

static inline bool cipher_known(uint8_t cipher)
{
	return cipher == CIPHER_AES_256_GCM || cipher == CIPHER_CHACHA20_POLY1305;
}

#endif /* FORMAT_CRYPT_CHECK_H */

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A block of 4 KiB whose overwriting was cut off: each of its eight parts of 512 bytes is on one side or the other. The two differ by a key
 * stream, so the right assignment is the one whose completed ciphertext has the right tag.
 */
#ifndef COMMON_CONVERT_TORN_H
#define COMMON_CONVERT_TORN_H

#include "common/convert/side.h"
#include "common/volume/volume.h"

#define TORN_PARTS 8u

/*
 * bytes: the block as found. Becomes the whole of it as it is on that side. *found is false if no assignment verifies; bytes are then
 * unchanged.
 */
bool torn_complete(const struct sided_block *block, uint8_t bytes[CRYPT_BLOCK], bool *found, struct error *err) must_use;

/*
 * The same for the block at address, from the first mirror that has one or the other or a mixture. *found is false if no mirror has; the
 * contents of bytes are then unspecified. Returns false (ERROR_IO) if a mirror that cannot be read could have been the one.
 */
bool torn_read(struct volume *volume, const struct sided_block *block, uint64_t address, uint8_t bytes[CRYPT_BLOCK], bool *found,
	       struct error *err) must_use;
/* The same from the medium, bypassing all caches. */
bool torn_read_medium(struct volume *volume, const struct sided_block *block, uint64_t address, uint8_t bytes[CRYPT_BLOCK], bool *found,
		      struct error *err) must_use;

#endif /* COMMON_CONVERT_TORN_H */

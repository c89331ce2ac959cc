/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The four checksums of btrfs. */
#ifndef COMMON_VOLUME_CSUM_H
#define COMMON_VOLUME_CSUM_H

#include "format/superblock.h"

/* Computes the checksum of len bytes with the filesystem's algorithm into out (csum_type_size() bytes; the rest is untouched). */
void csum_compute(enum csum_type type, const void *bytes, size_t len, uint8_t *out);
/* Is this the checksum of these bytes? csum: csum_type_size() bytes. */
bool csum_matches(enum csum_type type, const void *bytes, size_t len, const uint8_t *csum);
/* For a tree block or superblock: over everything after the first 32 bytes. */
bool csum_block_matches(enum csum_type type, const uint8_t *block, size_t len);
void csum_block_update(enum csum_type type, uint8_t *block, size_t len);	/* zeroes the unused rest of the field */

#endif /* COMMON_VOLUME_CSUM_H */

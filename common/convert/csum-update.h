/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The stored checksums of data that changes in place. */
#ifndef COMMON_CONVERT_CSUM_UPDATE_H
#define COMMON_CONVERT_CSUM_UPDATE_H

#include "common/convert/conversion.h"

bool csum_gaps_clear(struct conversion *c, struct error *err) must_use;	/* clears old checksums between items */
/* Replaces the stored checksums of [logical, +len) with those of bytes. Sectors without a checksum stay without. */
bool csum_update(struct volume *volume, struct transaction *tx, uint64_t logical, const uint8_t *bytes, size_t len,
		 struct error *err) must_use;
/*
 * Gets the stored checksum of one sector: CSUM_SIZE bytes, of which the csum type's size counts. *has false: it has none. csum_put() needs
 * a sector that has one.
 */
bool csum_get(struct volume *volume, uint64_t logical, uint8_t *value, bool *has, struct error *err) must_use;
bool csum_put(struct volume *volume, struct transaction *tx, uint64_t logical, const uint8_t *value, struct error *err) must_use;

#endif /* COMMON_CONVERT_CSUM_UPDATE_H */

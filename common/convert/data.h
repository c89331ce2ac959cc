/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Phase DATA. Each of these continues from c->cursor. */
#ifndef COMMON_CONVERT_DATA_H
#define COMMON_CONVERT_DATA_H

#include "common/convert/batch.h"

/* Writes U, the first bytes of the ciphertext and the tags, which are in the batch, to the unit's place. */
bool unit_put(struct batch *batch, const struct crypt_unit *unit, uint64_t place, const struct disk_crypt_u *u, struct error *err) must_use;
/* Leaves block i as it was found, for good. */
bool unit_skip_block(struct batch *batch, const struct crypt_unit *unit, uint64_t address, uint32_t i, struct error *err) must_use;
/* No mirror has a block as a tag says: it is skipped, or the batch ends before its unit. from: the side that it is read from. */
bool unit_damaged_block(struct batch *batch, const struct crypt_unit *unit, const struct side *from, uint64_t address, uint32_t i,
			struct error *err) must_use;

bool data_seal(struct conversion *c, struct error *err) must_use;
bool data_seal_until(struct conversion *c, uint64_t place, struct error *err) must_use;	/* only the units before place */
bool data_reseal(struct conversion *c, struct error *err) must_use;	/* aborts an unsealing: nonces as they were */
bool data_unseal(struct conversion *c, struct error *err) must_use;

#endif /* COMMON_CONVERT_DATA_H */

/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Converts one inline payload in a leaf. */
#ifndef COMMON_CONVERT_LEAF_PAYLOAD_H
#define COMMON_CONVERT_LEAF_PAYLOAD_H

#include "common/convert/conversion.h"

/* Under a nonce drawn here and now: the ciphertext goes to bytes, in the leaf, nonce and tag to the next inline unit, *ordinal, in its item. */
bool payload_seal(struct conversion *c, struct transaction *tx, uint64_t *ordinal, const struct inline_payload *payload, uint8_t *bytes,
		  struct error *err) must_use;
/* The same, opened with the old key first. */
bool payload_rekey(struct conversion *c, struct transaction *tx, uint64_t *ordinal, const struct scan_block *at,
		   const struct inline_payload *payload, uint8_t *bytes, struct error *err) must_use;
/* Turns a payload that already has its unit to the other side. */
bool payload_turn(const struct conversion *c, const struct scan_block *at, struct inline_payload *payload, uint8_t *bytes,
		  struct error *err) must_use;
/* Is a payload on the side where the conversion leaves it? is_fresh: a sealing is being made. */
bool payload_holds(const struct conversion *c, bool is_fresh, const struct scan_block *at, struct inline_payload *payload, bool *holds,
		   struct error *err) must_use;

#endif /* COMMON_CONVERT_LEAF_PAYLOAD_H */

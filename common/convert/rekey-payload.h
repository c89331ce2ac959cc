/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Inline payloads while rekeying: sealed with the old key, or with the new one, or written since and plain. */
#ifndef COMMON_CONVERT_REKEY_PAYLOAD_H
#define COMMON_CONVERT_REKEY_PAYLOAD_H

#include "common/convert/conversion.h"

/*
 * Opens the payload with the old key: its bytes are then those in plain, which has room for them. What has been written since has no unit under
 * the old key: it is as it is. So is what the next mount will delete, for which nothing vouched.
 */
bool rekey_payload_open(const struct conversion *c, const struct scan_block *at, struct inline_payload *payload, uint8_t *plain,
			struct error *err) must_use;
/* Turns what is sealed with the new key back to what it was under the old one. bytes: of the payload, in its leaf. */
bool rekey_payload_back(const struct conversion *c, const struct scan_block *at, struct inline_payload *payload, uint8_t *bytes,
			struct error *err) must_use;
/* Is it sealed with the key that the conversion leaves it with, or as plain as it was found? */
bool rekey_payload_holds(const struct conversion *c, const struct scan_block *at, struct inline_payload *payload, bool *holds,
			 struct error *err) must_use;

#endif /* COMMON_CONVERT_REKEY_PAYLOAD_H */

/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A decryption of which only the superblocks are left. */
#ifndef COMMON_CONVERT_KEYLESS_H
#define COMMON_CONVERT_KEYLESS_H

#include "common/convert/conversion.h"

/*
 * Sets *yes if the tail of this copy belongs to a decryption of which nothing else is left, so that no key can be checked and
 * none is needed. The volume uses this copy from then on.
 */
bool state_needs_no_key(struct volume *volume, const struct crypt_state_tail *tail, unsigned copy, bool *yes, struct error *err) must_use;

#endif /* COMMON_CONVERT_KEYLESS_H */

/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Between going on with a conversion and the checks that come before its first write. */
#ifndef COMMON_CONVERT_CONTINUE_H
#define COMMON_CONVERT_CONTINUE_H

#include "common/convert/conversion.h"

/* Units at places below it are ciphertext now. */
uint64_t conversion_boundary(const struct conversion *c);

/* c->state is authentic and fits the superblock and the domain: else ERROR_STATE. */
bool continue_check_state(const struct conversion *c, struct error *err) must_use;

/*
 * Reads the domain from the root tree and takes over members, units, flags: ERROR_STATE or ERROR_KEY_HEADER where they are not what the
 * conversion began with, or not as far as it says.
 */
bool continue_take(struct conversion *c, struct error *err) must_use;

/*
 * A decryption: is every extent that it began with recognised by its tags, or about to be written by a record?  One that is not would be passed
 * over, and its tags thrown away at the end: ERROR_STATE.  replay NULL: the records are in place.
 */
bool continue_check_extents(struct conversion *c, const struct replay *replay, struct error *err) must_use;

/* As continue_take() where only cleaning up is left. */
bool continue_take_finished(struct conversion *c, struct error *err) must_use;

#endif /* COMMON_CONVERT_CONTINUE_H */

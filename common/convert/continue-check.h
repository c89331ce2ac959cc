/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The interface between continuing a conversion and the checks before its first write. */
#ifndef COMMON_CONVERT_CONTINUE_CHECK_H
#define COMMON_CONVERT_CONTINUE_CHECK_H

#include "common/convert/conversion.h"
#include "common/convert/replay.h"

/* Units at places below this are ciphertext now. */
uint64_t conversion_boundary(const struct conversion *c);


/*
 * Reads the domain from the root tree and takes over members, units and flags. ERROR_STATE or ERROR_KEY_HEADER if they are not those the
 * conversion began with, or have not come as far as it says.
 */
bool continue_take(struct conversion *c, struct error *err) must_use;

/*
 * For a decryption: is every extent it began with recognised by its tags, or about to be written by a record? An extent that is not would
 * be passed over and its tags thrown away at the end, so this is ERROR_STATE. replay NULL: the records are in place.
 */
bool continue_check_extents(struct conversion *c, const struct replay *replay, struct error *err) must_use;

/* Like continue_take(), when only cleaning up is left. */
bool continue_take_finished(struct conversion *c, struct error *err) must_use;

#endif /* COMMON_CONVERT_CONTINUE_CHECK_H */

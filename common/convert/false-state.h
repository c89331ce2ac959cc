/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A superblock copy that wrongly records a conversion. */
#ifndef COMMON_CONVERT_FALSE_STATE_H
#define COMMON_CONVERT_FALSE_STATE_H

#include "common/convert/conversion.h"

/*
 * Sets *is_false if the decisive copy of the superblock (supers.h) records no conversion, the key opens the sealing of this number, and its header says that
 * everything is sealed and contradicts every copy that records a conversion: the MAC of its state is wrong, or it is not newer than the
 * header. The volume uses the decisive copy from then on.
 */
bool state_is_false(struct volume *volume, uint16_t number, const struct key_source *key, bool *is_false, struct error *err) must_use;
/* Hints what to do if this cannot be decided and the decisive copy and all headers record no conversion. */
void state_hint(struct volume *volume, struct error *err);

#endif /* COMMON_CONVERT_FALSE_STATE_H */

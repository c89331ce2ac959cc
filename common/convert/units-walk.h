/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Phase DATA goes through the units in order of place, whatever becomes of them. */
#ifndef COMMON_CONVERT_UNITS_WALK_H
#define COMMON_CONVERT_UNITS_WALK_H

#include "common/convert/batch.h"

/* Does what one unit needs. address: where it is now. */
typedef bool unit_convert(struct batch *batch, const struct crypt_unit *unit, uint64_t place, uint64_t address, struct error *err);
/* Converts the units from c->cursor on, batch by batch, back or forward; end: forward only, stop before this place. */
bool units_walk(struct conversion *c, uint64_t end, unit_convert *convert, struct error *err) must_use;

#endif /* COMMON_CONVERT_UNITS_WALK_H */

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A conversion writes into holes of a sparse image file: the journal, new tree blocks, the copies of the key slots, and extents that were
 * preallocated. A full host must not stop it in the middle, so these holes are filled before its first write, or nothing is changed.
 */
#ifndef COMMON_CONVERT_HOLES_H
#define COMMON_CONVERT_HOLES_H

#include "common/convert/conversion.h"

/*
 * Is there room for what c->scan, c->plan and these places say? c->allocator must be open, and stays as it was. ERROR_NO_SPACE with the numbers.
 * Sets c->plan->growth_bytes to what nobody can reserve: a virtual disk, or a server, grows meanwhile.
 */
bool holes_check(struct conversion *c, const struct operation_places *places, struct error *err) must_use;
/* The same, and fills them. On failure they are given back. */
bool holes_fill(struct conversion *c, const struct operation_places *places, struct error *err) must_use;

#endif /* COMMON_CONVERT_HOLES_H */

/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Holds the memory that a conversion needs. */
#ifndef COMMON_CONVERT_MEMORY_H
#define COMMON_CONVERT_MEMORY_H

#include "common/convert/conversion.h"

/*
 * Called before the very first write of each run: from then on memory cannot run out. c->scan (if there is one), c->header, c->allocator
 * and the journal must be set.
 */
bool conversion_hold_memory(struct conversion *c, struct error *err) must_use;

#endif /* COMMON_CONVERT_MEMORY_H */

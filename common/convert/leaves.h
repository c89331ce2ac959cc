/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Phase LEAVES, in both directions. */
#ifndef COMMON_CONVERT_LEAVES_H
#define COMMON_CONVERT_LEAVES_H

#include "common/convert/conversion.h"

bool leaves_convert(struct conversion *c, struct error *err) must_use;
/* Are all leaves, as the volume reads them now, in the form in which the conversion leaves them? ERROR_CORRUPT: no. */
bool leaves_hold(struct conversion *c, struct error *err) must_use;
/* The same of one leaf. */
bool leaf_holds(struct conversion *c, const struct scan_block *at, struct error *err) must_use;

#endif /* COMMON_CONVERT_LEAVES_H */

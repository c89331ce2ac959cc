/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Takes over a sealing, to be unsealed or gone on with. */
#ifndef COMMON_CONVERT_TAKE_DOMAIN_H
#define COMMON_CONVERT_TAKE_DOMAIN_H

#include "common/convert/conversion.h"

/*
 * Reads and takes over everything that belongs to an opened domain: scan, units joined as boundary says, inline units, members, flags,
 * keys. check: compare it with the seal as options say.
 */
bool conversion_take_domain(struct conversion *c, struct domain *domain, uint64_t boundary, bool check,
			    const struct domain_view_options *options, bool *changed, struct error *err) must_use;

#endif /* COMMON_CONVERT_TAKE_DOMAIN_H */

/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Before a sealing is taken away or gets another key: is everything as it was sealed, and all of it here? */
#ifndef COMMON_CONVERT_UNSEAL_CHECK_H
#define COMMON_CONVERT_UNSEAL_CHECK_H

#include "common/convert/conversion.h"

/* Finds the subvolume, and what it is sealed in. ERROR_REFUSED: it is not sealed. */
bool unseal_find(struct conversion *c, const char *name, const struct subvolume **subvolume, struct domain **domain, struct error *err) must_use;
/*
 * Takes over the domain, which was opened, and checks everything that would be lost with its key: the seal, the trees, every tag, and whether
 * sealed data lie anywhere else. *changed: something differs, and that was accepted.
 */
bool unseal_check(struct conversion *c, struct domain *domain, const struct subvolume *subvolume, const struct unseal_options *options,
		  bool *changed, struct error *err) must_use;

#endif /* COMMON_CONVERT_UNSEAL_CHECK_H */

/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Root items: the last record of a sealing, and the cut of an unsealing. */
#ifndef COMMON_CONVERT_ROOTS_H
#define COMMON_CONVERT_ROOTS_H

#include "common/convert/conversion.h"

bool structure_cut(struct conversion *c, struct error *err) must_use;	/* restores root items, removes crypt items, frees blocks */
bool structure_cut_old(struct conversion *c, struct error *err) must_use;	/* of a rekeying: removes the items of the old sealing, frees blocks */
bool roots_seal(struct conversion *c, struct error *err) must_use;	/* root items, seal and header in one record */
bool roots_reseal(struct conversion *c, struct error *err) must_use;	/* the header alone */

#endif /* COMMON_CONVERT_ROOTS_H */

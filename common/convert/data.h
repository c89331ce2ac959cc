/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Phase DATA. Each of these continues from c->cursor. */
#ifndef COMMON_CONVERT_DATA_H
#define COMMON_CONVERT_DATA_H

#include "common/convert/conversion.h"

bool data_seal(struct conversion *c, struct error *err) must_use;
bool data_seal_until(struct conversion *c, uint64_t place, struct error *err) must_use;	/* only the units before place */
bool data_reseal(struct conversion *c, struct error *err) must_use;	/* aborts an unsealing: nonces as they were */
bool data_unseal(struct conversion *c, struct error *err) must_use;

#endif /* COMMON_CONVERT_DATA_H */

/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Phase DATA of a rekeying: each block is opened with the old key and sealed with the new one. */
#ifndef COMMON_CONVERT_REKEY_DATA_H
#define COMMON_CONVERT_REKEY_DATA_H

#include "common/convert/conversion.h"

/* Continues from c->cursor. Its way back is data_unseal(). */
bool data_rekey(struct conversion *c, struct error *err) must_use;

#endif /* COMMON_CONVERT_REKEY_DATA_H */

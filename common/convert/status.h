/* SPDX-License-Identifier: GPL-2.0-or-later */
/* How far a conversion has come. */
#ifndef COMMON_CONVERT_STATUS_H
#define COMMON_CONVERT_STATUS_H

#include "common/convert/conversion.h"

/* How much is done, in percent. Uses direction, phase, cursor and n_unit_items of the tail. */
unsigned state_percent(const struct crypt_state_tail *state);

#endif /* COMMON_CONVERT_STATUS_H */

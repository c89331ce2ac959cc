/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Reading all data back. */
#ifndef COMMON_CONVERT_DATA_BACK_H
#define COMMON_CONVERT_DATA_BACK_H

#include "common/convert/conversion.h"

/*
 * Checks every block of every unit against its tag, on every mirror. A block that does not match is completed or written
 * again.
 */
bool data_read_back(struct conversion *c, struct error *err) must_use;

#endif /* COMMON_CONVERT_DATA_BACK_H */

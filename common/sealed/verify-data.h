/* SPDX-License-Identifier: GPL-2.0-or-later */
/* verify: checks every block of every unit, and every stored checksum, on every mirror. */
#ifndef COMMON_SEALED_VERIFY_DATA_H
#define COMMON_SEALED_VERIFY_DATA_H

#include "common/sealed/verify-runs.h"

bool verify_data(struct verify *v, struct error *err) must_use;

#endif /* COMMON_SEALED_VERIFY_DATA_H */

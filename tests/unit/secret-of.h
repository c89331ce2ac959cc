/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A secret with these bytes, the caller's.  Fails the test itself. */
#ifndef TESTS_UNIT_SECRET_OF_H
#define TESTS_UNIT_SECRET_OF_H

#include "common/crypto/secret.h"

struct secret *secret_of(const void *bytes, size_t len);

#endif /* TESTS_UNIT_SECRET_OF_H */

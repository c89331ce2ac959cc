/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "tests/unit/secret-of.h"

#include <string.h>

#include "tests/unit/ok.h"

struct secret *secret_of(const void *bytes, size_t len)
{
	struct secret *secret = NULL;

	ok(secret_new(len, &secret, err));
	memcpy(secret_bytes(secret), bytes, len);
	return secret;
}

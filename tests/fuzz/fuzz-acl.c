/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Any bytes as an access control list. */
#include "common/fs/xattr.h"
#include "tests/fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	struct cursor value = { bytes, len, 0x4000 };
	struct error err = { 0 };
	struct acl_entry entry;

	if (!acl_begin(&value, &err))
		return 0;
	while (value.left > 0 && acl_next(&value, &entry, &err))
		;
	return 0;
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The item of an unfinished balance. */
#include "tests/fuzz/fuzz.h"

#include "format/balance.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	struct cursor input = { bytes, len, 0 };
	struct error err = { 0 };
	struct balance balance;

	(void)!balance_read(&input, &balance, &err);
	return 0;
}

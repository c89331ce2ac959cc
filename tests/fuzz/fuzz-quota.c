/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Items of the quota tree. */
#include "tests/fuzz/fuzz.h"

#include "format/quota.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	struct cursor input = { bytes, len, 0 };
	struct error err = { 0 };
	struct qgroup_status status;
	struct qgroup_info info;
	struct qgroup_limit limit;

	switch (fuzz_choice(&input) % 3) {
	case 0:
		(void)!qgroup_status_read(&input, &status, &err);
		break;
	case 1:
		(void)!qgroup_info_read(&input, &info, &err);
		break;
	default:
		(void)!qgroup_limit_read(&input, &limit, &err);
		break;
	}
	return 0;
}

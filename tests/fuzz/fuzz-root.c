/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Root items and references to subvolumes. */
#include "tests/fuzz/fuzz.h"

#include "format/root.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	struct cursor input = { bytes, len, 0 };
	struct error err = { 0 };
	struct root root;
	struct root_ref ref;

	if (fuzz_choice(&input) % 2 == 0) {
		if (root_read(&input, &root, &err))
			fuzz_touch((struct cursor){ (const uint8_t *)root.algorithm, strlen(root.algorithm), 0 });
	} else if (root_ref_read(&input, &ref, &err)) {
		fuzz_touch(ref.name);
	}
	return 0;
}

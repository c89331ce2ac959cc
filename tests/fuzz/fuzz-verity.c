/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Descriptors of files with fs-verity. */
#include "tests/fuzz/fuzz.h"

#include "format/verity.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	struct cursor input = { bytes, len, 0 };
	struct error err = { 0 };
	struct verity_size size;
	struct verity_descriptor descriptor;

	if (fuzz_choice(&input) % 2 == 0) {
		(void)!verity_size_read(&input, &size, &err);
	} else if (verity_descriptor_read(&input, &descriptor, &err)) {
		fuzz_touch((struct cursor){ descriptor.salt, descriptor.salt_size, 0 });
		fuzz_touch(input);
	}
	return 0;
}

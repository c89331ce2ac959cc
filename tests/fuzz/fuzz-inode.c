/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Inode items and the two kinds of their names. */
#include "tests/fuzz/fuzz.h"

#include "format/inode.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	struct cursor input = { bytes, len, 0 };
	struct error err = { 0 };
	struct inode inode;
	struct inode_ref ref;

	switch (fuzz_choice(&input) % 3) {
	case 0:
		(void)!inode_read(&input, &inode, &err);
		return 0;
	case 1:
		while (input.left > 0 && inode_ref_next(&input, 256, &ref, &err))
			fuzz_touch(ref.name);
		return 0;
	default:
		while (input.left > 0 && inode_extref_next(&input, &ref, &err))
			fuzz_touch(ref.name);
		return 0;
	}
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Contexts of the fscrypt proposal. */
#include "tests/fuzz/fuzz.h"

#include "format/fscrypt.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	struct cursor input = { bytes, len, 0 };
	struct error err = { 0 };
	struct disk_fscrypt_inode_context inode;
	struct disk_fscrypt_extent_context extent;

	if (fuzz_choice(&input) % 2 == 0) {
		if (fscrypt_inode_context_read(&input, &inode, &err))
			fscrypt_mode_name(inode.contents_mode);
	} else if (fscrypt_extent_context_read(&input, &extent, &err)) {
		fscrypt_mode_name(extent.mode);
	}
	return 0;
}

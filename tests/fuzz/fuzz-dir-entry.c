/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Directory entries and xattrs. */
#include "tests/fuzz/fuzz.h"

#include "format/dir-entry.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	struct cursor input = { bytes, len, 0 };
	const bool is_xattr = fuzz_choice(&input) % 2;
	struct error err = { 0 };
	struct dir_entry entry;

	while (input.left > 0 &&
	       (is_xattr ? xattr_next(&input, &entry, &err) : dir_entry_next(&input, &entry, &err))) {
		fuzz_touch(entry.name);
		fuzz_touch(entry.data);
		dir_entry_name_hash(entry.name.at, entry.name.left);
	}
	return 0;
}

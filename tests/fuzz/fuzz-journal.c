/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Any bytes as a journal record: header, then as many parts as it claims, while there are bytes. */
#include "format/journal.h"
#include "tests/fuzz/fuzz.h"

#define NODE_SIZE 256u		/* small, so that records of the corpus are */

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	struct cursor record = { bytes, len, 0x4000 };
	struct journal_header header;
	struct error err = { 0 };

	if (!journal_header_read(&record, &header, &err))
		return 0;
	for (uint32_t i = 0; i < header.n_changed; i++) {
		struct journal_changed changed;

		if (!journal_changed_next(&record, NODE_SIZE, &changed, &err))
			return 0;
		fuzz_touch((struct cursor){ changed.bytes, NODE_SIZE, 0 });
	}
	for (uint32_t i = 0; i < header.n_new; i++) {
		struct journal_new new_block;

		if (!journal_new_next(&record, &new_block, &err))
			return 0;
		fuzz_touch((struct cursor){ new_block.sha256, 32, 0 });
	}
	for (uint32_t i = 0; i < header.n_ranges; i++) {
		struct journal_range range;

		if (!journal_range_next(&record, header.has_old, &range, &err))
			return 0;
		if (range.old_tags)
			fuzz_touch((struct cursor){ range.old_tags, (size_t)range.n_blocks * CRYPT_TAG_SIZE, 0 });
		fuzz_touch((struct cursor){ range.tags, (size_t)range.n_blocks * CRYPT_TAG_SIZE, 0 });
	}
	return 0;
}

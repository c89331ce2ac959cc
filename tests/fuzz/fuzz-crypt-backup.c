/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Any bytes as a header backup; the hash, which no mutation would get right, is left out. */
#include "tests/fuzz/fuzz.h"

#include <stdlib.h>

#include "format/crypt-backup.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	struct cursor file = { bytes, len, 0 };
	struct crypt_backup_item item, before;
	struct crypt_backup backup;
	struct error err = { 0 };
	uint32_t i;

	if (!crypt_backup_read(&file, &backup, &err))
		return 0;
	fuzz_touch(backup.hash);
	for (i = 0; i < backup.n_items && crypt_backup_next(&backup, i ? &before : NULL, &item, &err); i++) {
		if (i > 0 && item.offset <= before.offset)
			abort();
		fuzz_touch(item.payload);
		before = item;
	}
	if (i == backup.n_items && crypt_backup_end(&backup, &err) != (backup.items.left == 0))
		abort();
	return 0;
}

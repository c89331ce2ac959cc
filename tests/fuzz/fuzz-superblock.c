/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Superblocks, and the chunks inside them. */
#include "tests/fuzz/fuzz.h"

#include "format/chunk.h"
#include "format/superblock.h"

static struct chunk_stripe room[CHUNK_STRIPES_MAX];

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	struct cursor input = { bytes, len, 0 };
	struct disk_superblock disk;
	struct superblock super;
	struct error err = { 0 };
	struct chunk chunk;
	char text[64];

	if (!cursor_read(&input, &disk, sizeof(disk)) || !superblock_read(bytes, le64(disk.bytenr), &super, &err))
		return 0;
	fuzz_touch(super.sys_chunks);
	while (super.sys_chunks.left > 0 && chunk_array_next(&super.sys_chunks, super.sector_size, room, &chunk, &err))
		chunk_type_text(chunk.type, text);
	return 0;
}

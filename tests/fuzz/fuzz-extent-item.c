/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Items of the extent tree and the free space tree: a key, which says what it is, and the payload. */
#include "tests/fuzz/fuzz.h"

#include "format/extent-item.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	struct cursor input = { bytes, len, 0 };
	struct disk_key disk;
	struct error err = { 0 };
	struct extent_item extent;
	struct extent_ref ref;
	struct block_group group;
	struct free_space_info info;

	if (!cursor_read(&input, &disk, sizeof(disk)))
		return 0;

	const struct key key = key_from_disk(&disk);
	char text[KEY_TEXT_SIZE];

	key_text(&key, text);
	switch (key.type) {
	case KEY_EXTENT_ITEM:
	case KEY_METADATA_ITEM:
		if (extent_item_read(&input, &key, &extent, &err))
			while (extent.inline_refs.left > 0 && extent_ref_next(&extent.inline_refs, &ref, &err))
				;
		break;
	case KEY_BLOCK_GROUP_ITEM:
		(void)!block_group_read(&input, &key, &group, &err);
		break;
	case KEY_FREE_SPACE_INFO:
		(void)!free_space_info_read(&input, &info, &err);
		break;
	default:
		(void)!extent_ref_read(&input, &key, &ref, &err);
	}
	return 0;
}

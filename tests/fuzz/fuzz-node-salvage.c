/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Damaged tree blocks, as a tolerant dump shows them. */
#include "tests/fuzz/fuzz.h"

#include "format/node-salvage.h"

static void touch_number(uint64_t number)
{
	fuzz_touch((struct cursor){ (const uint8_t *)&number, sizeof(number), 0 });
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	struct node node;
	uint32_t claimed;

	if (len < sizeof(struct disk_header) || len > NODE_SIZE_MAX)
		return 0;
	node_salvage(bytes, (uint32_t)len, 0x4000, &node, &claimed);
	for (uint32_t slot = 0; slot < node.n_items; slot++) {
		const struct key key = node_key(&node, slot);

		touch_number(key.offset);
		if (node_is_leaf(&node)) {
			const struct salvaged_item item = node_salvage_item(&node, slot);

			if (item.inside)
				fuzz_touch(item.item);
		} else {
			touch_number(node_child(&node, slot) + node_child_generation(&node, slot));
		}
	}
	return 0;
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Tree blocks of any size, and everything that the accessors give. */
#include "tests/fuzz/fuzz.h"

#include "format/node.h"

static void touch_slot(const struct node *node, uint32_t slot)
{
	const struct key key = node_key(node, slot);

	node_search(node, &key);
	if (node_is_leaf(node)) {
		fuzz_touch(leaf_item(node, slot));
	} else {
		node_child(node, slot);
		node_child_generation(node, slot);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	struct cursor block = { bytes, len, 0 };
	struct disk_header header;
	struct error err = { 0 };
	struct node node;
	uint32_t gap_at;

	if (len > NODE_SIZE_MAX || !cursor_read(&block, &header, sizeof(header)) ||
	    !node_read(bytes, (uint32_t)len, le64(header.bytenr), &node, &err))
		return 0;

	const uint32_t gap = node_gap(&node, &gap_at);

	fuzz_touch((struct cursor){ bytes + gap_at, gap, 0 });
	for (uint32_t slot = 0; slot < node.n_items; slot++)
		touch_slot(&node, slot);
	return 0;
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Kept until the program ends. */
#include "cmd/image-found.h"

#include <stdlib.h>

#include "cmd/unpacked.h"

static struct image_found *found;
static size_t n_found;

static void look_for_partition(const struct image_part *part, struct partition *found_there)
{
	struct error ignored = { 0 };
	struct partitions all;

	if (!partitions_find(part->opened, part->device, partition_has_btrfs, &all, &ignored))
		return;
	for (size_t i = 0; i < all.n; i++) {
		if (all.at[i].offset == part->offset)
			*found_there = all.at[i];
	}
}

void image_found_set(size_t i, const struct image_part *part)
{
	struct image_found *at;

	if (i >= n_found) {
		struct image_found *more = reallocarray(found, i + 1, sizeof(*found));

		if (!more)
			return;
		for (size_t k = n_found; k <= i; k++)
			more[k] = (struct image_found){ 0 };
		found = more;
		n_found = i + 1;
	}
	at = &found[i];
	*at = (struct image_found){ .is_known = true, .offset = part->offset, .partition = part->partition };
	if (part->opened != part->path) {
		at->unpacked = part->opened;
		at->member = unpacked_member(part->opened);
	}
	if (part->offset > 0 && part->partition.number == 0)
		look_for_partition(part, &at->partition);
}

const struct image_found *image_found(size_t i)
{
	return i < n_found && found[i].is_known ? &found[i] : NULL;
}

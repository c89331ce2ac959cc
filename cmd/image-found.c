/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Kept until the program ends. */
#include "cmd/image-found.h"

#include <stdlib.h>

#include "cmd/unpacked.h"

#define PARTITIONS_MAX 128	/* that are looked through */

static struct image_found *found;
static size_t n_found;

static void look_for_partition(const struct image_part *part, struct partition *found_there)
{
	struct partition partition[PARTITIONS_MAX];
	struct partition_table table;
	struct error ignored = { 0 };
	size_t n = 0;

	if (!partitions_find(part->opened, part->device, partition_has_btrfs, partition, PARTITIONS_MAX, &n, &table, &ignored))
		return;
	for (size_t i = 0; i < n && i < PARTITIONS_MAX; i++) {
		if (partition[i].offset == part->offset)
			*found_there = partition[i];
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

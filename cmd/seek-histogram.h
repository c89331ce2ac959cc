/* SPDX-License-Identifier: GPL-2.0-or-later */
/* How far the seeks of a tree go: counted by distance, printed in groups. */
#ifndef CMD_SEEK_HISTOGRAM_H
#define CMD_SEEK_HISTOGRAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "format/error.h"

#define SEEK_DISTANCES_MAX (1u << 22)	/* 64 MiB; with more different distances there is no histogram */

/* Initialise with { 0 }. */
struct seek_histogram {
	struct seek_count { uint64_t distance, n; } *at;
	size_t n, n_sorted, n_room;
	uint64_t n_seeks, longest;
	bool overflowed;
};

bool seek_histogram_add(struct seek_histogram *histogram, uint64_t distance, struct error *err) must_use;
void seek_histogram_free(struct seek_histogram *histogram);

/*
 * Rare distances are combined until they are more than a tenth of all. SEEKS_AS_BTRFS: as btrfs inspect-internal tree-stats counts, which leaves
 * out the distance after such a group, and has no histogram for fewer than 20 seeks.
 */
enum seek_groups { SEEKS_ALL, SEEKS_AS_BTRFS };
typedef void seek_group(void *context, uint64_t first, uint64_t last, uint64_t n);
void seek_histogram_groups(struct seek_histogram *histogram, enum seek_groups which, seek_group *tell, void *context);

/* The lines of btrfs inspect-internal tree-stats. */
void seek_histogram_print(struct seek_histogram *histogram);

#endif /* CMD_SEEK_HISTOGRAM_H */

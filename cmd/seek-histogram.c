/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Distances with their numbers, sorted and merged whenever the room is used up. */
#include "cmd/seek-histogram.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/util/array.h"
#include "common/util/order.h"

ORDER_BY(by_distance, struct seek_count, distance);

static void sort(struct seek_histogram *histogram)
{
	size_t n = 0;

	if (histogram->n_sorted == histogram->n)
		return;
	qsort(histogram->at, histogram->n, sizeof(*histogram->at), by_distance);
	for (size_t i = 0; i < histogram->n; i++) {
		if (n > 0 && histogram->at[n - 1].distance == histogram->at[i].distance)
			histogram->at[n - 1].n += histogram->at[i].n;
		else
			histogram->at[n++] = histogram->at[i];
	}
	histogram->n = histogram->n_sorted = n;
}

/* Room for one more. */
static bool make_room(struct seek_histogram *histogram, struct error *err)
{
	if (histogram->n < histogram->n_room)
		return true;
	sort(histogram);
	/* Sorting again at once would find nothing to merge. */
	if (histogram->n <= histogram->n_room / 2 && histogram->n_room > 0)
		return true;
	if (histogram->n >= SEEK_DISTANCES_MAX) {
		seek_histogram_free(histogram);
		histogram->overflowed = true;
		return true;
	}

	struct seek_count *more = array_grown(histogram->at, &histogram->n_room, sizeof(*more), err);

	histogram->at = more ? more : histogram->at;
	return more;
}

bool seek_histogram_add(struct seek_histogram *histogram, uint64_t distance, struct error *err)
{
	if (histogram->overflowed)
		return true;
	if (!make_room(histogram, err))
		return false;
	if (histogram->overflowed)
		return true;
	histogram->at[histogram->n++] = (struct seek_count){ distance, 1 };
	histogram->n_seeks++;
	if (distance > histogram->longest)
		histogram->longest = distance;
	return true;
}

void seek_histogram_free(struct seek_histogram *histogram)
{
	free(histogram->at);
	*histogram = (struct seek_histogram){ 0 };
}

#define TICKS 20	/* one stands for a twentieth of all seeks */
#define TICKS_RARE 2	/* a distance with up to this many is printed together with others */

void seek_histogram_groups(struct seek_histogram *histogram, enum seek_groups which, seek_group *tell, void *context)
{
	const bool as_btrfs = which == SEEKS_AS_BTRFS;
	const uint64_t tick = histogram->n_seeks < TICKS ? 1 : histogram->n_seeks / TICKS;
	uint64_t first = 0, last = 0, n = 0;

	if (as_btrfs && histogram->n_seeks < TICKS)
		return;
	sort(histogram);
	for (size_t i = 0; i < histogram->n; i++) {
		const struct seek_count *at = &histogram->at[i];
		const bool is_rare = at->n / tick <= TICKS_RARE, is_full = n / tick > TICKS_RARE;

		if (n > 0 && (!is_rare || is_full)) {
			tell(context, first, last, n);
			n = 0;
			if (is_rare && as_btrfs)
				continue;
		}
		if (!is_rare) {
			tell(context, at->distance, at->distance, at->n);
			continue;
		}
		if (n == 0)
			first = at->distance;
		last = at->distance;
		n += at->n;
	}
	if (n > 0)
		tell(context, first, last, n);
}

struct printing {
	int digits;
	uint64_t tick;
};

static void print_group(void *context, uint64_t first, uint64_t last, uint64_t n)
{
	const struct printing *printing = context;

	printf("\t\t%*" PRIu64 " - %*" PRIu64 ": %*" PRIu64 " ", printing->digits, first, printing->digits, last, printing->digits, n);
	for (uint64_t i = 0; i < n / printing->tick; i++)
		putchar('#');
	puts(n < printing->tick ? "|" : "");
}

void seek_histogram_print(struct seek_histogram *histogram)
{
	struct printing printing = { .digits = snprintf(NULL, 0, "%" PRIu64, histogram->longest), .tick = histogram->n_seeks / TICKS };

	if (printing.tick == 0)
		return;
	printf("\tSeek histogram\n");
	seek_histogram_groups(histogram, SEEKS_AS_BTRFS, print_group, &printing);
}

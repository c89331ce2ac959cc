/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Gathers doubts about adjacent bytes. */
#include "common/export/doubts.h"

#include <stdio.h>

void doubts_begin(struct doubts *doubts, uint64_t first, uint64_t size)
{
	doubts->size = size;
	doubts->first = doubts->end = doubts->told = first;
	doubts->any = false;
}

void doubts_end(struct doubts *doubts)
{
	if (doubts->first == doubts->end)
		return;
	report_to(&doubts->reporter, &(struct report){
		.kind = REPORT_DOUBTFUL, .first = doubts->first, .end = doubts->end, .logical = doubts->logical, .disk_length = doubts->disk_length,
		.text = doubts->text });
	doubts->told = doubts->first = doubts->end;
}

/* Of what was told already, only the rest is left, unless it is compressed. */
static void take_place(struct doubts *doubts, const struct report *doubt, uint64_t first, bool is_first)
{
	const uint64_t told = doubt->disk_length == doubt->end - doubt->first ? first - doubt->first : 0;
	const uint64_t logical = doubt->logical + told, length = doubt->disk_length - told;

	if (is_first) {
		doubts->logical = logical;
		doubts->disk_length = length;
	} else if (doubts->disk_length > 0 && logical == doubts->logical + doubts->disk_length) {
		doubts->disk_length += length;
	}
}

void doubts_add(struct doubts *doubts, const struct report *doubt)
{
	const bool is_first = doubts->first == doubts->end;
	const uint64_t done = is_first ? doubts->told : doubts->end;
	const uint64_t first = doubt->first > done ? doubt->first : done, end = doubt->end < doubts->size ? doubt->end : doubts->size;

	if (first >= end)
		return;
	doubts->any = true;
	if (is_first || first != doubts->end) {
		doubts_end(doubts);
		doubts->first = first;
		snprintf(doubts->text, sizeof(doubts->text), "%s", doubt->text);
	}
	take_place(doubts, doubt, first, doubts->first == first);
	doubts->end = end;
}
